"""Is the paragraph that answers found first: words alone, vectors alone, both together, and both read again.

    MAINSPRING_DATA=... python benchmarks/hit_rates.py [--dev] [--questions N]

The paragraphs and the 500 drawn questions of SQuAD of `answers.py`, each asked of all ways, so that the ways are
compared question by question: BM25, vectors, hybrid (what a search does by default) and hybrid with reranking by late
interaction, which a search does only when asked. `won` and `lost` count the questions that one way has and the other
has not. ``--dev`` asks others, on which settings were chosen, and writes no result.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from _library import Bench, bench
from _report import Figure, report, table
from answers import Question, by_vectors, by_words, draw, rank, squad
from mainspring.rag.search.selection import SearchOptions

BASELINE = "BM25"
WAYS = (BASELINE, "vectors", "hybrid", "hybrid, reranked")
TOP = (1, 5)


async def places(library: Bench, questions: Sequence[Question]) -> dict[str, list[int]]:
    """The place of each question's paragraph among the documents that each way finds, from 1."""
    found: dict[str, list[int]] = {way: [] for way in WAYS}
    plain = SearchOptions(rerank=False)
    for question in questions:
        for way, options in (("hybrid", plain), ("hybrid, reranked", replace(plain, rerank=True))):
            hits = await library.retriever.candidates(library.collection, question.text, groups=None, options=options)
            found[way].append(rank(hits, question.paragraph))
            if way == "hybrid":
                found[BASELINE].append(rank(by_words(hits), question.paragraph))
                found["vectors"].append(rank(by_vectors(hits), question.paragraph))
    return found


def figures(found: Mapping[str, Sequence[int]]) -> dict[str, Figure]:
    """Hit rates of each way; those of the others beside BM25's, question by question."""
    rates: dict[str, Figure] = {}
    for k in TOP:
        base = [place <= k for place in found[BASELINE]]
        for way, ranks in found.items():
            hit = [place <= k for place in ranks]
            against = f"{len(hit)} questions"
            if way != BASELINE:
                won = sum(a and not b for a, b in zip(hit, base, strict=True))
                lost = sum(b and not a for a, b in zip(hit, base, strict=True))
                against += f"; {BASELINE} {sum(base) / len(base):.3f}, paired, {won} won, {lost} lost"
            rates[f"{way}: hit@{k}"] = Figure(sum(hit) / len(hit), "share", "higher", against=against)
    return rates


async def main(development: bool, count: int) -> None:
    paragraphs, questions = squad()
    async with bench() as library:
        await library.fill(paragraphs)
        measured = figures(await places(library, draw(questions, development)[:count]))
    if development or count < len(draw(questions, development)):
        print(table(measured))
    else:
        report("hit_rates", measured)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Hit rates on SQuAD")
    parser.add_argument("--dev", action="store_true", help="other questions, printed and not kept")
    parser.add_argument("--questions", type=int, default=500, help="fewer are printed and not kept")
    chosen = parser.parse_args()
    asyncio.run(main(chosen.dev, chosen.questions))
