"""Hybrid search in a LanceDB table of chunks, over the generations that are current.

Each half finds the numbers of rows; then all that were found are read at once, checked, and compared with the query's
vector exactly. How each half is kept to the rows that may be shown depends on how many they are of all rows:

- By vector, some thousand rows are compared one by one in memory. For more rows, the index returns additional
  candidates for those that will be hidden. Hidden ones are removed, and if too few remain, rows are compared directly.
- By words, the index returns additional candidates in the same way; a few documents become its filter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import numpy as np

from mainspring.stores.vectors.base import SearchHit, Stages, timed
from mainspring.stores.vectors.lance_index import depth
from mainspring.stores.vectors.lance_rows import Allowed
from mainspring.stores.vectors.lance_view import View, Views
from mainspring.stores.vectors.segmentation import segmented

# Rows that are always compared one by one, and documents that are fetched for it if vectors are not in memory.
EXACT_ROWS = 20_000
EXACT_DOCUMENTS = 10
# Rows that are compared in the time in which the index finds one more.
_ROWS_A_CANDIDATE = 8
# The maximum number of candidates from either index; and up to this many documents, a word search filters by
# document.
_MOST_CANDIDATES = 10_000
CONDITION_DOCUMENTS = 100
# Vectors in memory have three digits: this many more rows are compared exactly.
_SPARE = 6
_COLUMNS = ("chunk_id", "document_id", "generation", "text", "start", "end", "page", "heading", "vector")
_LATER_COLUMNS = ("parent_start", "parent_end")


async def find(
    views: Views,
    view: View,
    *,
    vector: Any | None,
    text: str | None,
    k: int,
    current: Mapping[str, int],
    effort: float,
    stages: Stages | None = None,
) -> list[SearchHit]:
    """The best ``k`` by ``vector`` and the best ``k`` by ``text``, merged."""
    allowed = await asyncio.to_thread(view.rows.allowed, current)
    if not allowed.rows:
        return []
    dense, lexical = await asyncio.gather(
        timed(None if vector is None else stages, "dense", _dense(views, view, vector, k, current, allowed, effort)),
        timed(None if text is None else stages, "sparse", _lexical(view, text, k, current, allowed)),
    )
    numbers = list({**dense, **lexical})
    if not numbers:
        return []
    columns = [*_COLUMNS, *(name for name in _LATER_COLUMNS if name in view.columns)]
    rows = await view.table.take_row_ids(numbers).with_row_id().select(columns).to_arrow()
    return _hits(rows, vector, dense, lexical, k, current)


# --- by vector --------------------------------------------------------------------------------------------------


async def _dense(
    views: Views,
    view: View,
    vector: Any | None,
    k: int,
    current: Mapping[str, int],
    allowed: Allowed,
    effort: float,
) -> dict[int, float]:
    if vector is None:
        return {}
    look = depth(effort, view.kinds.get("vector", ""))
    if effort >= 1:
        return await _compared(view, vector, k, current, allowed)
    wanted = min(k, allowed.rows) * look.refine
    candidates = _candidates(wanted, allowed)
    if not look.exact and allowed.rows > max(EXACT_ROWS, candidates * _ROWS_A_CANDIDATE):
        found = await _indexed(view, vector, candidates, allowed, max(look.ef, candidates + wanted // 2), look.probes)
        if len(found) >= min(k, allowed.rows):
            return view.rows.nearest_of(vector, list(found)[:wanted], k + _SPARE) or dict(list(found.items())[:wanted])
    full = view if view.rows.compared else None
    if full is None and allowed.documents > EXACT_DOCUMENTS:
        full = await views.with_vectors(view, len(vector))
    if full is None:
        return await _compared(view, vector, k, current, allowed)
    return await asyncio.to_thread(full.rows.nearest, vector, min(k + _SPARE, allowed.rows), allowed)


async def _indexed(view: View, vector: Any, limit: int, allowed: Allowed, ef: int, probes: int) -> dict[int, float]:
    search = view.table.vector_search(vector).distance_type("cosine").limit(limit).ef(ef).nprobes(probes)
    found = await search.select(["_distance"]).with_row_id().to_arrow()
    return _kept(view, found, "_distance", allowed)


async def _compared(view: View, vector: Any, k: int, current: Mapping[str, int], allowed: Allowed) -> dict[int, float]:
    """Every row, by LanceDB."""
    condition = _documents(current) if len(current) <= EXACT_DOCUMENTS else ""
    limit = k if condition else _candidates(k, allowed)
    while True:
        search = view.table.vector_search(vector).distance_type("cosine").limit(limit).bypass_vector_index()
        if condition:
            search = search.where(condition)
        found = await search.select(["_distance"]).with_row_id().to_arrow()
        kept = _kept(view, found, "_distance", allowed)
        if len(kept) >= k or found.num_rows < limit:
            return dict(list(kept.items())[:k])
        limit *= 4


# --- by words ---------------------------------------------------------------------------------------------------


async def _lexical(
    view: View, text: str | None, k: int, current: Mapping[str, int], allowed: Allowed
) -> dict[int, float]:
    if text is None:
        return {}
    from lancedb import query as lance_query

    # Its parameters have defaults that its stub does not know of.
    make: Any = lance_query.MatchQuery
    match = make(segmented(text), "indexed")
    wanted = min(k, allowed.rows)
    limit = _candidates(wanted, allowed)
    condition = allowed.rows < len(allowed.mask) and len(current) <= CONDITION_DOCUMENTS
    if condition:
        limit = wanted
    while True:
        if limit > _MOST_CANDIDATES and not condition:
            condition, limit = True, wanted
        search = view.table.query().nearest_to_text(match).limit(limit)
        if condition:
            search = search.where(_documents(current))
        found = await search.select(["_score"]).with_row_id().to_arrow()
        kept = _kept(view, found, "_score", allowed)
        if len(kept) >= wanted or found.num_rows < limit:
            return dict(list(kept.items())[:k])
        limit *= 4


# --- both -------------------------------------------------------------------------------------------------------


def _candidates(wanted: int, allowed: Allowed) -> int:
    """How many of all rows are to be found so that ``wanted`` of them may be shown, and some to spare."""
    if allowed.rows == len(allowed.mask):
        return wanted
    return min(len(allowed.mask), round(wanted / allowed.share * 1.2) + 20)


def _kept(view: View, found: Any, score: str, allowed: Allowed) -> dict[int, float]:
    numbers, scores = found["_rowid"].to_numpy(), found[score].to_numpy()
    kept = view.rows.are(numbers, allowed)
    return dict(zip(numbers[kept].tolist(), scores[kept].tolist(), strict=True))


def _documents(current: Mapping[str, int]) -> str:
    return f"document_id IN ({', '.join(map(quoted, current))})"


def _hits(
    found: Any,
    vector: Any | None,
    dense: Mapping[int, float],
    lexical: Mapping[int, float],
    k: int,
    current: Mapping[str, int],
) -> list[SearchHit]:
    numbers = found["_rowid"].to_pylist()
    cosines: dict[int, float] = {}
    if vector is not None:
        flat = found["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        similarities = flat.reshape(len(numbers), -1) @ np.asarray(vector, dtype=np.float32)
        cosines = dict(zip(numbers, similarities.tolist(), strict=True))
    nearest = set(sorted(dense, key=lambda number: -cosines[number])[:k])
    names = [name for name in found.column_names if name not in ("vector", "_rowid")]
    columns = (found[name].to_pylist() for name in names)
    return [
        SearchHit(**dict(zip(names, row, strict=True)), dense=cosines.get(number), lexical=lexical.get(number))
        for number, *row in zip(numbers, *columns, strict=True)
        if (number in nearest or number in lexical) and current.get(row[1]) == row[2]
    ]


def quoted(value: str) -> str:
    """A literal of LanceDB's SQL."""
    return "'" + value.replace("'", "''") + "'"
