"""The passages behind an answer, read again from the record of its retrieval."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.core.errors import NotFound
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.stores.documents.collections import Collections
from mainspring.stores.vectors.base import VectorStore


class Passages:
    """Reads them. The records hold no texts: nothing is found of a document that was changed or deleted since."""

    def __init__(self, collections: Collections, vectors: VectorStore) -> None:
        self._collections = collections
        self._vectors = vectors

    async def read(self, tenant: str, retrievals: Sequence[RetrievalFacts], most: int) -> list[str] | None:
        """The texts of the first ``most`` passages of these retrieval facts, best first, for work on behalf of the
        whole tenant; None if one of them no longer exists."""
        wanted: dict[str, str] = {}
        for facts in retrievals:
            for hit in facts.hits:
                # A quotation by the graph is no chunk.
                if hit.chunk_id:
                    wanted.setdefault(hit.chunk_id, hit.document_id)
        wanted = dict(list(wanted.items())[:most])
        texts: dict[str, str] = {}
        for name in sorted({each for facts in retrievals for each in facts.collections}):
            try:
                collection = await self._collections.known(tenant, name)
            except NotFound:
                continue
            found = await self._collections.named(collection, set(wanted.values()), None)
            current = {each.document_id: each.generation for each in found.values() if each.generation}
            rows = await self._vectors.read(collection.table, current) if current else []
            texts |= {row.chunk_id: row.text for row in rows if row.chunk_id in wanted}
        return [texts[each] for each in wanted] if texts.keys() == wanted.keys() else None
