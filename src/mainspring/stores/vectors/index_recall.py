"""Measures the recall of an index against exact search: recall@k and latency for each effort."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mainspring.stores.vectors.base import EFFORT, ChunkRow, VectorStore

EFFORTS = (0.0, 0.25, EFFORT, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Recall:
    """For one effort: the mean share of the exact ``k`` nearest that were found, and milliseconds per search."""

    effort: float
    recall: float
    p50_ms: float
    p95_ms: float


async def measure(
    store: VectorStore,
    table: str,
    current: Mapping[str, int],
    *,
    k: int = 20,
    queries: int = 50,
    efforts: Sequence[float] = EFFORTS,
    seed: int = 0,
) -> list[Recall]:
    """Search for ``queries`` vectors that are stored in ``table``, one of a document. That each finds itself says
    nothing and is not counted. Empty if there is nothing to search for."""
    names = random.Random(seed).sample(sorted(current), min(queries, len(current)))
    chosen: dict[str, ChunkRow] = {}
    for row in await store.read(table, {name: current[name] for name in names}):
        chosen.setdefault(row.document_id, row)
    if not chosen:
        return []
    exact = [await _nearest(store, table, row, k, current, 1.0) for row in chosen.values()]
    found = []
    for effort in efforts:
        shares, times = [], []
        for row, nearest in zip(chosen.values(), exact, strict=True):
            started = time.perf_counter()
            mine = await _nearest(store, table, row, k, current, effort)
            times.append((time.perf_counter() - started) * 1e3)
            # Alone in its collection a chunk has no neighbours that could be missed.
            shares.append(len(mine & nearest) / len(nearest) if nearest else 1.0)
        times.sort()
        p95 = times[min(len(times) - 1, int(0.95 * len(times)))]
        found.append(Recall(effort, statistics.mean(shares), statistics.median(times), p95))
    return found


async def _nearest(
    store: VectorStore, table: str, row: ChunkRow, k: int, current: Mapping[str, int], effort: float
) -> set[str]:
    hits = await store.search(table, vector=row.vector, k=k + 1, current=current, effort=effort)
    best = sorted(hits, key=lambda hit: (-(hit.dense or 0.0), hit.chunk_id))
    return {hit.chunk_id for hit in [hit for hit in best if hit.chunk_id != row.chunk_id][:k]}
