"""Hybrid search in Postgres over the generations that are current, in one transaction of the caller's.

Each half finds the ids of rows; then all that were found are read at once with their exact cosines. Some thousand rows
are compared one by one. For more rows, the index returns additional candidates for hidden ones; if too few may be
shown, it is read further until there are enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mainspring.stores.vectors.pgvector_sql as sql
from mainspring.stores.vectors.base import SearchHit, Stages, timed
from mainspring.stores.vectors.pgvector_sql import Tables

# Documents whose chunks are compared one by one, however many these are, and rows that are (some milliseconds).
EXACT_DOCUMENTS = 20
EXACT_ROWS = 10_000
# Documents that a word search looks up first.
CONDITION_DOCUMENTS = 2_000
# The index is asked for as many rows as this at most before it is read on under a condition.
_MOST_CANDIDATES = 2_000
# pgvector's maximum.
_EF = 1_000
# The index is in half precision: some more are compared exactly.
_REFINE = 2


async def find(
    connection: Any,
    tables: Tables,
    known: Mapping[str, Any],
    *,
    vector: Any | None,
    text: str | None,
    k: int,
    current: Mapping[str, int],
    effort: float,
    stages: Stages | None = None,
) -> list[SearchHit]:
    """The best ``k`` by ``vector`` and the best ``k`` by ``text``, merged. ``known`` is the collection's row."""
    dense: list[int] = []
    if vector is not None:
        dense = await timed(stages, "dense", _dense(connection, tables, known, vector, k, current, effort))
    sparse = _lexical(connection, tables, known, text or "", k, current)
    lexical = await timed(stages if text else None, "sparse", sparse)
    if not dense and not lexical:
        return []
    rows = await connection.fetch(tables.show(), list({*dense, *lexical}), vector)
    cosines = {row["id"]: row["cosine"] for row in rows}
    nearest = set(sorted(dense, key=lambda number: -cosines[number])[:k])
    return [
        SearchHit(
            **{name: row[name] for name in (*sql.FIELDS, "parent_start", "parent_end")},
            dense=row["cosine"],
            lexical=lexical.get(row["id"]),
        )
        for row in rows
        if row["id"] in nearest or row["id"] in lexical
    ]


async def _dense(
    connection: Any,
    tables: Tables,
    known: Mapping[str, Any],
    vector: Any,
    k: int,
    current: Mapping[str, int],
    effort: float,
) -> list[int]:
    async def compared() -> list[int]:
        documents = list(current), list(current.values())
        return [row["id"] for row in await connection.fetch(tables.nearest_of(), vector, k, *documents)]

    if effort >= 1 or len(current) <= EXACT_DOCUMENTS or not await _indexed(connection, tables):
        return await compared()
    share = await _share(connection, tables, known["chunks"], len(current))
    if share * known["chunks"] <= EXACT_ROWS:
        return await compared()
    wanted = k * _REFINE
    least = round(32 * 2 ** (5 * max(0.0, effort)))
    limit = wanted if share >= 1 else round(wanted / share * 1.2) + 20
    if limit <= _MOST_CANDIDATES:
        found = await _indexed_search(connection, tables, known["dimensions"], vector, limit, least, None)
        kept = _kept(found, current)
        if len(kept) >= k:
            return kept[:wanted]
    found = await _indexed_search(connection, tables, known["dimensions"], vector, wanted, least, list(current))
    kept = _kept(found, current)
    # Superseded generations may have taken their places, or the scan gave up.
    return kept if len(kept) >= k else await compared()


async def _indexed_search(
    connection: Any, tables: Tables, dimensions: int, vector: Any, limit: int, least: int, documents: list[str] | None
) -> list[Any]:
    """Rows through the index, nearest first; only of ``documents`` if they are given."""
    # Every other way to the same rows is shut, lest the planner should sort all chunks.
    for setting in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):
        await connection.execute(f"SET LOCAL {setting} = off")
    await connection.execute(f"SET LOCAL hnsw.ef_search = {min(_EF, max(limit, least))}")
    await connection.execute("SET LOCAL hnsw.iterative_scan = relaxed_order")
    await connection.execute("SET LOCAL hnsw.max_scan_tuples = 100000")
    arguments = [vector, limit] if documents is None else [vector, limit, documents]
    found: list[Any] = await connection.fetch(tables.nearest(dimensions, documents is not None), *arguments)
    for setting in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):
        await connection.execute(f"SET LOCAL {setting} = on")
    return found


def _kept(found: list[Any], current: Mapping[str, int]) -> list[int]:
    return [row["id"] for row in found if current.get(row["document_id"]) == row["generation"]]


async def _share(connection: Any, tables: Tables, chunks: int, documents: int) -> float:
    """The approximate share of all chunks in this many documents, by the server's statistics."""
    distinct: float | None = await connection.fetchval(sql.DISTINCT, sql.SCHEMA, tables.name)
    if not distinct:
        return 0.0 if documents <= CONDITION_DOCUMENTS else 1.0
    # Negative: a share of the rows.
    everything = distinct if distinct > 0 else -distinct * chunks
    return min(1.0, documents / max(1.0, everything))


async def _lexical(
    connection: Any, tables: Tables, known: Mapping[str, Any], text: str, k: int, current: Mapping[str, int]
) -> dict[int, float]:
    asked = sql.spaced(text)
    words = await connection.fetchval(sql.STEM, asked) if asked.strip() else []
    if not words or not known["words"]:
        return {}
    mean = known["words"] / known["chunks"]
    filtered = len(current) <= CONDITION_DOCUMENTS
    limit = k if filtered else k + k // 2 + 20
    while True:
        arguments: list[Any] = [words, limit, known["chunks"], mean]
        if filtered:
            arguments += [list(current), list(current.values())]
        found = await connection.fetch(tables.best(filtered), *arguments)
        kept = {row["id"]: row["score"] for row in found if current.get(row["document_id"]) == row["generation"]}
        if len(kept) >= k or len(found) < limit or filtered:
            return dict(list(kept.items())[:k])
        filtered, limit = True, k


async def _indexed(connection: Any, tables: Tables) -> bool:
    name = f'{sql.SCHEMA}."{tables.index_name}"'
    return bool(await connection.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)", name))
