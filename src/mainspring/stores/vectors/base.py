"""The interface of vector stores: rows of chunks under document generations, and hybrid search over the current ones.

The store keeps every generation that was written. The SQL commit of ``Documents.publish`` decides which generation of a
document is visible: each search takes the mapping ``current`` and joins its hits with it, so a half-written generation
is never seen and a superseded one disappears at once.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Mapping, Sequence
from collections.abc import Collection as AnyCollection
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

# The default search effort: above 0.99 of the results of an exact search, in a few milliseconds.
EFFORT = 0.5

Stages = list[tuple[str, int, int]]
"""Steps of a search: name, begin and end in Unix nanoseconds."""


async def timed(stages: Stages | None, name: str, work: Awaitable[T]) -> T:
    """The result of ``work``; ``stages`` is called with its start and its end."""
    if stages is None:
        return await work
    began_ns, clock = time.time_ns(), time.perf_counter_ns()
    try:
        return await work
    finally:
        stages.append((name, began_ns, began_ns + time.perf_counter_ns() - clock))


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """One chunk to be stored.

    ``start`` and ``end`` are character offsets into the document's parsed text, and ``text`` is exactly that
    span; ``page`` counts from 1 (None if the format has no pages); ``vector`` is a float32 array
    (dimensions,), L2-normalised. ``chunk_id`` is unique within a collection and holds the generation.
    ``parent_start`` and ``parent_end`` are the span of the larger passage that the chunk stands for (-1: none), and
    ``digest`` is the sha256 of the text that was embedded, with which its vector is found again (empty: unknown).
    """

    chunk_id: str
    document_id: str
    generation: int
    text: str
    start: int
    end: int
    page: int | None
    heading: str
    vector: Any
    parent_start: int = -1
    parent_end: int = -1
    digest: str = ""


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A chunk that a search found.

    ``dense`` is the cosine similarity to the query vector and ``lexical`` the BM25 score, each None if that half of
    the search did not run or did not find the chunk; higher is better for both. ``parent_start`` and ``parent_end`` are
    the span of the larger passage around the chunk, -1 if there is none.
    """

    chunk_id: str
    document_id: str
    generation: int
    text: str
    start: int
    end: int
    page: int | None
    heading: str
    dense: float | None = None
    lexical: float | None = None
    parent_start: int = -1
    parent_end: int = -1


class CurrentGenerations(dict[str, int]):
    """The generation that is read of each document, by id; never changed once it is made.

    A store may therefore cache data derived from one while the very same object is used.
    """

    __slots__ = ("__weakref__",)

    def _changed(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a Current is not to be changed: make another one")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _changed


@dataclass(frozen=True, slots=True)
class StaleChunks:
    """Chunks that no search shows: the generations of ``document_id`` below ``below``, except ``kept`` (0: no
    exception)."""

    document_id: str
    below: int
    kept: int = 0


class VectorStore(Protocol):
    """Chunks with vectors and full text, one table a collection.

    ``collection_id`` is the key of the collection's chunks: its ``table``, which equals its id until it is re-indexed.
    """

    async def write(self, collection_id: str, rows: Sequence[ChunkRow]) -> None:
        """Add rows; durable when it returns. Writing a ``chunk_id`` again replaces it (a retried ingest)."""
        ...

    async def delete(self, collection_id: str, document_id: str, generations: AnyCollection[int] | None = None) -> None:
        """Forget these generations of a document, all of them with None. Absent ones are no error."""
        ...

    async def forget(self, collection_id: str, stale: Sequence[StaleChunks]) -> None:
        """Delete the chunks of all ``stale`` in one go. Absent ones are no error."""
        ...

    async def vectors(self, collection_id: str, digests: AnyCollection[str]) -> dict[str, Any]:
        """A stored vector (float32, (dimensions,)) for each of ``digests`` that some row of the collection has, in any
        document and generation: known text is not embedded again."""
        ...

    async def read(self, collection_id: str, current: Mapping[str, int]) -> list[ChunkRow]:
        """The rows of these generations with their vectors, each document's in the order of its text. Takes some
        hundred documents at most."""
        ...

    async def search(
        self,
        collection_id: str,
        *,
        vector: Any | None = None,
        text: str | None = None,
        k: int,
        current: Mapping[str, int],
        effort: float = EFFORT,
        stages: Stages | None = None,
    ) -> list[SearchHit]:
        """The best ``k`` chunks by ``vector`` and the best ``k`` by ``text``, merged by ``chunk_id``.

        Only rows whose (document, generation) is in ``current`` are returned; an unknown collection has none.
        ``effort`` in [0, 1] trades time for recall of the search by vector, and at 1 that is exact; the search by words
        always is. Order is unspecified: fusion is the caller's. ``stages`` receives the duration of each half. Raises
        ``StoreError`` when the table is damaged.
        """
        ...

    async def settle(self, collection_id: str) -> None:
        """Index new rows and remove deleted ones. Searches are right without it, and slower."""
        ...

    async def purge(self, collection_id: str) -> None:
        """Remove deleted rows from the files and from their indexes. Searches continue during that time."""
        ...

    async def count(self, collection_id: str) -> int:
        """Rows of all generations; 0 for an unknown collection."""
        ...

    async def drop(self, collection_id: str) -> None:
        """Forget a whole collection. An absent one is no error."""
        ...

    async def close(self) -> None: ...
