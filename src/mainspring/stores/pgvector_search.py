"""Hybrid search in Postgres over the generations that are current, in one transaction of the caller's.

Each half finds the ids of rows; then all that were found are read at once with their exact cosines. A few documents
are searched exactly, more through the index of vectors, which is read on until enough rows are theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mainspring.stores.pgvector_sql as sql
from mainspring.stores.pgvector_sql import Tables
from mainspring.stores.vectors import SearchHit

# Documents whose chunks are compared one by one, and documents that a search by words looks up beforehand.
EXACT_DOCUMENTS = 100
CONDITION_DOCUMENTS = 2_000
# What pgvector takes at most.
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
) -> list[SearchHit]:
    """The best ``k`` by ``vector`` and the best ``k`` by ``text``, merged. ``known`` is the collection's row."""
    dense: list[int] = []
    if vector is not None:
        dense = await _dense(connection, tables, known["dimensions"], vector, k, current, effort)
    lexical = await _lexical(connection, tables, known, text or "", k, current)
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
    dimensions: int,
    vector: Any,
    k: int,
    current: Mapping[str, int],
    effort: float,
) -> list[int]:
    documents = list(current), list(current.values())
    if effort >= 1 or len(current) <= EXACT_DOCUMENTS or not await _indexed(connection, tables):
        return [row["id"] for row in await connection.fetch(tables.nearest_of(), vector, k, *documents)]
    wanted = k * _REFINE
    candidates = min(_EF, max(wanted, round(32 * 2 ** (5 * max(0.0, effort)))))
    # Every other way to the same rows is shut, lest the planner should sort all chunks.
    for setting in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):
        await connection.execute(f"SET LOCAL {setting} = off")
    await connection.execute(f"SET LOCAL hnsw.ef_search = {candidates}")
    await connection.execute("SET LOCAL hnsw.iterative_scan = relaxed_order")
    await connection.execute("SET LOCAL hnsw.max_scan_tuples = 100000")
    found = await connection.fetch(tables.nearest(dimensions, filtered=True), vector, wanted, documents[0])
    for setting in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):
        await connection.execute(f"SET LOCAL {setting} = on")
    kept = [row["id"] for row in found if current[row["document_id"]] == row["generation"]]
    if len(kept) < k:
        # Superseded generations took their places, or the scan gave up: among all chunks of the documents, then.
        return [row["id"] for row in await connection.fetch(tables.nearest_of(), vector, k, *documents)]
    return kept


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
