"""Questions that need two passages: are both found, by plain hybrid search and with the graph of the collection.

    MAINSPRING_DATA=... python benchmarks/multihop.py [--dev] [--limit N] [--only NAME] [--rerank] [--questions FILE]

Samples of HotpotQA and MuSiQue (questions that people wrote), 2WikiMultihopQA's corpus with questions that are built
from it (``mainspring.features.evaluate.sets.multihop``), and the sample handbook with the questions that need two of
its documents. A set without its files is left out, with a message. Every arm searches the same index; ``both@k`` is the
share of questions with both passages among the first k documents. Differences are to ``hybrid``, paired by question,
p-values corrected over the arms; ``all`` are the reported questions of the public sets together. ``--questions`` keeps
the built questions with the ids of their passages.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from _report import Figure, report, skip, table
from mainspring import engines
from mainspring.core.errors import ModelNotPulled, NotFound
from mainspring.core.settings import load
from mainspring.features.evaluate.ablate import arms
from mainspring.features.evaluate.ablate.ablation import Ablation, ablate
from mainspring.features.evaluate.sets import loading
from mainspring.features.evaluate.sets.collections import JudgedCollection, Split
from mainspring.statistics.significance import compare, interval

SAMPLES = Path(__file__).parent.parent / "samples"
PUBLIC = ("hotpotqa", "musique", "2wiki")
RETRIEVERS = ("hybrid", "graph:graph=local", "bm25", "dense")
RERANKED = ("reranked:rerank=true", "graph reranked:graph=local+rerank=true")
_METRICS = ("recall@5", "recall@10", "ndcg@10")
_DEPTHS = (5, 10)
Values = Mapping[str, Mapping[str, float]]
"""By arm and question."""


def both(found: Ablation, k: int) -> dict[str, dict[str, float]]:
    """1 for each question whose passages are all among the first ``k``, 0 for others, by arm."""
    return {
        each.arm.name: {query: float(value == 1) for query, value in each.values[f"recall@{k}"].items()}
        for each in found.arms
    }


def compared(name: str, label: str, values: Values, against: str) -> dict[str, Figure]:
    """A figure an arm, the first being what the others are compared with."""
    first = next(iter(values))
    comparisons = compare(values, first)
    made = {}
    for arm, found in values.items():
        mean = interval(list(found.values()))
        said = f"95 % [{mean.low:.3f}, {mean.high:.3f}]; {against}"
        if arm in comparisons:
            other = comparisons[arm]
            said += f"; to {first} {other.difference.value:+.3f}, p {other.corrected:.2g}"
            said += f", won {other.won}, lost {other.lost}"
        made[f"{name} {arm} {label}"] = Figure(mean.value, "", "higher", against=said)
    return made


def figures(found: Ablation) -> dict[str, Figure]:
    """The figures of one collection."""
    made: dict[str, Figure] = {}
    against = f"{found.queries} questions, {found.documents} documents"
    for k in _DEPTHS:
        made |= compared(found.collection, f"both@{k}", both(found, k), against)
    for measured in found.arms:
        name = f"{found.collection} {measured.arm.name}"
        for k in _DEPTHS:
            made[f"{name} recall@{k}"] = Figure(measured.estimate(f"recall@{k}").value, "", "higher", against=against)
        made[f"{name} nDCG@10"] = Figure(measured.estimate("ndcg@10").value, "", "higher", against=against)
        made[f"{name} p50"] = Figure(measured.latency(0.5), "ms", "lower", against=against)
    return made


def together(found: Sequence[Ablation]) -> dict[str, Figure]:
    """The public sets as one, every question counting once."""
    public = [each for each in found if each.collection in PUBLIC]
    made: dict[str, Figure] = {}
    for k in _DEPTHS if len(public) > 1 else ():
        joined: dict[str, dict[str, float]] = {}
        for each in public:
            for arm, values in both(each, k).items():
                joined.setdefault(arm, {}).update({f"{each.collection}/{query}": v for query, v in values.items()})
        made |= compared("all", f"both@{k}", joined, f"{sum(each.queries for each in public)} questions")
    return made


def written(collection: JudgedCollection) -> list[Mapping[str, object]]:
    """The questions with the ids of their passages, without any text of the corpus but the answers."""
    return [
        {
            "id": each.id,
            "question": each.text,
            "sources": list(each.gains),
            "answers": each.answers,
            "split": each.split,
        }
        for each in collection.queries
    ]


def sets(data: Path | None, only: str) -> tuple[list[JudgedCollection], list[str]]:
    """What can be measured here, and why the rest cannot."""
    found, missing = [], []
    for name in (*PUBLIC, "handbook-2hop"):
        if only and name != only:
            continue
        try:
            found.append(loading.load(name, SAMPLES if name == "handbook-2hop" else data))
        except NotFound as error:
            missing.append(f"{name}: {error}")
    return found, missing


async def main(given: argparse.Namespace) -> None:
    split: Split = "development" if given.dev else "reported"
    named = os.environ.get("MAINSPRING_DATA")
    found, missing = sets(Path(named) if named else None, given.only)
    for reason in missing:
        print(f"left out: {reason}")
    if not any(each.name in PUBLIC for each in found) and given.only != "handbook-2hop":
        skip("none of the public sets is here: docs/guides/evaluation.md says where they come from")
    if given.questions is not None:
        rows = [row for each in found if each.name == "2wiki" for row in written(each)]
        given.questions.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    settings = load().settings
    settings = settings.model_copy(update={"models": settings.models.model_copy(update={"chat": ()})})
    grid = arms.grid(retrievers=(*RETRIEVERS, *(RERANKED if given.rerank else ())), base=settings.rag)
    measured: list[Ablation] = []
    try:
        async with engines.open(settings) as opened:
            for collection in found:
                part = collection if collection.name == "handbook-2hop" else collection.part(split, given.limit)
                measured.append(await ablate(part, grid, settings, opened, metrics=_METRICS, split=split))
                print(table(figures(measured[-1])), flush=True)
    except ModelNotPulled as error:
        skip(str(error))
    made = {name: figure for each in measured for name, figure in figures(each).items()} | together(measured)
    if given.dev or given.only or given.limit:
        print(table(together(measured)))
    else:
        report("multihop", made)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Questions that need two passages: plain hybrid search, and the graph")
    parser.add_argument("--dev", action="store_true", help="the development halves, printed and not kept")
    parser.add_argument("--limit", type=int, default=0, help="at most so many questions of a set; not kept")
    parser.add_argument("--only", default="", help="one set; not kept")
    parser.add_argument("--rerank", action="store_true", help="also with reranking")
    parser.add_argument("--questions", type=Path, help="write the questions that were built here, as JSON lines")
    asyncio.run(main(parser.parse_args()))
