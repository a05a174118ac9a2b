"""Collections and their documents as resources: listed and read as far as the caller may see them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import mcp.types as types

from mainspring.core.errors import Conflict, InvalidRequest, NotFound
from mainspring.features.mcp.server import uris
from mainspring.features.mcp.server.offers import Call, Offer, Page
from mainspring.rag.library import Library
from mainspring.stores.documents.collections import Collection, Document
from mainspring.stores.sql import pages

_TEXT = "text/plain"
_JSON = "application/json"
MAX_NAMES = 500


class Documents(Offer):
    """The documents of the library. A list has the collections in the order of their age, each followed by its
    documents; ``page`` is the most of one answer."""

    def __init__(self, library: Library, page: int) -> None:
        self._library = library
        self._page = page

    async def resources(self, call: Call, cursor: str | None) -> Page:
        who = call.context.principal
        at, _, after = (cursor or "").partition("|")
        if not at or not after:
            # At the beginning of a collection: itself, then its documents.
            found = await self._library.collections_page(who, pages.Page(1, "asc", after=at or None))
            if not found.rows:
                return (), None
            collection = found.rows[0]
            documents = await self._documents(call, collection, None, self._page - 1)
            listed = [_collection(collection), *(_document(collection, each) for each in documents.rows if _open(each))]
        else:
            collection = await self._library.get(who, at)
            documents = await self._documents(call, collection, after, self._page)
            listed = [_document(collection, each) for each in documents.rows if _open(each)]
        if documents.more and documents.rows:
            return listed, f"{collection.id}|{documents.rows[-1].document_id}"
        return listed, collection.id if await self._another(call, collection) else None

    async def _documents(
        self, call: Call, collection: Collection, after: str | None, limit: int
    ) -> pages.Slice[Document]:
        if not limit:
            return pages.Slice((), True)
        page = pages.Page(limit, "asc", after=after)
        return await self._library.documents_page(call.context.principal, collection.id, page, "completed")

    async def _another(self, call: Call, collection: Collection) -> bool:
        found = await self._library.collections_page(call.context.principal, pages.Page(1, "asc", after=collection.id))
        return bool(found.rows)

    async def templates(self, call: Call) -> Sequence[types.ResourceTemplate]:  # noqa: ARG002
        return (
            types.ResourceTemplate(
                name="collection",
                title="A collection",
                uri_template=uris.COLLECTION,
                description="What a collection is, and how many documents it has. By id or name.",
                mime_type=_JSON,
            ),
            types.ResourceTemplate(
                name="document",
                title="A document",
                uri_template=uris.DOCUMENT,
                description="The text of a document, or the characters from start to end of it.",
                mime_type=_TEXT,
            ),
        )

    async def read(self, call: Call, params: types.ReadResourceRequestParams) -> types.ReadResourceResult | None:
        uri = str(params.uri)
        place = uris.parse(uri)
        if place is None:
            return None
        who = call.context.principal
        if not place.document:
            collection = await self._library.get(who, place.collection)
            tally = (await self._library.tallies(who, [collection]))[collection.id]
            about = {
                "id": collection.id,
                "name": collection.name,
                "description": collection.description,
                "documents": tally.counts.get("completed", 0),
                "characters": tally.chars,
                "version": collection.version,
                "metadata": dict(collection.metadata),
            }
            return _result(types.TextResourceContents(uri=uri, mime_type=_JSON, text=json.dumps(about)))
        document = await self._library.document(who, place.collection, place.document)
        if not _open(document):
            raise Conflict(f"{document.name} is quarantined: it has instructions in it", remedy="Have it released")
        found = await self._library.open_passage(who, place.collection, place.document, place.start, place.end, 0)
        whole = {"start": found.start, "end": found.end, "length": found.length}
        return _result(types.TextResourceContents(uri=uri, mime_type=_TEXT, text=found.text, _meta=whole))

    async def version(self, call: Call, uri: str) -> str | None:
        try:
            place = uris.parse(uri)
            if place is None:
                return None
            collection = await self._library.get(call.context.principal, place.collection)
            if not place.document:
                return f"{collection.version}"
            document = await self._library.document(call.context.principal, place.collection, place.document)
        except (NotFound, InvalidRequest):
            return None
        return f"{document.generation} {document.text_blob} {document.screening}"

    async def complete(self, call: Call, params: types.CompleteRequestParams) -> Sequence[str] | None:
        if not isinstance(params.ref, types.ResourceTemplateReference):
            return None
        if params.ref.uri not in (uris.COLLECTION, uris.DOCUMENT):
            return None
        begun, who = params.argument.value.lower(), call.context.principal
        if params.argument.name == "collection":
            found = [each.name for each in await self._library.collections(who)]
        elif params.argument.name == "document":
            home = (params.context.arguments or {}).get("collection", "") if params.context else ""
            if not home:
                return ()
            page = pages.Page(MAX_NAMES, "asc")
            listed = await self._library.documents_page(who, home, page, "completed")
            found = [_id(each) for each in listed.rows if each.name.lower().startswith(begun)]
            begun = ""
        else:
            return ()
        return [each for each in dict.fromkeys(found) if each.lower().startswith(begun)]


def _open(document: Document) -> bool:
    return document.screening != "quarantined"


def _id(document: Document) -> str:
    return document.file_id or document.document_id


def _collection(collection: Collection) -> types.Resource:
    return types.Resource(
        name=collection.name,
        uri=uris.collection_uri(collection.id),
        description=collection.description or f"The collection {collection.name}",
        mime_type=_JSON,
    )


def _document(collection: Collection, document: Document) -> types.Resource:
    return types.Resource(
        name=document.name,
        uri=uris.document_uri(collection.id, _id(document)),
        description=f"{document.name} of the collection {collection.name}",
        mime_type=_TEXT,
        size=document.chars,
    )


def _result(contents: types.TextResourceContents) -> types.ReadResourceResult:
    return types.ReadResourceResult(contents=[contents])
