"""What the reference-free measures of the RAG triad are worth: AUROC against labels.

    MAINSPRING_DATA=... python benchmarks/triad.py [--dev | --fit] [--judge MODEL] [--keep FOLDER [--only PART]]

Labels known by construction are SQuAD's (dev part): right answers, and the same made wrong in a known way. Labels that
people gave are SciFact's (does an abstract support or contradict a claim) and QAGS' (does an article support a sentence
that a summariser wrote). AUROC is the chance that a right one scores higher than a wrong one, .5 is a coin. The weights
of the measures were fitted on SQuAD's development questions (`--fit` prints them); reported are other questions,
SciFact's published development claims, and QAGS, of which nothing was looked at.
Context precision and recall are held against the judgements of Cranfield too: the documents that BM25 finds first for
its reported queries. `--judge` lets a chat model of the configuration decide instead.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, get_args

from _bm25 import Bm25
from _claims import Case, Told, cases, expert_claims, squad_claims, summary_claims
from _fit import fitted, shown
from _library import data
from _report import Figure, report, skip, table
from mainspring import engines
from mainspring.core.errors import ModelNotPulled
from mainspring.core.settings import load as load_settings
from mainspring.engines.catalogue.pull import Puller
from mainspring.engines.encode.embedder import OpenVinoEmbedder
from mainspring.features.evaluate.ablate.vector_cache import KeptEmbedder
from mainspring.features.evaluate.sets.collections import Split
from mainspring.features.evaluate.sets.loading import load
from mainspring.rag.triad import claim_evidence, relevancy
from mainspring.rag.triad.metrics import SUPPORTED, Triad
from mainspring.rag.triad.model_judge import ChatJudge
from mainspring.statistics import ranking
from mainspring.statistics.curves import auroc
from mainspring.statistics.significance import stats_library

Part = Literal["contexts", "claims", "summaries", "answers"]
QUERIES = 40
DEPTH = 10
# None of these is worded as what the measure itself takes for an evasion.
EVASIONS = (
    "It depends on many things.",
    "That is a very good question!",
    "Please contact our support team for details.",
    "There are different views on this, and much has been written.",
)
STATED = ("answer stated", "wrong answer stated", "adversarial statement")
TRUE_OF = {"wrong answer stated": "answer stated", "adversarial statement": "answer stated"}
"""The true claims that a kind of false ones is compared with, where they are not the reworded sentences."""


@dataclass(slots=True)
class Pairs:
    """Scores of right ones and of wrong ones."""

    right: list[float] = field(default_factory=list)
    wrong: list[float] = field(default_factory=list)

    def figure(self) -> Figure:
        estimate = auroc(self.right, self.wrong)
        against = f"95 % [{estimate.low:.3f}, {estimate.high:.3f}], {len(self.right)} right, {len(self.wrong)} wrong"
        return Figure(estimate.value, "AUROC", "higher", against=against)


async def contexts(triad: Triad, found: Sequence[Case]) -> dict[str, Pairs]:
    """Context measures: the paragraph that answers against others, lists with it first, last and without it."""
    pairs: dict[str, Pairs] = defaultdict(Pairs)
    for case in found:
        scores = await triad.context_relevance(case.question, [case.paragraph, *case.near, case.far])
        first, last = [case.paragraph, *case.near], [*case.near, case.paragraph]
        for kind, right, wrong in (
            ("context relevance: gold / same article", scores[0], scores[1]),
            ("context relevance: gold / other article", scores[0], scores[-1]),
            (
                "context precision: gold first / last",
                await triad.context_precision(case.question, first),
                await triad.context_precision(case.question, last),
            ),
            (
                "context recall: with gold / without",
                await triad.context_recall(case.question, first[:-1]),
                await triad.context_recall(case.question, case.near),
            ),
        ):
            pairs[kind].right.append(right)
            pairs[kind].wrong.append(wrong)
    return pairs


async def judged(triad: Triad, split: Split) -> dict[str, Figure]:
    """Context measures against people's judgements of the first documents that BM25 finds for Cranfield's queries."""
    collection = load("cranfield", data("")).part(split, QUERIES)
    texts = {document.id: document.read().decode() for document in collection.documents}
    index = Bm25(texts)
    relevance = Pairs()
    guessed: dict[str, list[float]] = {"precision": [], "recall": []}
    rankings = {query.id: index.search(query.text, DEPTH) for query in collection.queries}
    for query in collection.queries:
        passages = [texts[name] for name in rankings[query.id]]
        for name, score in zip(rankings[query.id], await triad.context_relevance(query.text, passages), strict=True):
            (relevance.right if name in query.gains else relevance.wrong).append(score)
        guessed["precision"].append(await triad.context_precision(query.text, passages))
        guessed["recall"].append(await triad.context_recall(query.text, passages))
    true = ranking.score(collection.judgements(), rankings, (f"map@{DEPTH}", f"recall@{DEPTH}")).values
    figures = {"context relevance: Cranfield, judged relevant / not": relevance.figure()}
    for name, metric in (("precision", f"map@{DEPTH}"), ("recall", f"recall@{DEPTH}")):
        found = stats_library().spearmanr(guessed[name], [true[metric][query.id] for query in collection.queries])
        against = f"with {metric} over {len(collection.queries)} queries, p = {found.pvalue:.3f}"
        figures[f"context {name}: Cranfield, rank correlation"] = Figure(
            float(found.statistic), "Spearman", "higher", against=against
        )
    return figures


async def faithfulness(triad: Triad, told: Sequence[Told], *, asked: bool) -> dict[str, Figure]:
    """Each kind of false claim against the true ones of its source; pooled; and what the threshold lets pass.

    ``asked`` tells the measure the question; claims without one are then left out.
    """
    scores: dict[tuple[str, bool], list[float]] = defaultdict(list)
    for claim in told:
        if claim.question or not asked:
            found = await triad.claim(claim.text, claim.passages, claim.question if asked else "")
            scores[claim.kind, claim.true].append(found.score)
    how = "faithfulness, question known" if asked else "faithfulness"
    figures: dict[str, Figure] = {}
    pooled = Pairs()
    for kind in dict.fromkeys(kind for kind, _ in scores):
        people = (kind, True) in scores and (kind, False) in scores
        if (kind, False) in scores:
            right = scores[kind if people else TRUE_OF.get(kind, "in other words"), True]
            figures[f"{how}: {kind}"] = Pairs(right, scores[kind, False]).figure()
        if people:
            figures |= _passed(f"{how}: {kind}", Pairs(scores[kind, True], scores[kind, False]))
        else:
            pooled.right += scores.get((kind, True), [])
            pooled.wrong += scores.get((kind, False), [])
    if pooled.right:
        figures |= {f"{how}: SQuAD pooled": pooled.figure()} | _passed(f"{how}: SQuAD", pooled)
    return figures


def _passed(label: str, pairs: Pairs) -> dict[str, Figure]:
    shares = [statistics.fmean(score >= SUPPORTED for score in side) for side in (pairs.right, pairs.wrong)]
    against = f"at least {SUPPORTED}"
    return {
        f"{label}, true claims passed": Figure(shares[0], "share", "higher", against=against),
        f"{label}, false claims passed": Figure(shares[1], "share", "lower", against=against),
    }


Answers = list[tuple[str, str, tuple[str, ...], str, bool]]
"""Question, answer, passages, kind, right."""


def answers(found: Sequence[Case]) -> Answers:
    """Right answers and others: of the same paragraph, of another article, evasions, wrong short answers."""
    rows: Answers = []
    for number, case in enumerate(found):
        passages = (case.paragraph, *case.near)
        given = [
            ("sentence", case.sentence, True),
            ("sentence beside it", case.beside, False),
            ("sentence from elsewhere", found[number - 1].sentence, False),
            ("evasion", EVASIONS[number % len(EVASIONS)], False),
        ]
        if case.other_answer is not None:
            given += [("short", case.answer, True), ("wrong short answer", case.other_answer, False)]
        rows += [(case.question, text, passages, kind, right) for kind, text, right in given if text]
    return rows


async def answer_relevancy(triad: Triad, rows: Answers, *, alone: bool) -> dict[str, Figure]:
    scores: dict[str, list[float]] = defaultdict(list)
    for question, text, passages, kind, _ in rows:
        scores[kind].append(await triad.answer_relevancy(question, text, () if alone else passages))
    how = "alone" if alone else "with passages"
    return {
        f"answer relevancy, {how}: {kind}": Pairs(
            scores["short" if kind == "wrong short answer" else "sentence"], scores[kind]
        ).figure()
        for kind in dict.fromkeys(kind for *_, kind, right in rows if not right)
    }


async def fit(triad: Triad, told: Sequence[Told], rows: Answers) -> None:
    """Print the weights for ``mainspring.rag.triad.weights``."""
    for label, asked in (("SUPPORT", False), ("SUPPORT_ASKED", True)):
        seen = [(one, await triad.evidence(one.text, one.passages, one.question if asked else "")) for one in told]
        rows_of = [(found[0].vector(), one.true, one.kind in STATED) for one, found in seen if found]
        print(label, shown(fitted(rows_of, claim_evidence.NAMES, claim_evidence.NAMES)))
    found = [((await triad.relevance(q, text, p)).vector(), right, "short" in kind) for q, text, p, kind, right in rows]
    for label, names in (("ANSWER", relevancy.NAMES), ("ANSWER_ALONE", relevancy.ALONE)):
        print(label, shown(fitted(found, relevancy.NAMES, names)))


async def timed(work: Callable[[], Awaitable[object]], count: int) -> float:
    """CPU milliseconds of this process for each of ``count``."""
    began = time.process_time()
    await work()
    return 1e3 * (time.process_time() - began) / max(1, count)


async def measure(triad: Triad, part: Part, split: Split, questions: int) -> dict[str, Figure]:
    """The figures of one part."""
    folder = data("").resolve()
    found, adversarial = cases(folder, split, questions)
    if part == "contexts":
        pairs = await contexts(triad, found)
        return {name: each.figure() for name, each in pairs.items()} | await judged(triad, split)
    if part == "answers":
        rows = answers(found)
        return await answer_relevancy(triad, rows, alone=True) | await answer_relevancy(triad, rows, alone=False)
    if part == "summaries":
        return await faithfulness(triad, _spaced(summary_claims(folder), 7 * questions), asked=False)
    told = [*squad_claims(found, adversarial), *_spaced(expert_claims(folder, split), 4 * questions)]
    sampled = told[:: max(1, len(told) // 100)]
    cost = await timed(lambda: asyncio.gather(*(triad.claim(one.text, one.passages) for one in sampled)), len(sampled))
    figures = {"faithfulness: cost of a claim": Figure(cost, "CPU ms", "lower", against=f"{len(sampled)} claims, cold")}
    for asked in (False, True):
        figures |= await faithfulness(triad, told, asked=asked)
    return figures


async def all_parts(triad: Triad, arguments: argparse.Namespace) -> dict[str, Figure]:
    """The figures of every part, or those that an earlier run left in ``--keep``."""
    split: Split = "development" if arguments.dev else "reported"
    figures: dict[str, Figure] = {}
    for part in [arguments.only] if arguments.only else get_args(Part):
        if part == "summaries" and split == "development":
            continue
        kept = arguments.keep / f"triad-{part}-{split}.json" if arguments.keep and not arguments.judge else None
        if kept and kept.exists():
            figures |= {name: Figure(**each) for name, each in json.loads(kept.read_text(encoding="utf-8")).items()}
            continue
        found = await measure(triad, part, split, arguments.questions)
        figures |= found
        if kept:
            kept.write_text(json.dumps({name: asdict(each) for name, each in found.items()}), encoding="utf-8")
    return figures


def _spaced(told: Sequence[Told], most: int) -> list[Told]:
    """At most so many, evenly spaced."""
    return [told[place * len(told) // most] for place in range(most)] if most < len(told) else list(told)


async def main(arguments: argparse.Namespace) -> None:
    settings = load_settings().settings
    try:
        pulled = Puller(settings).local(settings.models.embedding)
    except ModelNotPulled as error:
        skip(str(error))
    embedder = OpenVinoEmbedder(pulled, settings.engines.threads)
    kept = KeptEmbedder(embedder, arguments.keep) if arguments.keep else embedder
    try:
        if arguments.judge:
            models = settings.models.model_copy(update={"chat": (arguments.judge,)})
            async with engines.open(settings.model_copy(update={"models": models})) as opened:
                judge = ChatJudge.of(opened.chat[arguments.judge])
                print(table(await all_parts(Triad(kept, judge), arguments)), f"{judge.tokens} tokens", sep="\n")
            return
        if arguments.fit:
            found, adversarial = cases(data("").resolve(), "development", arguments.questions)
            await fit(Triad(kept), squad_claims(found, adversarial), answers(found))
            return
        figures = await all_parts(Triad(kept), arguments)
    finally:
        await embedder.close()
    if arguments.dev or arguments.only:
        print(table(figures))
    else:
        report("triad", figures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The RAG triad against labels")
    parser.add_argument("--dev", action="store_true", help="the development half, printed only")
    parser.add_argument("--fit", action="store_true", help="print weights fitted on the development half")
    parser.add_argument("--questions", type=int, default=150, help="of SQuAD; of people's labels a multiple")
    parser.add_argument("--only", choices=get_args(Part), help="one part, printed, and left in --keep")
    parser.add_argument("--judge", help="chat model that decides instead, printed only")
    parser.add_argument("--keep", type=Path, help="folder of vectors and of parts that were measured")
    asyncio.run(main(parser.parse_args()))
