"""Retrieval quality on Cranfield and CACM: BM25, dense and hybrid, from one search each.

    MAINSPRING_DATA=... python benchmarks/retrieval.py [--dev]

Every abstract is a document, ingested through the real path. nDCG@10 has graded gains on Cranfield, R@20 counts any
relevant document. Odd-numbered queries are the development half on which the weight of the fusion and the size of
chunks were looked at (``--dev`` measures them alone); reported is the other half.
"""

from __future__ import annotations

import asyncio
import math
import re
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from _library import Bench, bench, data
from _report import Figure, report, table
from mainspring.rag.retrieve import Hit
from mainspring.rag.selection import SearchOptions

DEPTH = 50


@dataclass(slots=True)
class Set:
    """A test collection: texts by id, queries by number, and for each the gain of its relevant documents."""

    name: str
    texts: dict[str, str]
    queries: dict[int, str]
    gains: dict[int, dict[str, int]] = field(default_factory=dict)


def records(text: str) -> Iterable[tuple[str, dict[str, str]]]:
    """(id, fields by letter) of a SMART file."""
    for part in re.split(r"^\.I\s+", text, flags=re.MULTILINE)[1:]:
        number, _, body = part.partition("\n")
        fields = re.split(r"^\.([A-Z])\s*$", body, flags=re.MULTILINE)
        yield number.strip(), dict(zip(fields[1::2], fields[2::2], strict=False))


def document(fields: Mapping[str, str]) -> str:
    parts = (" ".join(fields.get(letter, "").split()) for letter in ("T", "W"))
    return "\n\n".join(part for part in parts if part)


def cranfield() -> Set:
    folder = data("retrieval/cranfield")
    texts = {name: document(fields) for name, fields in records((folder / "cran.all.1400").read_text())}
    # The judgements number the queries by position, not by the id that the query file gives.
    queries = {
        position: " ".join(fields["W"].split())
        for position, (_, fields) in enumerate(records((folder / "cran.qry").read_text()), 1)
    }
    found = Set("Cranfield", texts, queries)
    for line in (folder / "cranqrel").read_text().splitlines():
        query, name, grade = line.split()[:3]
        # 1 is a complete answer, 4 of minimum interest; -1 is the document that the query came from.
        found.gains.setdefault(int(query), {})[name] = max(1, 5 - abs(int(grade)))
    return found


def cacm() -> Set:
    folder = data("retrieval/cacm")
    texts = {name: document(fields) for name, fields in records((folder / "cacm.all").read_text())}
    queries = {
        int(number): " ".join(fields["W"].split())
        for number, fields in records((folder / "query.text").read_text())
        if "W" in fields
    }
    found = Set("CACM", texts, queries)
    for line in (folder / "qrels.text").read_text().splitlines():
        query, name = line.split()[:2]
        found.gains.setdefault(int(query), {})[str(int(name))] = 1
    return found


def ndcg(ranked: Sequence[str], gains: Mapping[str, int], k: int = 10) -> float:
    best = sorted(gains.values(), reverse=True)[:k]
    ideal = sum(gain / math.log2(rank + 2) for rank, gain in enumerate(best))
    return sum(gains.get(name, 0) / math.log2(rank + 2) for rank, name in enumerate(ranked[:k])) / ideal


def recall(ranked: Sequence[str], gains: Mapping[str, int], k: int = 20) -> float:
    return len(set(ranked[:k]) & gains.keys()) / len(gains)


def orders(hits: Sequence[Hit], reranked: Sequence[Hit]) -> dict[str, list[str]]:
    """Document names in the order of each way to rank the same candidates; a document counts by its best chunk.

    ``reranked`` is hybrid with the best read again by the default reranker, as questions to documents are.
    """
    ways = {
        "BM25": sorted((hit for hit in hits if hit.lexical_rank), key=lambda hit: hit.lexical_rank or 0),
        "dense": sorted(hits, key=lambda hit: hit.dense_rank),
        "hybrid": list(hits),
        "reranked": list(reranked),
    }
    return {way: list(dict.fromkeys(hit.source.removesuffix(".txt") for hit in each)) for way, each in ways.items()}


async def measure(library: Bench, collection: Set, numbers: Sequence[int]) -> dict[str, tuple[float, float]]:
    """(nDCG@10, R@20) of each way to rank, means over the queries ``numbers``."""
    await library.fill((name, text) for name, text in collection.texts.items() if text.strip())
    scores: dict[str, list[tuple[float, float]]] = {}
    for number in numbers:
        query = collection.queries[number]
        hits = await library.retriever.candidates(library.collection, query, DEPTH, groups=None)
        reranked = await library.retriever.candidates(
            library.collection, query, DEPTH, groups=None, options=SearchOptions(rerank=True)
        )
        gains = collection.gains[number]
        for way, ranked in orders(hits, reranked).items():
            scores.setdefault(way, []).append((ndcg(ranked, gains), recall(ranked, gains)))
    return {
        way: (statistics.fmean(a for a, _ in each), statistics.fmean(b for _, b in each))
        for way, each in scores.items()
    }


async def main(development: bool) -> None:
    figures: dict[str, Figure] = {}
    gains: dict[str, list[float]] = {"BM25": [], "dense": [], "reranked": []}
    for collection in (cranfield(), cacm()):
        numbers = [n for n in sorted(collection.queries) if n in collection.gains and (n % 2 == 1) == development]
        async with bench() as library:
            scores = await measure(library, collection, numbers)
        for way, (quality, found) in scores.items():
            against = f"{len(numbers)} queries, {len(collection.texts)} documents"
            figures[f"{collection.name} {way} nDCG@10"] = Figure(quality, "", "higher", against=against)
            figures[f"{collection.name} {way} R@20"] = Figure(found, "", "higher", against=against)
        for way, values in gains.items():
            values.append(scores["hybrid"][0] / scores[way][0])
    for way, values in gains.items():
        floor, aim = (None, None) if way == "reranked" else (1.05, 1.15)
        figures[f"hybrid / {way}, nDCG@10"] = Figure(
            statistics.fmean(values), "x", "higher", floor, aim, f"{way}, mean of two collections"
        )
    if development:
        print(table(figures))
    else:
        report("retrieval", figures)


if __name__ == "__main__":
    asyncio.run(main("--dev" in sys.argv))
