"""Routes of a vector store's files."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Context
from mainspring.gateway.knowledge.bodies import StoreFileBody, StoreFileUpdateBody, visible_groups
from mainspring.gateway.knowledge.shapes import chunk_body, document_body, passage_body
from mainspring.http.access import Access, acting
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.rag.library import Library
from mainspring.stores.documents.catalogue import Status

Offset = Annotated[int, Query(ge=0, le=2**53, description="Characters of the parsed text, as citations count them")]
Around = Annotated[int, Query(ge=0, le=20_000, description="Characters to show on either side of the passage")]
Skipped = Annotated[int, Query(ge=0, le=10**7, description="Chunks to leave out at the beginning")]
MostChunks = Annotated[int, Query(ge=1, le=500)]


def router(library: Library, access: Access) -> APIRouter:
    """The routes of a vector store's files."""
    routes = APIRouter(route_class=JsonRoute, tags=["vector stores"], prefix="/v1/vector_stores")
    ingests = Annotated[Context, Depends(access("ingest"))]
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("/{store_id}/files")
    async def attach(store_id: str, body: StoreFileBody, context: ingests) -> HttpResponse:
        home = (await library.get(context.principal, store_id)).id
        wanted = body.attachment(context)
        document = await library.attach(
            context.principal, home, wanted.file_id, wanted.attributes, wanted.groups, wanted.chunking
        )
        return json_response(document_body(home, document, library))

    @routes.get("/{store_id}/files")
    async def list_documents(
        store_id: str,
        context: chats,
        page: AskedPage,
        status: Annotated[Status | None, Query(alias="filter", description="Only files of this status")] = None,
    ) -> HttpResponse:
        home = (await library.get(context.principal, store_id)).id
        found = await library.documents_page(context.principal, home, page, status)
        return json_response(list_body(found.map(lambda each: document_body(home, each, library))))

    @routes.get("/{store_id}/suggestions")
    async def suggestions(store_id: str, context: chats, limit: Annotated[int, Query(ge=1, le=20)] = 6) -> HttpResponse:
        """Questions that the documents may answer, by their headings."""
        found = await library.suggestions(context.principal, store_id, limit)
        rows = [{"object": "suggestion", "text": each} for each in found]
        return json_response({"object": "list", "data": rows, "has_more": False})

    @routes.get("/{store_id}/files/{file_id}")
    async def get_document(store_id: str, file_id: str, context: chats) -> HttpResponse:
        home = (await library.get(context.principal, store_id)).id
        return json_response(document_body(home, await library.document(context.principal, home, file_id), library))

    @routes.get("/{store_id}/files/{file_id}/content")
    async def content(
        store_id: str, file_id: str, context: chats, start: Offset = 0, end: Offset | None = None, around: Around = 0
    ) -> HttpResponse:
        found = await library.open_passage(context.principal, store_id, file_id, start, end, around)
        return json_response(passage_body(store_id, found))

    @routes.get("/{store_id}/files/{file_id}/chunks")
    async def chunks(
        store_id: str, file_id: str, context: chats, offset: Skipped = 0, limit: MostChunks = 100
    ) -> HttpResponse:
        """The chunks that the document was cut into, in the order of its text."""
        document, rows = await library.chunks(context.principal, store_id, file_id)
        data = [chunk_body(index, row) for index, row in enumerate(rows[offset : offset + limit], offset)]
        page = {"object": "list", "data": data, "has_more": offset + limit < len(rows), "total": len(rows)}
        return json_response({**page, "document_id": document.document_id, "filename": document.name})

    _changes(routes, library, access)
    return routes


def _changes(routes: APIRouter, library: Library, access: Access) -> None:
    """The routes that change a file of a vector store."""
    ingests = Annotated[Context, Depends(access("ingest"))]
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.post("/{store_id}/files/{file_id}")
    async def describe(store_id: str, file_id: str, body: StoreFileUpdateBody, context: ingests) -> HttpResponse:
        home = (await library.get(context.principal, store_id)).id
        given = body.model_fields_set
        if "attributes" not in given and body.groups is None:
            raise InvalidRequest("there is nothing to change", remedy="Send attributes or groups", param="attributes")
        attributes = (body.attributes or {}) if "attributes" in given else None
        groups = visible_groups(body.groups, context, "the file")
        document = await library.describe(context.principal, home, file_id, attributes, groups)
        return json_response(document_body(home, document, library))

    @routes.post("/{store_id}/files/{file_id}/release")
    async def release(store_id: str, file_id: str, context: admins) -> HttpResponse:
        """Let searches find a file that is quarantined."""
        home = (await library.get(context.principal, store_id)).id
        return json_response(document_body(home, await library.release(context.principal, home, file_id), library))

    @routes.post("/{store_id}/files/{file_id}/scan")
    async def scan(store_id: str, file_id: str, context: ingests) -> HttpResponse:
        """Screen a file for instructions again."""
        home = (await library.get(context.principal, store_id)).id
        return json_response(document_body(home, await library.scan(context.principal, home, file_id), library))

    @routes.delete("/{store_id}/files/{file_id}")
    async def detach(store_id: str, file_id: str, context: ingests) -> HttpResponse:
        await library.detach(context.principal, store_id, file_id, by=acting(context))
        return json_response({"id": file_id, "object": "vector_store.file.deleted", "deleted": True})
