"""Caches a LanceDB table's rows in memory, so that a search knows which rows it may show without reading them.

For each row its document and generation, and the vector in half of its bytes (bfloat16) once a search has compared rows
one by one. A row keeps its number while it exists and never changes in place, so that only new numbers are read after a
write. This copy does not decide what a search shows: results are read from the table and checked again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from mainspring.stores.vectors.base import CurrentGenerations

# Sets of documents whose rows are remembered.
_MASKS = 64
# Rows compared at a time, so that they fit the processor's cache.
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Allowed:
    """The rows that a search may show: a mask over all rows, and how many those are of how many ``documents``."""

    mask: NDArray[np.bool_]
    rows: int
    documents: int

    @property
    def share(self) -> float:
        return self.rows / len(self.mask) if len(self.mask) else 0.0


@dataclass(slots=True)
class Rows:
    """The rows of a table at one version, ascending by ``numbers`` (LanceDB's row ids, uint64).

    ``documents`` (int32) are places in ``names``. ``matrix`` holds the upper halves (uint16) of the float32 vectors of
    the first ``len(matrix)`` rows; None until they are first requested.
    """

    numbers: NDArray[np.uint64]
    documents: NDArray[np.int32]
    generations: NDArray[np.int64]
    names: dict[str, int]
    matrix: NDArray[np.uint16] | None = None
    _masks: LRUCache[int, tuple[CurrentGenerations, Allowed]] = field(default_factory=lambda: LRUCache(_MASKS))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def allowed(self, current: Mapping[str, int]) -> Allowed:
        """The rows of these generations."""
        with self._lock:
            known = self._masks.get(id(current))
        if known is not None and known[0] is current:
            return known[1]
        wanted = np.full(len(self.names) + 1, -1, np.int64)
        # Documents without rows map to the last place, which belongs to no row.
        absent = len(self.names)
        places = np.fromiter((self.names.get(name, absent) for name in current), np.int64, len(current))
        wanted[places] = np.fromiter(current.values(), np.int64, len(current))
        mask = wanted[self.documents] == self.generations
        allowed = Allowed(mask, int(np.count_nonzero(mask)), len(current))
        if isinstance(current, CurrentGenerations):
            with self._lock:
                self._masks[id(current)] = (current, allowed)
        return allowed

    def are(self, numbers: NDArray[np.uint64], allowed: Allowed) -> NDArray[np.bool_]:
        """For each of ``numbers``, whether it is a row that may be shown."""
        places = np.searchsorted(self.numbers, numbers)
        places[places == len(self.numbers)] = 0
        found: NDArray[np.bool_] = (self.numbers[places] == numbers) & allowed.mask[places]
        return found

    def nearest(self, vector: Any, k: int, allowed: Allowed) -> dict[int, float]:
        """Numbers and cosines (to three digits) of the ``k`` rows nearest to the unit ``vector``, best first."""
        if self.matrix is None:
            raise ValueError("the vectors have not been read")
        query = np.asarray(vector, np.float32)
        everything = allowed.rows == len(self.matrix)
        places = None if everything else np.flatnonzero(allowed.mask)
        found = np.empty(allowed.rows, np.float32)
        for start in range(0, allowed.rows, _BLOCK):
            part = slice(start, start + _BLOCK)
            halves = self.matrix[part] if places is None else self.matrix[places[part]]
            found[part] = _whole(halves) @ query
        best = np.argpartition(-found, k)[:k] if k < len(found) else np.arange(len(found))
        best = best[np.argsort(-found[best], kind="stable")]
        numbers = self.numbers[best if places is None else places[best]]
        return dict(zip(numbers.tolist(), found[best].tolist(), strict=True))

    def nearest_of(self, vector: Any, numbers: Sequence[int], k: int) -> dict[int, float]:
        """The same among the rows ``numbers``; empty if their vectors are not in memory."""
        if self.matrix is None or not self.compared:
            return {}
        places = np.searchsorted(self.numbers, np.array(numbers, np.uint64))
        found = _whole(self.matrix[places]) @ np.asarray(vector, np.float32)
        best = np.argsort(-found, kind="stable")[:k]
        return dict(zip(self.numbers[places[best]].tolist(), found[best].tolist(), strict=True))

    @property
    def compared(self) -> bool:
        """Whether the vectors of all rows are in memory."""
        return self.matrix is not None and len(self.matrix) == len(self.numbers)

    @property
    def bytes(self) -> int:
        """Of the vectors."""
        return 0 if self.matrix is None else self.matrix.nbytes


def halves(vectors: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Float32 to bfloat16, rounded to the nearest."""
    return ((vectors.view(np.uint32) + np.uint32(0x8000)) >> np.uint32(16)).astype(np.uint16)


def _whole(given: NDArray[np.uint16]) -> NDArray[np.float32]:
    wide = given.astype(np.uint32)
    wide <<= np.uint32(16)
    return wide.view(np.float32)


async def read(table: Any) -> Rows:
    """The rows of ``table``, which is at one version."""
    return _append(Rows(np.empty(0, np.uint64), np.empty(0, np.int32), np.empty(0, np.int64), {}), await _new(table, 0))


async def follow(table: Any, known: Rows) -> Rows:
    """The rows of ``table``, which has a later version than ``known``."""
    after = int(known.numbers[-1]) + 1 if len(known.numbers) else 0
    rows = _append(known, await _new(table, after))
    if len(rows.numbers) == await table.count_rows():
        return rows
    found = await table.query().select([]).with_row_id().to_arrow()
    kept = np.isin(rows.numbers, found["_rowid"].to_numpy(), assume_unique=True)
    matrix = rows.matrix
    if matrix is not None:
        # After a compaction all rows are new, so no old vector matches a row.
        matrix = matrix[kept[: len(matrix)]] if kept[: len(matrix)].any() else None
    return Rows(rows.numbers[kept], rows.documents[kept], rows.generations[kept], rows.names, matrix)


async def with_vectors(table: Any, rows: Rows) -> Rows:
    """``rows`` with all their vectors."""
    have = 0 if rows.matrix is None else len(rows.matrix)
    if rows.matrix is not None and have == len(rows.numbers):
        return rows
    query = table.query().select(["vector"]).with_row_id()
    if have:
        query = query.where(f"_rowid >= {int(rows.numbers[have])}")
    parts = [] if rows.matrix is None else [rows.matrix]
    numbers = []
    async for batch in await query.to_batches():
        flat = batch["vector"].flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
        parts.append(halves(flat.reshape(batch.num_rows, -1)))
        numbers.append(batch["_rowid"].to_numpy())
    matrix = np.concatenate(parts)
    order = np.argsort(np.concatenate(numbers), kind="stable")
    if not np.array_equal(order, np.arange(len(order))):
        matrix[have:] = matrix[have:][order]
    return Rows(rows.numbers, rows.documents, rows.generations, rows.names, matrix, rows._masks)


async def _new(table: Any, after: int) -> Any:
    query = table.query().select(["document_id", "generation"]).with_row_id()
    return await (query.where(f"_rowid >= {after}") if after else query).to_arrow()


def _append(known: Rows, found: Any) -> Rows:
    if not found.num_rows:
        return Rows(known.numbers, known.documents, known.generations, known.names, known.matrix)
    # There are far fewer documents than rows, so each document is checked once.
    coded = found["document_id"].combine_chunks().dictionary_encode()
    # Names are only ever added: older states may share them.
    names = known.names
    places = np.array([names.setdefault(name, len(names)) for name in coded.dictionary.to_pylist()], np.int32)
    numbers = found["_rowid"].to_numpy()
    order = np.argsort(numbers, kind="stable")
    documents = places[coded.indices.to_numpy(zero_copy_only=False)]
    return Rows(
        np.concatenate([known.numbers, numbers[order]]),
        np.concatenate([known.documents, documents[order]]),
        np.concatenate([known.generations, found["generation"].to_numpy()[order]]),
        names,
        known.matrix,
    )
