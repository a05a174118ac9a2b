"""What the reference-free measures of the RAG triad are worth: AUROC against labels that are known by construction.

    MAINSPRING_DATA=... python benchmarks/triad.py [--dev]

Questions and paragraphs are SQuAD's (dev part). Every measure scores pairs of which one is right and the other is
made wrong in a known way; AUROC is the chance that the right one scores higher, .5 is a coin. The measures were made
while looking at the development questions (``--dev``); reported are the others.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from _library import data
from _report import Figure, report, skip, table
from mainspring.engines.embedder import OpenVinoEmbedder
from mainspring.engines.pull import Puller
from mainspring.errors import ModelNotPulled
from mainspring.evaluate import perturb, public
from mainspring.evaluate.curves import auroc
from mainspring.evaluate.triad import SUPPORTED, Triad
from mainspring.rag import sentences
from mainspring.settings import load

QUESTIONS = 300
_PASSAGES = 5
# None of these is worded as what the measure itself takes for an evasion.
_EVASIONS = (
    "It depends on many things.",
    "That is a very good question!",
    "Please contact our support team for details.",
    "There are different views on this, and much has been written.",
)


@dataclass(frozen=True, slots=True)
class Case:
    """An answerable question: its paragraph, the sentence that holds the answer, one other sentence of the paragraph,
    four other paragraphs of the article and one of another article, and another answer that the paragraph gives."""

    question: str
    answer: str
    paragraph: str
    sentence: str
    beside: str | None
    near: tuple[str, ...]
    far: str
    other_answer: str | None


@dataclass(slots=True)
class Pairs:
    """Scores of right ones and of wrong ones."""

    right: list[float] = field(default_factory=list)
    wrong: list[float] = field(default_factory=list)

    def add(self, right: float, wrong: float) -> None:
        self.right.append(right)
        self.wrong.append(wrong)


def cases(split: str) -> tuple[list[Case], list[tuple[str, str, str]]]:
    """Answerable cases, and (question, plausible wrong answer, paragraph) of adversarial questions, in drawn order.

    A paragraph belongs to the half of the question that is drawn first from it.
    """
    articles = public.articles(data("").resolve())
    wanted = {query.id for query in public.squad(data("").resolve()).queries if query.split == split}
    generator = random.Random(17)
    found: list[Case] = []
    adversarial: list[tuple[str, str, str]] = []
    for number, article in enumerate(articles):
        texts = [paragraph["context"] for paragraph in article["paragraphs"]]
        away = articles[(number + 1 + generator.randrange(len(articles) - 1)) % len(articles)]["paragraphs"]
        for paragraph in article["paragraphs"]:
            text = paragraph["context"]
            asked = [row for row in paragraph["qas"] if row["id"] in wanted]
            for row in asked:
                near = tuple(generator.sample([each for each in texts if each != text], _PASSAGES - 1))
                found += _case(row, paragraph, near, generator.choice(away)["context"], generator)
            if asked:
                adversarial += [
                    (row["question"], row["plausible_answers"][0]["text"], text)
                    for row in paragraph["qas"]
                    if row.get("is_impossible") and row.get("plausible_answers")
                ][:2]
    generator.shuffle(found)
    generator.shuffle(adversarial)
    return found[:QUESTIONS], adversarial[:QUESTIONS]


def _case(row: dict, paragraph: dict, near: tuple[str, ...], far: str, generator: random.Random) -> list[Case]:  # type: ignore[type-arg]
    text, gold = paragraph["context"], row["answers"][0]
    parts = [text[one.start : one.end] for one in sentences.split(text)]
    spans = [(one.start, one.end) for one in sentences.split(text)]
    held = next((n for n, (start, end) in enumerate(spans) if start <= gold["answer_start"] < end), None)
    if held is None or len(near) < _PASSAGES - 1:
        return []
    others = [part for number, part in enumerate(parts) if number != held and len(part.split()) > 4]
    given = {answer["text"] for each in paragraph["qas"] for answer in each["answers"] if each["id"] != row["id"]}
    wrong = sorted(each for each in given if each not in gold["text"] and gold["text"] not in each)
    return [
        Case(
            row["question"],
            gold["text"],
            text,
            parts[held],
            generator.choice(others) if others else None,
            near,
            far,
            generator.choice(wrong) if wrong else None,
        )
    ]


async def relevance(triad: Triad, found: Sequence[Case]) -> dict[str, Pairs]:
    """Context measures: the paragraph that answers against others, lists with it first, last and without it."""
    pairs: dict[str, Pairs] = defaultdict(Pairs)
    for case in found:
        scores = await triad.context_relevance(case.question, [case.paragraph, *case.near, case.far])
        pairs["context relevance: gold / same article"].add(scores[0], scores[1])
        pairs["context relevance: gold / other article"].add(scores[0], scores[-1])
        first, last = [case.paragraph, *case.near], [*case.near, case.paragraph]
        pairs["context precision: gold first / last"].add(
            await triad.context_precision(case.question, first), await triad.context_precision(case.question, last)
        )
        pairs["context recall: with gold / without"].add(
            await triad.context_recall(case.question, first[:-1]), await triad.context_recall(case.question, case.near)
        )
    return pairs


async def faithfulness(
    triad: Triad, found: Sequence[Case], adversarial: Sequence[tuple[str, str, str]]
) -> dict[str, Pairs]:
    """Answers in other words against the same made false in one way; the passages are the whole article's draw."""
    pairs: dict[str, Pairs] = defaultdict(Pairs)
    generator = random.Random(29)
    stated: list[float] = []
    for case in found:
        passages = [case.paragraph, *case.near]
        true = perturb.reworded(case.sentence)
        score = (await triad.claim(true, passages)).score
        alien = [case.far[one.start : one.end] for one in sentences.split(case.far)]
        names = perturb.names(" ".join(passages))
        changed = {
            "number changed": perturb.number_changed(true, generator),
            "name of the passages": perturb.name_changed(true, names, generator),
            "name from elsewhere": perturb.name_changed(true, perturb.names(case.far), generator),
            "negation changed": perturb.negated(true),
            "sentence from elsewhere": generator.choice(alien) if alien else None,
        }
        for kind, false in changed.items():
            if false is not None and false != true:
                pairs[f"faithfulness: {kind}"].add(score, (await triad.claim(false, passages)).score)
        right = perturb.statement(case.question, case.answer)
        wrong = perturb.statement(case.question, case.other_answer) if case.other_answer else None
        if right is not None:
            stated.append((await triad.claim(right, passages)).score)
            if wrong is not None:
                pairs["faithfulness: wrong answer stated"].add(stated[-1], (await triad.claim(wrong, passages)).score)
    for question, answer, paragraph in adversarial:
        false = perturb.statement(question, answer)
        if false is not None:
            pairs["faithfulness: adversarial statement"].wrong.append((await triad.claim(false, [paragraph])).score)
    pairs["faithfulness: adversarial statement"].right = stated
    pooled = Pairs()
    for kind, each in pairs.items():
        # The right ones of the other kinds are the same claims again.
        pooled.right += each.right if kind.endswith(("sentence from elsewhere", "adversarial statement")) else []
        pooled.wrong += each.wrong
    pairs["faithfulness: all claims pooled"] = pooled
    return pairs


async def relevancy(triad: Triad, found: Sequence[Case]) -> dict[str, Pairs]:
    """Right answers against others: of the same paragraph, of another article, evasions, wrong short answers."""
    pairs: dict[str, Pairs] = defaultdict(Pairs)
    for number, case in enumerate(found):
        right = await triad.answer_relevancy(case.question, case.sentence)
        wrong = {
            "sentence beside it": case.beside,
            "sentence from elsewhere": found[number - 1].sentence,
            "evasion": _EVASIONS[number % len(_EVASIONS)],
        }
        for kind, answer in wrong.items():
            if answer is not None:
                pairs[f"answer relevancy: {kind}"].add(right, await triad.answer_relevancy(case.question, answer))
        if case.other_answer is not None:
            pairs["answer relevancy: wrong short answer"].add(
                await triad.answer_relevancy(case.question, case.answer),
                await triad.answer_relevancy(case.question, case.other_answer),
            )
    return pairs


async def main(development: bool) -> None:
    settings = load().settings
    try:
        pulled = Puller(settings).local(settings.models.embedding)
    except ModelNotPulled as error:
        skip(str(error))
    embedder = OpenVinoEmbedder(pulled, settings.engines.threads)
    try:
        found, adversarial = cases("development" if development else "reported")
        triad = Triad(embedder)
        pairs = await relevance(triad, found)
        pairs |= await faithfulness(triad, found, adversarial)
        pairs |= await relevancy(triad, found)
    finally:
        await embedder.close()
    figures: dict[str, Figure] = {}
    for name, each in pairs.items():
        estimate = auroc(each.right, each.wrong)
        against = f"95 % [{estimate.low:.3f}, {estimate.high:.3f}], {len(each.right)} right, {len(each.wrong)} wrong"
        figures[name] = Figure(estimate.value, "AUROC", "higher", against=against)
    pooled = pairs["faithfulness: all claims pooled"]
    sides: tuple[tuple[str, list[float], Literal["higher", "lower"]], ...] = (
        ("true", pooled.right, "higher"),
        ("false", pooled.wrong, "lower"),
    )
    for name, scores, better in sides:
        share = sum(score >= SUPPORTED for score in scores) / len(scores)
        figures[f"faithfulness: {name} claims passed"] = Figure(
            share, "share", better, against=f"{len(scores)} claims, score at least {SUPPORTED}"
        )
    if development:
        print(table(figures))
    else:
        report("triad", figures)


if __name__ == "__main__":
    asyncio.run(main("--dev" in sys.argv))
