"""Routes of documents: files, and vector stores (collections) with their files and search."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, UploadFile
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.errors import InvalidRequest, MainspringError
from mainspring.gateway.access import Access
from mainspring.gateway.body import JsonRoute
from mainspring.gateway.respond import json_response
from mainspring.gateway.wire import Body
from mainspring.rag.library import Library
from mainspring.rag.retrieve import Hit
from mainspring.stores.collections import Collection, Document
from mainspring.stores.files import FileInfo, Files
from mainspring.types import Context

CONTENT: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}


class StoreBody(Body):
    """``POST /v1/vector_stores``. ``groups`` is an extension: who may see it (empty: the whole tenant)."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,127}$")]
    file_ids: Annotated[tuple[str, ...], Field(max_length=500)] = ()
    groups: Annotated[tuple[str, ...], Field(max_length=64)] = ()
    description: str | None = None
    metadata: dict[str, str] | None = None
    expires_after: None = None
    chunking_strategy: None = None


class StoreFileBody(Body):
    """``POST /v1/vector_stores/{id}/files``."""

    file_id: Annotated[str, Field(min_length=1, max_length=128)]
    attributes: None = None
    chunking_strategy: None = None


class SearchBody(Body):
    """``POST /v1/vector_stores/{id}/search``."""

    query: Annotated[str, Field(min_length=1, max_length=8192)]
    max_num_results: Annotated[int, Field(ge=1, le=50)] = 10
    filters: None = None
    ranking_options: None = None
    rewrite_query: Annotated[bool, Field(description="Only false is supported")] = False


def files_router(files: Files, access: Access) -> APIRouter:
    """The file routes over the file store."""
    routes = APIRouter(route_class=JsonRoute, tags=["files"], prefix="/v1/files")
    ingests = Annotated[Context, Depends(access("ingest"))]

    @routes.post("")
    async def upload(file: UploadFile, purpose: Annotated[str, Form()], context: ingests) -> HttpResponse:
        if not file.filename:
            raise InvalidRequest("the uploaded file has no name", param="file")
        data = await file.read()
        if not data:
            raise InvalidRequest("the uploaded file is empty", param="file")
        info = await files.add(context.principal.tenant, file.filename, data, purpose)
        return json_response(_file(info))

    @routes.get("")
    async def list_files(context: ingests) -> HttpResponse:
        found = await files.list(context.principal.tenant, groups=context.principal.groups)
        return json_response(_page([_file(info) for info in found]))

    @routes.get("/{file_id}")
    async def get_file(file_id: str, context: ingests) -> HttpResponse:
        return json_response(_file(await files.get(context.principal.tenant, file_id, groups=context.principal.groups)))

    @routes.get("/{file_id}/content", response_class=HttpResponse, responses=CONTENT)
    async def content(file_id: str, context: ingests) -> HttpResponse:
        data = await files.content(context.principal.tenant, file_id, groups=context.principal.groups)
        return HttpResponse(data, media_type="application/octet-stream")

    @routes.delete("/{file_id}")
    async def delete(file_id: str, context: ingests) -> HttpResponse:
        await files.delete(context.principal.tenant, file_id, groups=context.principal.groups)
        return json_response({"id": file_id, "object": "file", "deleted": True})

    return routes


def stores_router(library: Library, access: Access) -> APIRouter:
    """The vector store routes over the library."""
    routes = APIRouter(route_class=JsonRoute, tags=["vector stores"], prefix="/v1/vector_stores")
    ingests = Annotated[Context, Depends(access("ingest"))]
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("")
    async def create(body: StoreBody, context: ingests) -> HttpResponse:
        groups = frozenset(body.groups)
        if groups and not groups & context.principal.groups:
            raise InvalidRequest(
                "this key is in none of these groups and could not see the vector store",
                remedy="Use a key of one of them: `mainspring keys create NAME --scope ingest --group GROUP`",
                param="groups",
            )
        collection = await library.create(context.principal, body.name, groups)
        try:
            for file_id in body.file_ids:
                await library.attach(context.principal, collection.id, file_id)
        except MainspringError:
            await library.delete(context.principal, collection.id)
            raise
        return json_response(await _store(library, collection))

    @routes.get("")
    async def list_stores(context: chats) -> HttpResponse:
        found = await library.collections(context.principal)
        return json_response(_page([await _store(library, collection) for collection in found]))

    @routes.get("/{store_id}")
    async def get_store(store_id: str, context: chats) -> HttpResponse:
        return json_response(await _store(library, await library.get(context.principal, store_id)))

    @routes.delete("/{store_id}")
    async def delete(store_id: str, context: ingests) -> HttpResponse:
        await library.delete(context.principal, store_id)
        return json_response({"id": store_id, "object": "vector_store.deleted", "deleted": True})

    return routes


def documents_router(library: Library, access: Access) -> APIRouter:
    """The routes of what is in a vector store: its files, and search."""
    routes = APIRouter(route_class=JsonRoute, tags=["vector stores"], prefix="/v1/vector_stores")
    ingests = Annotated[Context, Depends(access("ingest"))]
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("/{store_id}/files")
    async def attach(store_id: str, body: StoreFileBody, context: ingests) -> HttpResponse:
        document = await library.attach(context.principal, store_id, body.file_id)
        return json_response(_document(store_id, document))

    @routes.get("/{store_id}/files")
    async def list_documents(store_id: str, context: chats) -> HttpResponse:
        documents = await library.documents(context.principal, store_id)
        return json_response(_page([_document(store_id, document) for document in documents]))

    @routes.get("/{store_id}/files/{file_id}")
    async def get_document(store_id: str, file_id: str, context: chats) -> HttpResponse:
        return json_response(_document(store_id, await library.document(context.principal, store_id, file_id)))

    @routes.delete("/{store_id}/files/{file_id}")
    async def detach(store_id: str, file_id: str, context: ingests) -> HttpResponse:
        await library.detach(context.principal, store_id, file_id)
        return json_response({"id": file_id, "object": "vector_store.file.deleted", "deleted": True})

    @routes.post("/{store_id}/search")
    async def search(store_id: str, body: SearchBody, context: chats) -> HttpResponse:
        if body.rewrite_query:
            raise InvalidRequest("rewrite_query is not supported", param="rewrite_query")
        hits = await library.search(context, store_id, body.query, body.max_num_results)
        page = _page([_hit(hit) for hit in hits])
        return json_response(
            page | {"object": "vector_store.search_results.page", "search_query": [body.query], "next_page": None}
        )

    return routes


def _page(data: list[dict[str, Any]]) -> dict[str, Any]:
    ids = [row.get("id") for row in data]
    return {
        "object": "list",
        "data": data,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
        "has_more": False,
    }


def _file(info: FileInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "object": "file",
        "bytes": info.bytes,
        "created_at": int(info.created_at),
        "filename": info.name,
        "purpose": info.purpose,
        "status": "processed",
        "sha256": info.sha256,
    }


async def _store(library: Library, collection: Collection) -> dict[str, Any]:
    documents = await library.of(collection)
    counts = dict.fromkeys(("in_progress", "completed", "failed", "cancelled"), 0)
    for document in documents:
        counts[document.status] += 1
    return {
        "id": collection.id,
        "object": "vector_store",
        "created_at": int(collection.created_at),
        "name": collection.name,
        "status": "in_progress" if counts["in_progress"] else "completed",
        "file_counts": counts | {"total": len(documents)},
        "usage_bytes": sum(document.chars for document in documents),
        "groups": sorted(collection.groups),
        "version": collection.version,
        "metadata": {},
        "last_active_at": int(collection.created_at),
    }


def _document(store_id: str, document: Document) -> dict[str, Any]:
    error = {"code": "unreadable_document", "message": document.error} if document.error else None
    return {
        "id": document.file_id or document.document_id,
        "object": "vector_store.file",
        "created_at": int(document.created_at),
        "vector_store_id": store_id,
        "status": document.status,
        "last_error": error,
        "usage_bytes": document.chars,
        "filename": document.name,
        "document_id": document.document_id,
        "chunks": document.chunks,
        "pages": document.pages,
    }


def _hit(hit: Hit) -> dict[str, Any]:
    return {
        "file_id": hit.document_id,
        "filename": hit.source,
        "score": hit.score,
        "attributes": {"page": hit.page, "heading": hit.heading, "start": hit.start, "end": hit.end},
        "content": [{"type": "text", "text": hit.text}],
    }
