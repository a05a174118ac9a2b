"""Retrieval quality on public collections: BM25, dense and hybrid from one search each, and what significance says.

    MAINSPRING_DATA=... python benchmarks/retrieval.py [--dev] [--keep FOLDER [--only NAME]]

Every abstract is a document, ingested through the real path. nDCG@10 has graded gains on Cranfield, R@20 counts any
relevant document. Reported are the even-numbered queries of Cranfield and CACM; the weight of the fusion and the size
of chunks were looked at on the odd ones (``--dev`` measures them alone). SciFact's 300 published development claims,
Medline, CISI and NPL were run once with the defaults: nothing was chosen on any query of theirs.

BM25 is the store's own (Lance: k1 1.2, b 0.75) over the same chunks, stemmed and without English stop words, a document
counted by its best chunk; BM25 (documents) has the same constants over whole documents (`_bm25.py`). Differences are
paired by query and tested by randomisation (two-sided, `mainspring.statistics.significance`);
p-values of the collections are corrected by Holm. Pooled is the mean of the collections: a query weighs less where
there are more of them. `--keep` leaves each collection's scores and vectors in a folder and takes them from there, so
that it can be run in pieces.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from _bm25 import Bm25
from _library import Bench, bench, data
from _report import Figure, report, table
from mainspring.features.evaluate.sets.collections import JudgedCollection, Split
from mainspring.features.evaluate.sets.loading import load
from mainspring.rag.search.hit import Hit
from mainspring.rag.search.selection import SearchOptions
from mainspring.statistics import ranking
from mainspring.statistics.significance import Estimate, holm, interval, permutation

DEPTH = 50
NAMES = {"cranfield": "Cranfield", "cacm": "CACM", "scifact": "SciFact", "med": "Medline", "cisi": "CISI", "npl": "NPL"}
THREE = ("cranfield", "cacm", "scifact")
"""Those that the floor is about; they were named before the third was ever searched."""
WAYS = ("BM25", "BM25 (documents)", "dense", "hybrid", "reranked")
NDCG, RECALL = "ndcg@10", "recall@20"


@dataclass(frozen=True, slots=True)
class Scored:
    """``values[way][metric]`` are the scores of a collection's queries, in their order."""

    name: str
    documents: int
    values: Mapping[str, Mapping[str, Sequence[float]]]

    def mean(self, way: str, metric: str = NDCG) -> float:
        return statistics.fmean(self.values[way][metric])

    def ndcg(self, way: str) -> Sequence[float]:
        return self.values[way][NDCG]


def orders(whole: Sequence[str], hits: Sequence[Hit], reranked: Sequence[Hit]) -> dict[str, list[str]]:
    """Document names in the order of each way to rank; of the same candidates but for ``whole``, which is a ranking
    of documents. A document counts by its best chunk.

    ``reranked`` is hybrid with the best read again by the default reranker, as questions to documents are.
    """
    ways = (
        sorted((hit for hit in hits if hit.lexical_rank), key=lambda hit: hit.lexical_rank or 0),
        sorted(hits, key=lambda hit: hit.dense_rank),
        list(hits),
        list(reranked),
    )
    named = [list(dict.fromkeys(hit.source.removesuffix(".txt") for hit in each)) for each in ways]
    return dict(zip(WAYS, [named[0], list(whole), *named[1:]], strict=True))


async def measure(library: Bench, collection: JudgedCollection) -> Scored:
    """Every way to rank on every query of ``collection``."""
    texts = {document.id: document.read().decode() for document in collection.documents}
    await library.fill(texts.items())
    whole = Bm25(texts)
    rankings: dict[str, dict[str, list[str]]] = {way: {} for way in WAYS}
    for query in collection.queries:
        hits = await library.retriever.candidates(library.collection, query.text, DEPTH, groups=None)
        reranked = await library.retriever.candidates(
            library.collection, query.text, DEPTH, groups=None, options=SearchOptions(rerank=True)
        )
        for way, ranked in orders(whole.search(query.text, DEPTH), hits, reranked).items():
            rankings[way][query.id] = ranked
    judged = collection.judgements()
    found = {way: ranking.score(judged, each, (NDCG, RECALL)).values for way, each in rankings.items()}
    ids = [query.id for query in collection.queries]
    values = {way: {name: [each[name][query] for query in ids] for name in each} for way, each in found.items()}
    return Scored(collection.name, len(collection.documents), values)


async def scored(name: str, development: bool, keep: Path | None) -> Scored:
    """``measure``, or what an earlier run left in ``keep``."""
    split: Split = "development" if development else "reported"
    path = keep / f"retrieval-{name}-{split}.json" if keep else None
    if path and path.exists():
        return Scored(**json.loads(path.read_text(encoding="utf-8")))
    async with bench(keep=keep) as library:
        found = await measure(library, load(name, data("")).part(split))
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(found)), encoding="utf-8")
    return found


def pooled(found: Sequence[Scored], way: str) -> tuple[Estimate, float]:
    """Hybrid minus ``way``: the mean of the collections' differences with its interval, and the p-value of the paired
    test in which every collection weighs the same."""
    total = sum(len(each.ndcg(way)) for each in found)
    sides: tuple[list[float], list[float]] = ([], [])
    for each in found:
        weight = total / len(found) / len(each.ndcg(way))
        sides[0].extend(weight * value for value in each.ndcg("hybrid"))
        sides[1].extend(weight * value for value in each.ndcg(way))
    return interval([a - b for a, b in zip(*sides, strict=True)]), permutation(*sides)


def figures_of(found: Sequence[Scored]) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    for each in found:
        against = f"{len(each.ndcg('hybrid'))} queries, {each.documents:,} documents"
        for way in WAYS:
            figures[f"{NAMES[each.name]} {way} nDCG@10"] = Figure(each.mean(way), "", "higher", against=against)
            figures[f"{NAMES[each.name]} {way} R@20"] = Figure(each.mean(way, RECALL), "", "higher", against=against)
    for way in (way for way in WAYS if way != "hybrid"):
        corrected = holm([permutation(each.ndcg("hybrid"), each.ndcg(way)) for each in found])
        for each, p in zip(found, corrected, strict=True):
            label = f"{NAMES[each.name]} hybrid / {way}, nDCG@10"
            against = _told(interval([a - b for a, b in zip(each.ndcg("hybrid"), each.ndcg(way), strict=True)]), p)
            figures[label] = Figure(each.mean("hybrid") / each.mean(way), "x", "higher", against=against)
        three = [each for each in found if each.name in THREE]
        for group, label in ((three, "of the three"), (found, "of all")):
            if len(group) < len(THREE):
                continue
            ratio = statistics.fmean(each.mean("hybrid") / each.mean(way) for each in group)
            floor, aim = (1.05, 1.15) if way != "reranked" else (None, None)
            what = f"mean of {', '.join(NAMES[each.name] for each in group)}; {_told(*pooled(group, way))}"
            figures[f"hybrid / {way}, nDCG@10, mean {label}"] = Figure(ratio, "x", "higher", floor, aim, what)
    return figures


def _told(difference: Estimate, p: float) -> str:
    shown = "p < .001" if p < 0.001 else f"p = {p:.3f}"
    return f"difference {difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}], {shown}"


async def main(arguments: argparse.Namespace) -> None:
    data("retrieval")
    if arguments.only:
        await scored(arguments.only, arguments.dev, arguments.keep)
        return
    names = [name for name in NAMES if not arguments.dev or name in ("cranfield", "cacm")]
    there = [name for name in names if (data("retrieval") / name).exists()]
    for name in set(names) - set(there):
        print(f"{name} left out: MAINSPRING_DATA has no retrieval/{name} (docs/reference/benchmarks-data.md)")
    figures = figures_of([await scored(name, arguments.dev, arguments.keep) for name in there])
    if arguments.dev:
        print(table(figures))
    else:
        report("retrieval", figures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Retrieval quality")
    parser.add_argument("--dev", action="store_true", help="the development halves, for looking and choosing")
    parser.add_argument("--keep", type=Path, help="folder of each collection's scores, taken from there where they are")
    parser.add_argument("--only", choices=NAMES, help="measure one collection into --keep")
    asyncio.run(main(parser.parse_args()))
