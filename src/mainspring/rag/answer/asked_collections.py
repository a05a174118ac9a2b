"""The collections in which a question is searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.core.errors import NotFound
from mainspring.core.types import Context
from mainspring.rag.search.retrieve import Retriever
from mainspring.stores.documents.catalogue import Document
from mainspring.stores.documents.collections import Collection, Collections


@dataclass(frozen=True, slots=True)
class ListedDocuments:
    """The ``documents`` of collections with these ``ids``."""

    ids: list[str]
    documents: list[Document]


async def listed(
    one: Collection | None, names: Sequence[str], collections: Collections, retriever: Retriever, context: Context
) -> ListedDocuments:
    """The documents of ``asked_collections`` that the asker may see; none if there is no collection and none is
    named."""
    try:
        chosen = await asked_collections(one, names, collections, retriever, context)
    except NotFound:
        if names:
            raise
        chosen = []
    found = [await collections.documents(each, context.principal.groups) for each in chosen]
    return ListedDocuments([each.id for each in chosen], [each for row in found for each in row])


async def asked_collections(
    one: Collection | None, names: Sequence[str], collections: Collections, retriever: Retriever, context: Context
) -> list[Collection]:
    """The collection ``one``, those with these ``names``, or all that the asker may see.

    Raises ``NotFound`` if the asker may not see one of them, and if there are none.
    """
    principal = context.principal
    if one is not None:
        if not one.visible_to(principal.groups) or one.tenant != principal.tenant:
            raise NotFound(f"there is no collection {one.name}")
        return [one]
    if names:
        return [await collections.get(principal.tenant, each, groups=principal.groups) for each in names]
    found = await collections.list(principal.tenant, groups=principal.groups)
    usable = [each for each in found if await retriever.embedders.has(each.embedder)]
    if not usable:
        raise NotFound("there are no documents to answer from", remedy="Run `mainspring ingest PATH` first")
    return usable
