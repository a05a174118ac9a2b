"""Hybrid search in a LanceDB table of chunks, over the generations that are current.

Each half first finds the rows, by their numbers alone; then all that were found are read at once, and compared with
the query's vector exactly. How rows that are not current are kept out depends on how many documents are:

- A few are the condition of an exact search, which compares their rows only.
- Some hundred are the condition of a search in the indexes.
- More would take longer to look up than to search, and most rows are theirs: more rows are found than are wanted, and
  those that are not current are left out. Where too few remain, they become the condition after all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from mainspring.stores.lance_index import Depth, depth
from mainspring.stores.vectors import SearchHit

# Documents whose rows are compared one by one, and documents that are looked up in the index of their ids.
EXACT_DOCUMENTS = 100
CONDITION_DOCUMENTS = 300
# With as many documents as this, more rows are fetched once more before they are looked up.
_FETCH_AGAIN_DOCUMENTS = 2_000
_FETCH_ROWS = 2_000
_COLUMNS = ("chunk_id", "document_id", "generation", "text", "start", "end", "page", "heading", "vector")
_LATER_COLUMNS = ("parent_start", "parent_end")


async def find(
    table: Any,
    *,
    vector: Any | None,
    text: str | None,
    k: int,
    current: Mapping[str, int],
    effort: float,
    kind: str,
) -> list[SearchHit]:
    """The best ``k`` by ``vector`` and the best ``k`` by ``text``, merged. ``kind`` is that of the vector index.

    ``table`` is left at the version that was searched.
    """
    # Rows have other numbers once a table is compacted: what is found and what is then read are of one version.
    await table.checkout(await table.version())
    look = depth(effort, kind)
    dense, lexical = await asyncio.gather(_dense(table, vector, k, current, look), _lexical(table, text, k, current))
    numbers = list({**dense, **lexical})
    if not numbers:
        return []
    present = set((await table.schema()).names)
    columns = [*_COLUMNS, *(name for name in _LATER_COLUMNS if name in present)]
    rows = (await table.take_row_ids(numbers).with_row_id().select(columns).to_arrow()).to_pylist()
    return _hits(rows, vector, dense, lexical, k)


async def _dense(table: Any, vector: Any | None, k: int, current: Mapping[str, int], look: Depth) -> dict[int, float]:
    if vector is None:
        return {}
    exact = look.exact or len(current) <= EXACT_DOCUMENTS
    wanted = k if exact else k * look.refine

    def query(limit: int) -> Any:
        search = table.vector_search(vector).distance_type("cosine").limit(limit)
        if exact:
            return search.bypass_vector_index()
        return search.ef(max(look.ef, limit + limit // 2)).nprobes(look.probes)

    return await _current(query, "_distance", wanted, current)


async def _lexical(table: Any, text: str | None, k: int, current: Mapping[str, int]) -> dict[int, float]:
    if text is None:
        return {}
    from lancedb import query as lance_query

    # Its parameters have defaults that its stub does not know of.
    make: Any = lance_query.MatchQuery
    match = make(text, "indexed")
    return await _current(lambda limit: table.query().nearest_to_text(match).limit(limit), "_score", k, current)


async def _current(query: Callable[[int], Any], score: str, k: int, current: Mapping[str, int]) -> dict[int, float]:
    """Numbers and scores of the first ``k`` current rows of ``query``, asking for more until there are as many."""
    condition = len(current) <= CONDITION_DOCUMENTS
    limit = k if condition else k + k // 2 + 20
    while True:
        search = query(limit)
        if condition:
            search = search.where(f"document_id IN ({', '.join(map(quoted, current))})")
        found = await search.select(["document_id", "generation", score]).with_row_id().to_arrow()
        columns = (found[name].to_pylist() for name in ("document_id", "generation", "_rowid", score))
        kept = [(row, value) for name, number, row, value in zip(*columns, strict=True) if current.get(name) == number]
        if len(kept) >= k or len(found) < limit:
            return dict(kept[:k])
        if not condition and (len(current) <= _FETCH_AGAIN_DOCUMENTS or limit * 4 > _FETCH_ROWS):
            condition, limit = True, k
        else:
            limit *= 4


def _hits(
    rows: list[dict[str, Any]], vector: Any | None, dense: Mapping[int, float], lexical: Mapping[int, float], k: int
) -> list[SearchHit]:
    cosines: dict[int, float] = {}
    if vector is not None:
        import numpy

        matrix = numpy.array([row["vector"] for row in rows], dtype=numpy.float32)
        similarities = (matrix @ numpy.asarray(vector, dtype=numpy.float32)).tolist()
        cosines = dict(zip((row["_rowid"] for row in rows), similarities, strict=True))
    nearest = set(sorted(dense, key=lambda number: -cosines[number])[:k])
    return [
        SearchHit(
            chunk_id=row["chunk_id"],
            document_id=row["document_id"],
            generation=row["generation"],
            text=row["text"],
            start=row["start"],
            end=row["end"],
            page=row["page"],
            heading=row["heading"],
            dense=cosines.get(row["_rowid"]),
            lexical=lexical.get(row["_rowid"]),
            parent_start=row.get("parent_start", -1),
            parent_end=row.get("parent_end", -1),
        )
        for row in rows
        if row["_rowid"] in nearest or row["_rowid"] in lexical
    ]


def quoted(value: str) -> str:
    """A literal of LanceDB's SQL."""
    return "'" + value.replace("'", "''") + "'"
