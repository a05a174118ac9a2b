"""Search at size: 10,000, 100,000 and 1,000,000 chunks, filtered and not, recall, building, memory, disk, changes.

    MAINSPRING_DATA=... python benchmarks/vectors.py [--rows 10000 100000 1000000] [--queries 200] [--postgres URL]

Searches go the whole way, from the question to hits with their documents, through the real stores; only the embedding
of the question is left out. A filter keeps the documents with one value of an attribute (a half, a tenth, ...); by
access, nine in ten may be seen. Recall is that of the search by vector, against comparing every row, on synthetic
vectors in clusters, with a bootstrap over queries: it says that the index works at its size, and little about other
data, of which `vector_recall` tells. The search by words is compared with the whole ranking, filtered afterwards. A
query's CPU time is that of all threads. ``1 % changed`` ingests one document in a hundred anew, parsing included.
Beside the writer, two readers search while documents are ingested one after the other. Each size is built in one
process and searched in another, whose memory is stated.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from _clusters import CHUNKS_A_DOCUMENT, Clusters, Query
from _library import data
from _report import Figure, report
from _scale import PARTS, Scale, attributes, fill, groups, scale
from mainspring.rag.connect.base import Source
from mainspring.rag.search.filters import Comparison
from mainspring.statistics.significance import Estimate, interval

SIZES = (10_000, 100_000, 1_000_000)
K = 20
DEPTH = 50
# The size that the design promises 40 ms for.
PROMISED = 100_000
# The whole ranking by words that filtered searches are compared with.
WHOLE_RANKING = 20_000
WRITER_S = 10.0
CHANGED_AT_MOST = 200

Case = tuple[str, Comparison | None, frozenset[str] | None]


def cases() -> list[Case]:
    """(label, filter, groups) of what is searched."""
    found: list[Case] = [("unfiltered", None, None), ("by access, 90 %", None, frozenset())]
    for key, part in PARTS.items():
        found.append((f"filter {100 / part:g} %", Comparison("eq", key, 0), None))
    found.append(("filter 10 % and access", Comparison("eq", "tenth", 0), frozenset()))
    return found


async def timed(library: Scale, queries: Sequence[Query], case: Case) -> tuple[list[float], float]:
    """Milliseconds of each search, sorted, and mean CPU milliseconds; the first few are not counted."""
    _, tree, mine = case
    times: list[float] = []
    used = 0.0
    for number, query in enumerate([*queries[:5], *queries]):
        started, before = time.perf_counter(), time.process_time()
        await library.retriever.search(library.collection, query.text, 10, tree, groups=mine)
        if number >= 5:
            times.append((time.perf_counter() - started) * 1e3)
            used += time.process_time() - before
    return sorted(times), used / len(queries) * 1e3


async def recall(library: Scale, queries: Sequence[Query], case: Case) -> tuple[Estimate, float]:
    """The mean share of the exact ``K`` best by vector that a search finds, with its interval, and that by words."""
    _, tree, mine = case
    scope = await library.retriever.scopes.of(library.collection, mine, tree)
    everything = await library.retriever.scopes.of(library.collection, None)
    vectors, table = library.stores.vectors, library.collection.table
    dense, lexical = [], []
    for number, query in enumerate(queries):
        exact = await vectors.search(table, vector=query.vector, k=K, current=scope.current, effort=1)
        found = await vectors.search(table, vector=query.vector, text=query.text, k=DEPTH, current=scope.current)
        best = sorted((hit for hit in found if hit.dense is not None), key=lambda hit: -(hit.dense or 0))[:K]
        dense.append(_share({hit.chunk_id for hit in exact}, {hit.chunk_id for hit in best}))
        if number < 2 and len(everything.current) * CHUNKS_A_DOCUMENT <= PROMISED:
            whole = await vectors.search(table, text=query.text, k=WHOLE_RANKING, current=everything.current)
            ranked = sorted(whole, key=lambda hit: -(hit.lexical or 0))
            kept = [hit.lexical or 0.0 for hit in ranked if hit.document_id in scope.current][:K]
            scores = sorted((hit.lexical for hit in found if hit.lexical is not None), reverse=True)[:K]
            # Of equal scores any may come first: it is the scores that are compared.
            lexical.append(sum(abs(a - b) < 1e-4 for a, b in zip(kept, scores, strict=False)) / max(1, len(kept)))
    return interval(dense), statistics.mean(lexical) if lexical else float("nan")


def _share(exact: set[str], found: set[str]) -> float:
    return len(exact & found) / max(1, len(exact))


async def change(library: Scale, clusters: Clusters) -> tuple[float, float, int]:
    """Wall and CPU seconds to ingest one document in a hundred anew (``CHANGED_AT_MOST`` at most), and chunks."""
    count = min(CHANGED_AT_MOST, max(1, clusters.documents // 100))
    step = clusters.documents // count
    sources = [_source(clusters, number * step, 2) for number in range(count)]
    started, before = time.perf_counter(), _cpu()
    done = await library.ingestor.ingest(library.collection, sources)
    if done.failed:
        raise RuntimeError(f"{len(done.failed)} documents were not read, the first: {done.failed[0]}")
    return time.perf_counter() - started, _cpu() - before, done.chunks


async def beside_a_writer(library: Scale, clusters: Clusters, queries: Sequence[Query]) -> dict[str, float]:
    """Two readers and a writer for ``WRITER_S`` seconds: searches and documents a second, errors, p95 in ms."""
    until = time.perf_counter() + WRITER_S
    times: list[float] = []
    counts = {"documents": 0, "errors": 0}

    async def read(mine: Sequence[Query]) -> None:
        number = 0
        while time.perf_counter() < until:
            started = time.perf_counter()
            try:
                tree = Comparison("eq", "tenth", 0) if number % 2 else None
                hits = await library.retriever.search(
                    library.collection, mine[number % len(mine)].text, 10, tree, groups=None
                )
                counts["errors"] += not hits
            except Exception as error:  # counted, whatever it is
                print(f"a search failed: {error}", file=sys.stderr)
                counts["errors"] += 1
            times.append((time.perf_counter() - started) * 1e3)
            number += 1

    async def write() -> None:
        number = clusters.documents
        while time.perf_counter() < until:
            done = await library.ingestor.ingest(library.collection, [_source(clusters, number, 1)])
            counts["errors"] += len(done.failed)
            counts["documents"] += 1
            number += 1

    half = len(queries) // 2
    await asyncio.gather(read(queries[:half]), read(queries[half:]), write())
    times.sort()
    return {
        "searches": len(times) / WRITER_S,
        "documents": counts["documents"] / WRITER_S,
        "errors": float(counts["errors"]),
        "p95": times[int(0.95 * len(times))],
    }


def _source(clusters: Clusters, number: int, generation: int) -> Source:
    name = f"{clusters.name(number)}.txt"
    text = "\n\n".join(clusters.texts(number, generation))
    return Source(name, name, text.encode, attributes=attributes(number), groups=groups(number))


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _memory() -> float:
    """Megabytes that this process has in memory now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


# --- phases, each in a process of its own -----------------------------------------------------------------------


async def build(home: Path, clusters: Clusters, postgres: str) -> dict[str, Figure]:
    async with scale(home, [], postgres) as library:
        before = _cpu()
        took = await fill(library, clusters)
        used = _cpu() - before
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    figures = {
        "write": Figure(clusters.rows / took["chunks"], "chunks/s", "higher"),
        "build indexes": Figure(took["settle"], "s", "lower", against=f"{used:.0f} s of CPU for all of it"),
        "most memory while building": Figure(most, "MB", "lower"),
    }
    if not postgres:
        size = sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
        figures["disk"] = Figure(size / 1e6, "MB", "lower")
    return figures


async def search(home: Path, clusters: Clusters, count: int, postgres: str) -> dict[str, Figure]:
    queries = clusters.queries(count)
    promised = clusters.rows == PROMISED and not postgres
    figures: dict[str, Figure] = {}
    async with scale(home, queries, postgres) as library:
        before = _memory()
        for case in cases():
            times, cpu = await timed(library, queries, case)
            floor, aim = (40.0, 15.0) if promised else (None, None)
            p95 = times[min(len(times) - 1, int(0.95 * len(times)))]
            against = f"{count} queries; p50 {times[len(times) // 2]:.1f} ms, {cpu:.1f} ms of CPU a query"
            figures[f"{case[0]}: p95"] = Figure(p95, "ms", "lower", floor, aim, against)
        figures["memory for searches"] = Figure(_memory() - before, "MB", "lower")
        for case in cases():
            dense, lexical = await recall(library, queries, case)
            words = f"{count} queries, [{dense.low:.4f}, {dense.high:.4f}], synthetic clusters"
            words += "" if lexical != lexical else f"; by words {lexical:.3f}"
            figures[f"{case[0]}: recall@{K}"] = Figure(dense.value, "share", "higher", against=words)
        beside = await beside_a_writer(library, clusters, queries)
        figures["beside a writer: searches"] = Figure(
            beside["searches"], "a second", "higher", against=f"p95 {beside['p95']:.0f} ms, two readers"
        )
        figures["beside a writer: documents"] = Figure(beside["documents"], "a second", "higher")
        figures["beside a writer: errors"] = Figure(beside["errors"], "", "lower")
        seconds, cpu, chunks = await change(library, clusters)
        against = f"{chunks} chunks, {cpu:.1f} s of CPU, without embedding"
        figures["1 % changed"] = Figure(seconds, "s", "lower", against=against)
    return figures


def phase(name: str, rows: int, count: int, home: Path, postgres: str) -> dict[str, Figure]:
    """Run one phase in a process of its own. Raises ``RuntimeError`` when it fails."""
    command = [sys.executable, __file__, "--phase", name, "--rows", str(rows), "--queries", str(count)]
    command += ["--home", str(home), "--postgres", postgres]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=1500, check=False)
    if ran.returncode:
        raise RuntimeError(f"{name} of {rows} rows ended with {ran.returncode}")
    found: dict[str, dict[str, Any]] = json.loads(ran.stdout.splitlines()[-1])
    return {label: Figure(**figure) for label, figure in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--postgres", default="", help="postgresql://user:password@host/name, to measure that instead")
    parser.add_argument("--keep", type=Path, help="folder that the collections are built in, or found in, and stay in")
    parser.add_argument("--phase", choices=("build", "search"), help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = data("retrieval/cranfield").parent.parent
    if options.phase:
        clusters = Clusters(options.rows[0], folder)
        running = (
            build(options.home, clusters, options.postgres)
            if options.phase == "build"
            else search(options.home, clusters, options.queries, options.postgres)
        )
        print(json.dumps({label: asdict(figure) for label, figure in asyncio.run(running).items()}))
        return
    figures: dict[str, Figure] = {}
    for rows in options.rows:
        with tempfile.TemporaryDirectory(dir=options.keep) as name:
            home = options.keep / str(rows) if options.keep else Path(name)
            found: dict[str, Figure] = {}
            if not home.exists() or home == Path(name):
                found |= phase("build", rows, options.queries, home, options.postgres)
            found |= phase("search", rows, options.queries, home, options.postgres)
            figures |= {f"{rows:,} chunks, {label}": figure for label, figure in found.items()}
    report("vectors_postgres" if options.postgres else "vectors", figures)


if __name__ == "__main__":
    main()
