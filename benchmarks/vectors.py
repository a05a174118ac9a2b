"""Vector stores at size: hybrid search filtered and not, recall against exact, building, disk, memory, a 1 % change.

    python benchmarks/vectors.py [--rows 100000] [--queries 100] [--postgres URL]

Chunks are synthetic (``_clusters``): 384 dimensions, ten a document. 1,000,000 rows take about half an hour to build.
Filtered queries may see a random 1, 10 or 50 % of the documents. Recall is that of the search by vector, against
effort 1, which compares every row. ``while writing`` are the same queries beside a writer of 100-row batches.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from _clusters import Clusters, Query
from _report import Figure, report
from mainspring.stores.vectors import Stale, VectorStore

C = "bench"
K = 20
DEPTH = 50
SHARES = (0.01, 0.1, 0.5, 1.0)
# What recall is measured on: exact search compares every row for each.
EXACT_QUERIES = 20


async def search(store: VectorStore, queries: Sequence[Query], current: Mapping[str, int]) -> list[float]:
    """Milliseconds of each hybrid search, sorted; the first few are not counted."""
    times = []
    for number, query in enumerate([*queries[:5], *queries]):
        started = time.perf_counter()
        await store.search(C, vector=query.vector, text=query.text, k=DEPTH, current=current)
        if number >= 5:
            times.append((time.perf_counter() - started) * 1e3)
    return sorted(times)


async def recall(store: VectorStore, queries: Sequence[Query], current: Mapping[str, int]) -> float:
    """Mean share of the exact ``K`` nearest that the default effort finds."""
    shares = []
    for query in queries[:EXACT_QUERIES]:
        exact = {hit.chunk_id for hit in await store.search(C, vector=query.vector, k=K, current=current, effort=1)}
        found = {hit.chunk_id for hit in await store.search(C, vector=query.vector, k=K, current=current)}
        shares.append(len(exact & found) / max(1, len(exact)))
    return statistics.mean(shares)


async def change(store: VectorStore, clusters: Clusters) -> float:
    """Seconds to replace 1 % of the documents and have them indexed."""
    started = time.perf_counter()
    changed = range(max(1, clusters.documents // 100))
    await store.write(C, [row for document in changed for row in clusters.chunks(document, 2)])
    await store.forget(C, [Stale(clusters.name(document), 2) for document in changed])
    await store.settle(C)
    return time.perf_counter() - started


async def beside_a_writer(store: VectorStore, clusters: Clusters, queries: Sequence[Query]) -> list[float]:
    """Milliseconds of searches by two readers while documents are written."""
    current = {clusters.name(document): 1 for document in range(clusters.documents)}
    done = asyncio.Event()

    async def write() -> None:
        document = clusters.documents
        while not done.is_set():
            await store.write(C, [row for number in range(10) for row in clusters.chunks(document + number)])
            document += 10
            await asyncio.sleep(0.05)

    writer = asyncio.create_task(write())
    half = len(queries) // 2
    times = await asyncio.gather(search(store, queries[:half], current), search(store, queries[half:], current))
    done.set()
    await writer
    return sorted([*times[0], *times[1]])


async def measure(store: VectorStore, clusters: Clusters, queries: Sequence[Query], name: str) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    written = 0.0
    for batch in clusters.batches():
        started = time.perf_counter()
        await store.write(C, batch)
        written += time.perf_counter() - started
    figures[f"{name}: write"] = Figure(clusters.rows / written, "chunks/s", "higher")
    started = time.perf_counter()
    await store.settle(C)
    figures[f"{name}: build indexes"] = Figure(time.perf_counter() - started, "s", "lower")
    everything = [clusters.name(document) for document in range(clusters.documents)]
    large = clusters.rows == 100_000
    for share in SHARES:
        chosen = random.Random(1).sample(everything, max(1, int(share * len(everything))))
        current = dict.fromkeys(chosen, 1)
        times = await search(store, queries, current)
        figures[f"{name}: p50, {share:.0%} of documents"] = Figure(times[len(times) // 2], "ms", "lower")
        p95 = times[min(len(times) - 1, int(0.95 * len(times)))]
        floor = 40.0 if large and share < 1 and name == "lance" else None
        figures[f"{name}: p95, {share:.0%} of documents"] = Figure(p95, "ms", "lower", floor)
        found = await recall(store, queries, current)
        figures[f"{name}: recall@{K}, {share:.0%}"] = Figure(found, "", "higher", 0.99 if large else None)
    times = await beside_a_writer(store, clusters, queries)
    figures[f"{name}: p95 while writing"] = Figure(times[int(0.95 * len(times))], "ms", "lower")
    figures[f"{name}: replace 1 %"] = Figure(await change(store, clusters), "s", "lower")
    return figures


async def run(rows: int, count: int, postgres: str) -> dict[str, Figure]:
    from mainspring.stores.lance import LanceVectors
    from mainspring.stores.pgvector import PostgresVectors

    clusters = Clusters(rows)
    queries = clusters.queries(count)
    with tempfile.TemporaryDirectory() as folder:
        store = LanceVectors(Path(folder))
        figures = await measure(store, clusters, queries, "lance")
        await store.close()
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        figures["lance: disk"] = Figure(size / 1e6, "MB", "lower")
    figures["lance: most memory of the process"] = Figure(
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, "MB", "lower"
    )
    if postgres:
        other = PostgresVectors(postgres)
        await other.drop(C)
        figures |= await measure(other, clusters, queries, "postgres")
        await other.drop(C)
        await other.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--postgres", default="", help="postgresql://user:password@host/name, to measure that too")
    arguments = parser.parse_args()
    figures = asyncio.run(run(arguments.rows, arguments.queries, arguments.postgres))
    suffix = "" if arguments.rows == 100_000 else f"_{arguments.rows}"
    report(f"vectors{suffix}", figures)


if __name__ == "__main__":
    main()
