"""What a vector store is: rows of chunks under document generations, and hybrid search over the current ones.

The store keeps every generation that was written. Which one of a document is visible is decided by the SQL
commit of ``Documents.publish``: each search takes the mapping ``current`` and joins its hits to it, so a half
written generation is never seen and a superseded one vanishes at once.
"""

from __future__ import annotations

from collections.abc import Collection as AnyCollection
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """One chunk to be stored.

    ``start`` and ``end`` are character offsets into the document's parsed text, and ``text`` is exactly that
    span; ``page`` counts from 1 (None where the format has no pages); ``vector`` is a float32 array
    (dimensions,), L2-normalised. ``chunk_id`` is unique within a collection and holds the generation.
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


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A chunk that a search found.

    ``dense`` is the cosine similarity to the query vector and ``lexical`` the BM25 score, each None where that
    half of the search did not run or did not find the chunk; higher is better for both.
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


class VectorStore(Protocol):
    """Chunks with vectors and full text, one table a collection."""

    async def write(self, collection_id: str, rows: Sequence[ChunkRow]) -> None:
        """Add rows; durable when it returns. Writing a ``chunk_id`` again replaces it (a retried ingest)."""
        ...

    async def delete(self, collection_id: str, document_id: str, generations: AnyCollection[int] | None = None) -> None:
        """Forget these generations of a document, all of them with None. Absent ones are no error."""
        ...

    async def search(
        self,
        collection_id: str,
        *,
        vector: Any | None = None,
        text: str | None = None,
        k: int,
        current: Mapping[str, int],
    ) -> list[SearchHit]:
        """The best ``k`` chunks by ``vector`` and the best ``k`` by ``text``, merged by ``chunk_id``.

        Only rows whose (document, generation) is in ``current`` are returned; an unknown collection has none.
        Order is unspecified: fusion is the caller's. Raises ``StoreError`` when the table is damaged.
        """
        ...

    async def settle(self, collection_id: str) -> None:
        """Index what was written and forget what was deleted. Searches are right without it, and slower."""
        ...

    async def drop(self, collection_id: str) -> None:
        """Forget a whole collection. An absent one is no error."""
        ...

    async def close(self) -> None: ...
