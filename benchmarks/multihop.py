"""Two-hop questions: are both passages found, and does the question's phrasing suffice.

    python benchmarks/multihop.py CORPUS [--dev] [--limit N] [--questions FILE]

``CORPUS`` is 2WikiMultihopQA's corpus file (a JSON list of objects with ``title`` and ``text``); the questions are
built from it (``mainspring.evaluate.multihop``) and written, with the ids of their passages, to ``--questions``.
Beside them the questions over the sample handbook that need two of its documents. Every arm searches the same index;
``both@k`` is the share of questions with both passages among the first k.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

from _report import Figure, report, skip, table
from mainspring import engines
from mainspring.errors import ModelNotPulled
from mainspring.evaluate import arms, multihop, public
from mainspring.evaluate.ablation import Ablation, ablate
from mainspring.evaluate.collections import Judged, Split
from mainspring.evaluate.significance import interval
from mainspring.settings import load

SAMPLES = Path(__file__).parent.parent / "samples"
RETRIEVERS = ("hybrid", "bm25", "dense")
_METRICS = ("recall@5", "recall@10", "ndcg@10")


def figures(found: Ablation) -> dict[str, Figure]:
    """The figures of one collection; differences are to the first arm, p-values corrected over the arms."""
    made: dict[str, Figure] = {}
    for measured in found.arms:
        name = f"{found.collection} {measured.arm.name}"
        compared = found.comparisons["ndcg@10"].get(measured.arm.name)
        against = f"{found.queries} questions, {found.documents} documents"
        if compared is not None:
            against += f"; to {found.baseline} {compared.difference.value:+.3f}, p {compared.corrected:.2g}"
        for k in (5, 10):
            both = interval([float(value == 1) for value in measured.values[f"recall@{k}"].values()])
            place = f"95 % [{both.low:.3f}, {both.high:.3f}]; {against}"
            made[f"{name} both@{k}"] = Figure(both.value, "", "higher", against=place)
        made[f"{name} nDCG@10"] = Figure(measured.estimate("ndcg@10").value, "", "higher", against=against)
        made[f"{name} p50"] = Figure(measured.latency(0.5), "ms", "lower", against=against)
    return made


def written(collection: Judged) -> list[Mapping[str, object]]:
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


async def main(corpus: Path, development: bool, limit: int, questions: Path | None) -> None:
    two_wiki = public.two_wiki(corpus)
    if questions is not None:
        questions.write_text("".join(json.dumps(row) + "\n" for row in written(two_wiki)), encoding="utf-8")
    settings = load().settings
    settings = settings.model_copy(update={"models": settings.models.model_copy(update={"chat": ()})})
    split: Split = "development" if development else "reported"
    grid = arms.grid(retrievers=RETRIEVERS, base=settings.rag)
    made: dict[str, Figure] = {}
    try:
        async with engines.open(settings) as opened:
            for collection in (two_wiki.part(split, limit), public.handbook_2hop(SAMPLES)):
                made |= figures(await ablate(collection, grid, settings, opened, metrics=_METRICS, split=split))
    except ModelNotPulled as error:
        skip(str(error))
    if development:
        print(table(made))
    else:
        report("multihop", made)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Two-hop questions over 2WikiMultihopQA's corpus and the handbook")
    parser.add_argument("corpus", type=Path, nargs="?", default=Path(multihop.FILE_NAME))
    parser.add_argument("--dev", action="store_true", help="the development half, printed and not kept")
    parser.add_argument("--limit", type=int, default=0, help="at most so many questions")
    parser.add_argument("--questions", type=Path, help="write the questions that were built here, as JSON lines")
    given = parser.parse_args()
    if not given.corpus.exists():
        skip(f"there is no {given.corpus}: docs/evaluation.md says where 2WikiMultihopQA's corpus comes from")
    asyncio.run(main(given.corpus, given.dev, given.limit, given.questions))
