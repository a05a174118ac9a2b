"""The locations of chunks: their documents' names, pages and headings, and their first words."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from mainspring.core.errors import NotFound
from mainspring.core.types import Principal
from mainspring.stores.documents.catalogue import Document
from mainspring.stores.documents.collections import Collection, Collections
from mainspring.stores.vectors.base import ChunkRow, VectorStore

# Documents of one answer, and characters of a beginning.
MOST, BEGINNING = 100, 240


@dataclass(frozen=True, slots=True)
class ChunkPlace:
    """A chunk's document in its current state; ``chunk`` is None if the document was read again and has other
    chunks."""

    collection: Collection
    document: Document
    chunk: ChunkRow | None = None

    def beginning(self) -> str:
        """The first words of the chunk."""
        return "" if self.chunk is None else textwrap.shorten(self.chunk.text, BEGINNING, placeholder=" …")


class Places:
    """Looks chunks up by id, for callers who may read them."""

    def __init__(self, collections: Collections, vectors: VectorStore) -> None:
        self._collections = collections
        self._vectors = vectors

    async def of(
        self, principal: Principal, within: Sequence[str], wanted: Mapping[str, AbstractSet[str]]
    ) -> dict[str, ChunkPlace]:
        """The places of chunks by id; ``wanted`` maps documents to chunks, ``within`` are the ids of their collections.
        Missing ones, and chunks that the principal may not see, are left out."""
        found: dict[str, ChunkPlace] = {}
        sought = sorted(wanted)[:MOST]
        for each in within:
            try:
                collection = await self._collections.get(principal.tenant, each, groups=principal.groups)
            except NotFound:
                continue
            documents = await self._collections.named(collection, sought, principal.groups)
            for name, document in documents.items():
                found |= dict.fromkeys(wanted[name], ChunkPlace(collection, document))
            current = {name: document.generation for name, document in documents.items() if document.generation}
            for row in await self._vectors.read(collection.table, current) if current else ():
                if row.chunk_id in wanted[row.document_id]:
                    found[row.chunk_id] = ChunkPlace(collection, documents[row.document_id], row)
        return found
