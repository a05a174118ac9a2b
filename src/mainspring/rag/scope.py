"""What a search may see: the documents of a collection that some groups may read and a filter keeps."""

from __future__ import annotations

from collections.abc import Collection as AnyCollection
from collections.abc import Mapping
from dataclasses import dataclass

from cachetools import LRUCache

from mainspring.rag.filters import Filter, reader
from mainspring.stores.collections import Collection, Collections
from mainspring.stores.documents import Document

Groups = frozenset[str] | None
"""The groups of who asks; None is for maintenance and measurements."""
# Documents whose attributes are kept in memory, and documents that filters kept, of all filters together.
_DOCUMENTS = 200_000
_KEPT = 2_000_000


@dataclass(frozen=True, slots=True)
class Scope:
    """The generation to read of each document that may be searched."""

    collection: Collection
    current: Mapping[str, int]


class Scopes:
    """Resolves scopes; remembers documents and filters per version of a collection."""

    def __init__(self, collections: Collections) -> None:
        self._collections = collections
        self._documents: LRUCache[tuple[str, str], tuple[int, dict[str, Document]]] = LRUCache(
            _DOCUMENTS, getsizeof=lambda entry: max(1, len(entry[1]))
        )
        self._kept: LRUCache[tuple[str, str, int, str], frozenset[str]] = LRUCache(
            _KEPT, getsizeof=lambda kept: max(1, len(kept))
        )

    async def of(self, collection: Collection, groups: Groups, tree: Filter | None = None) -> Scope:
        """The scope of ``groups`` under the filter. Raises ``NotFound`` where the collection is gone."""
        current = await self._collections.current(collection, groups)
        if tree is None:
            return Scope(collection, current)
        version = self._collections.version(collection)
        key = (collection.tenant, collection.id, version, repr(tree))
        kept = self._kept.get(key)
        if kept is None:
            documents = await self._all(collection, version)
            kept = frozenset(
                name for name, document in documents.items() if tree.matches(reader(document, document.attributes))
            )
            if len(kept) <= _KEPT:
                self._kept[key] = kept
        return Scope(collection, {name: generation for name, generation in current.items() if name in kept})

    async def documents(self, collection: Collection, groups: Groups, tree: Filter | None = None) -> list[Document]:
        """The documents within the scope, by source key."""
        scope = await self.of(collection, groups, tree)
        documents = await self._all(collection, self._collections.version(collection))
        return [document for name, document in documents.items() if name in scope.current]

    async def named(self, collection: Collection, wanted: AnyCollection[str], groups: Groups) -> dict[str, Document]:
        """Those of the documents that there are and that ``groups`` may see, as the database has them now."""
        return await self._collections.named(collection, wanted, groups)

    def version(self, collection: Collection) -> int:
        """The collection's newest known version: what is remembered about it hangs on that."""
        return self._collections.version(collection)

    async def _all(self, collection: Collection, version: int) -> dict[str, Document]:
        """All documents as of ``version`` or later. Who may see them is not decided here."""
        key = (collection.tenant, collection.id)
        known = self._documents.get(key)
        if known is None or known[0] != version:
            found = await self._collections.documents(collection, None)
            known = (version, {document.document_id: document for document in found})
            if len(known[1]) <= _DOCUMENTS:
                self._documents[key] = known
        return known[1]
