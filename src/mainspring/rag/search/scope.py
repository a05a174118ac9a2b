"""The scope of a search: the documents of a collection that certain groups may read and a filter keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Collection as AnyCollection
from dataclasses import dataclass

from cachetools import LRUCache

from mainspring.rag.ingest.attributes import Attributes
from mainspring.rag.search.filters import Filter
from mainspring.stores.documents.catalogue import Document
from mainspring.stores.documents.collections import Collection, Collections
from mainspring.stores.vectors.base import CurrentGenerations

Groups = frozenset[str] | None
"""The groups of who asks; None is for maintenance and measurements."""
# The number of documents whose attributes are cached, and of filtered documents over all filters.
_DOCUMENTS = 500_000
_KEPT = 2_000_000


@dataclass(frozen=True, slots=True)
class _Known:
    """The documents of a collection at one version or a later one."""

    version: int
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Scope:
    """The generation to read of each document that may be searched."""

    collection: Collection
    current: CurrentGenerations


class Scopes:
    """Resolves scopes; remembers documents and filters per version of a collection."""

    def __init__(self, collections: Collections) -> None:
        self._collections = collections
        self._documents: LRUCache[tuple[str, str], _Known] = LRUCache(
            _DOCUMENTS, getsizeof=lambda known: max(1, len(known.attributes))
        )
        self._kept: LRUCache[tuple[str, str, int, str, int], tuple[CurrentGenerations, CurrentGenerations]] = LRUCache(
            _KEPT, getsizeof=lambda pair: max(1, len(pair[1]))
        )

    async def of(self, collection: Collection, groups: Groups, tree: Filter | None = None) -> Scope:
        """The scope of ``groups`` under the filter. Raises ``NotFound`` if the collection is gone."""
        current = await self._collections.current(collection, groups)
        if tree is None:
            return Scope(collection, current)
        version = self._collections.version(collection)
        key = (collection.tenant, collection.id, version, repr(tree), id(current))
        known = self._kept.get(key)
        if known is not None and known[0] is current:
            return Scope(collection, known[1])
        attributes = (await self._all(collection, version)).attributes
        kept = await asyncio.to_thread(_within, attributes, tree, current)
        if len(kept) <= _KEPT:
            self._kept[key] = (current, kept)
        return Scope(collection, kept)

    async def documents(self, collection: Collection, groups: Groups, tree: Filter | None = None) -> list[Document]:
        """The documents within the scope, by source key."""
        scope = await self.of(collection, groups, tree)
        known = await self._all(collection, self._collections.version(collection))
        found = (each for each in known.attributes.documents if each.document_id in scope.current)
        return sorted(found, key=lambda document: document.source_key)

    async def named(self, collection: Collection, wanted: AnyCollection[str], groups: Groups) -> dict[str, Document]:
        """The existing ones of the documents that ``groups`` may see, from the database."""
        return await self._collections.named(collection, wanted, groups)

    def version(self, collection: Collection) -> int:
        """The collection's newest known version, on which cached data depends."""
        return self._collections.version(collection)

    async def _all(self, collection: Collection, version: int) -> _Known:
        """All documents as of ``version`` or later. This does not decide who may see them."""
        key = (collection.tenant, collection.id)
        known = self._documents.get(key)
        if known is not None and known.version == version:
            return known
        changed = None if known is None else await self._collections.since(collection, known.version)
        if known is None or changed is None:
            found = await self._collections.documents(collection, None)
            attributes = Attributes({document.document_id: document for document in found})
        else:
            attributes = known.attributes
            await asyncio.to_thread(attributes.change, changed)
        known = _Known(version, attributes)
        if len(attributes) <= _DOCUMENTS:
            self._documents[key] = known
        return known


def _within(attributes: Attributes, tree: Filter, current: CurrentGenerations) -> CurrentGenerations:
    kept = attributes.matching(tree)
    return CurrentGenerations({name: current[name] for name in kept if name in current})
