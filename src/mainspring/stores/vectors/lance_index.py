"""The indexes of a LanceDB table of chunks: which it needs at its size, and how hard a search looks in them.

Up to ``HNSW_ROWS`` vectors are compared one by one. Beyond, a graph over vectors of one byte a dimension (HNSW) finds
them; beyond ``IVF_ROWS``, where the graph takes minutes to build, inverted lists of such vectors (IVF-SQ) do, and
beyond ``PQ_ROWS``, where these no longer fit in memory, lists of product-quantised ones (IVF-PQ). Candidates are then
compared exactly. (Malkov and Yashunin 2018; Jégou et al. 2011.)
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

# Comparing this many vectors of 384 dimensions one by one takes a few milliseconds.
HNSW_ROWS = 20_000
# The graph costs five times the processor time of the lists: 80 s of it at 100,000 rows with LanceDB's own settings,
# half of that with these.
IVF_ROWS = 250_000
_NEIGHBOURS, _BUILD_CANDIDATES = 20, 150
# Training rows per list centre, and rounds of training.
_SAMPLES, _ROUNDS = 128, 15
# The lists take 400 bytes a row of 384 dimensions, all of it in memory.
PQ_ROWS = 2_000_000
# New rows get a small index of their own, and a search reads each index, so that many small ones are merged.
_PARTS = 4
_KEEP_VERSIONS = timedelta(minutes=10)
# Looked up by equality: filters, deletions, replaced rows and known vectors.
_KEYS = ("document_id", "chunk_id", "digest")
# Fewer rows than these are scanned in a millisecond.
_KEY_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Depth:
    """How hard a search looks: graph candidates ``ef``, probed lists ``probes``, and ``refine`` times as many
    results as asked for that are compared exactly. ``exact``: every row is compared, whatever the index."""

    ef: int
    probes: int
    refine: int
    exact: bool = False


def depth(effort: float, kind: str) -> Depth:
    """The search parameters of ``effort`` in [0, 1] for an index of this ``kind`` (LanceDB's name; empty: none).

    Each step of 0.2 doubles the work, and 1 is exact search.
    """
    effort = min(1.0, max(0.0, effort))
    ef, probes = round(32 * 2 ** (5 * effort)), round((8 if kind == "IvfSq" else 4) * 2 ** (5 * effort))
    refine = round(4 * 2 ** (3 * effort)) if kind == "IvfPq" else 2
    return Depth(ef, probes, refine, exact=effort == 1.0 or not kind)


async def kinds(table: Any) -> dict[str, str]:
    """The kind of index of each column that has one."""
    return {index.columns[0]: str(index.index_type) for index in await table.list_indices()}


async def index(table: Any, *, vectors: bool = True) -> None:
    """Build the indexes that the table is large enough for (with ``vectors``, also the one of vectors), add new rows to
    them, compact, and delete versions that no search can still be reading."""
    rows = await table.count_rows()
    present = await kinds(table)
    names = set((await table.schema()).names)
    if "indexed" not in present:
        await index_text(table)
    for column in _KEYS:
        if column in names and column not in present and rows >= _KEY_ROWS:
            from lancedb.index import BTree

            await table.create_index(column, config=BTree())
    if vectors and await _outgrown(table, present.get("vector", ""), rows):
        await table.create_index("vector", config=_vector_index(rows))
    await table.optimize(cleanup_older_than=_KEEP_VERSIONS)


async def rewrite(table: Any) -> None:
    """Write all rows again, index them, and delete all older versions: until then, deleted rows stay in the files of a
    table and their words in its indexes.

    Indexing the vectors takes five times as long as the rest. A table whose rows are compared in memory in some ten
    milliseconds does without it until ``index`` makes it: see ``waits``. Readers of an older version fail during this
    time and must read again.
    """
    present = await kinds(table)
    rows = await table.count_rows()
    await table.update(updates_sql={"digest": "digest"})
    await index_text(table)
    for column in _KEYS:
        if column in present:
            from lancedb.index import BTree

            await table.create_index(column, config=BTree())
    if "vector" in present and rows < IVF_ROWS:
        await table.drop_index("vector_idx")
    elif "vector" in present:
        await table.create_index("vector", config=_vector_index(rows))
    for _ in range(2):
        # The second pass releases the version that the first one compacted.
        await _let_go(table, timedelta(0))


def waits(kinds: Mapping[str, str], rows: int) -> bool:
    """Whether a table lacks a vector index that it should have, as after ``rewrite``."""
    return HNSW_ROWS <= rows < IVF_ROWS and "vector" not in kinds


async def _let_go(table: Any, older_than: timedelta) -> None:
    with warnings.catch_warnings():
        # It warns of an error that readers of older versions meet, and they handle it.
        warnings.simplefilter("ignore", UserWarning)
        await table.optimize(cleanup_older_than=older_than)


async def index_text(table: Any) -> None:
    """BM25 over stemmed English words without stop words."""
    from lancedb.index import FTS

    await table.create_index("indexed", config=FTS(language="English", stem=True, remove_stop_words=True))


async def _outgrown(table: Any, kind: str, rows: int) -> bool:
    if rows < HNSW_ROWS:
        return False
    if kind != _kind(rows):
        return True
    stats = await table.index_stats("vector_idx")
    return stats is not None and (stats.num_indices or 0) > _PARTS


def _kind(rows: int) -> str:
    if rows < IVF_ROWS:
        return "IvfHnswSq"
    return "IvfSq" if rows < PQ_ROWS else "IvfPq"


def _vector_index(rows: int) -> Any:
    from lancedb.index import HnswSq, IvfPq, IvfSq

    if rows < IVF_ROWS:
        return HnswSq(distance_type="cosine", num_partitions=1, m=_NEIGHBOURS, ef_construction=_BUILD_CANDIDATES)
    make = IvfSq if rows < PQ_ROWS else IvfPq
    lists = max(1, round(rows**0.5))
    return make(distance_type="cosine", num_partitions=lists, sample_rate=_SAMPLES, max_iterations=_ROUNDS)
