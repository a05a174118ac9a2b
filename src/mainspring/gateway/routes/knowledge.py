"""Routes of documents: files, and vector stores (collections) with their files and search."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, UploadFile
from fastapi import Request as HttpRequest
from pydantic import Field, FiniteFloat, StrictBool, StrictInt
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidRequest, MainspringError
from mainspring.core.types import Context, real
from mainspring.http.access import Access, acting
from mainspring.http.bodies import AtMost, Body, Metadata
from mainspring.http.idempotency import Idempotency, IdempotencyKey
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.rag.answer.passage_view import PassageView
from mainspring.rag.ingest.intake import Intake
from mainspring.rag.library import Library
from mainspring.stores.documents.catalogue import Status
from mainspring.stores.documents.collections import Collection, Document, DocumentCounts
from mainspring.stores.documents.files import FileInfo, Files
from mainspring.stores.vectors.base import ChunkRow

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,127}$")]
# Strict, or true would become 1 and 1 "1".
Attribute = Annotated[str, Field(strict=True, max_length=512)] | StrictBool | StrictInt | FiniteFloat
Attributes = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=64)], Attribute], Field(max_length=16), AtMost(16)
]
Offset = Annotated[int, Query(ge=0, le=2**53, description="Characters of the parsed text, as citations count them")]
Around = Annotated[int, Query(ge=0, le=20_000, description="Characters to show on either side of the passage")]
Skipped = Annotated[int, Query(ge=0, le=10**7, description="Chunks to leave out at the beginning")]
MostChunks = Annotated[int, Query(ge=1, le=500)]
CONTENT: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}


Identifier = Annotated[str, Field(max_length=128)]
Group = Annotated[str, Field(max_length=128)]


class StoreBody(Body):
    """``POST /v1/vector_stores``. ``groups`` is an extension: who may see it (empty: the whole tenant)."""

    name: Name
    file_ids: Annotated[tuple[Identifier, ...], Field(max_length=500, fail_fast=True)] = ()
    groups: Annotated[tuple[Group, ...], Field(max_length=64, fail_fast=True)] = ()
    description: Annotated[str, Field(max_length=4096)] | None = None
    metadata: Metadata | None = None
    expires_after: None = None
    chunking_strategy: None = None


class StoreUpdateBody(Body):
    """``POST /v1/vector_stores/{id}``: fields that are absent or null stay."""

    name: Name | None = None
    metadata: Metadata | None = None
    expires_after: None = None


Named = Annotated[str, Field(min_length=1, max_length=128)]
Groups = Annotated[tuple[Named, ...], Field(max_length=64, fail_fast=True)]


class StoreFileBody(Body):
    """``POST /v1/vector_stores/{id}/files``. ``groups`` is an extension: who of those that see the vector store may see
    the file (empty: all; absent or null: as it was, and all for a new one)."""

    file_id: Annotated[str, Field(min_length=1, max_length=128)]
    attributes: Attributes | None = None
    groups: Groups | None = None
    chunking_strategy: None = None


class StoreFileUpdateBody(Body):
    """``POST /v1/vector_stores/{id}/files/{file_id}``: the attributes, and as an extension the groups, that the file
    has from now on. Absent fields stay."""

    attributes: Attributes | None = None
    groups: Groups | None = None


def files_router(files: Files, library: Library, access: Access, idempotency: Idempotency) -> APIRouter:
    """The file routes over the file store; the library deletes documents made from a file."""
    routes = APIRouter(route_class=JsonRoute, tags=["files"], prefix="/v1/files")
    ingests = Annotated[Context, Depends(access("ingest"))]

    @routes.post("")
    async def upload(
        http: HttpRequest,
        file: UploadFile,
        purpose: Annotated[str, Form(min_length=1, max_length=64)],
        context: ingests,
        key: IdempotencyKey = None,
    ) -> HttpResponse:
        if unknown := (await http.form()).keys() - {"file", "purpose"}:
            field = min(unknown)
            raise InvalidRequest(f"unknown field {field!r}", remedy="Send file and purpose", param=field)
        name = file.filename
        if not name:
            raise InvalidRequest("the uploaded file has no name", param="file")
        data = await file.read()
        if not data:
            raise InvalidRequest("the uploaded file is empty", param="file")
        principal = context.principal

        async def work() -> HttpResponse:
            return json_response(_file(await files.add(principal.tenant, name, data, purpose, principal.groups)))

        # The form as a whole is another one each time: its boundary is drawn by lot.
        body = (name.encode("utf-8", "replace"), purpose.encode("utf-8", "replace"), data)
        return await idempotency.once(key, "files", body, context, work)

    @routes.get("")
    async def list_files(
        context: ingests, page: AskedPage, purpose: Annotated[str | None, Query(max_length=64)] = None
    ) -> HttpResponse:
        principal = context.principal
        found = await files.page(principal.tenant, page, groups=principal.groups, purpose=purpose)
        return json_response(list_body(found.map(_file)))

    @routes.get("/{file_id}")
    async def get_file(file_id: str, context: ingests) -> HttpResponse:
        return json_response(_file(await files.get(context.principal.tenant, file_id, groups=context.principal.groups)))

    @routes.get("/{file_id}/content", response_class=HttpResponse, responses=CONTENT)
    async def content(file_id: str, context: ingests) -> HttpResponse:
        data = await files.content(context.principal.tenant, file_id, groups=context.principal.groups)
        return HttpResponse(data, media_type="application/octet-stream")

    @routes.delete("/{file_id}")
    async def delete(file_id: str, context: ingests) -> HttpResponse:
        await library.delete_file(context.principal, file_id, by=acting(context))
        return json_response({"id": file_id, "object": "file", "deleted": True})

    return routes


def stores_router(library: Library, access: Access, idempotency: Idempotency) -> APIRouter:
    """The vector store routes over the library."""
    routes = APIRouter(route_class=JsonRoute, tags=["vector stores"], prefix="/v1/vector_stores")
    ingests = Annotated[Context, Depends(access("ingest"))]
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("")
    async def create(http: HttpRequest, body: StoreBody, context: ingests, key: IdempotencyKey = None) -> HttpResponse:
        groups = _groups(body.groups, context, "the vector store") or frozenset()

        async def work() -> HttpResponse:
            collection = await library.create(
                context.principal, body.name, groups, metadata=body.metadata, description=body.description or ""
            )
            try:
                for file_id in body.file_ids:
                    await library.attach(context.principal, collection.id, file_id)
            except MainspringError:
                await library.delete(context.principal, collection.id, by=acting(context))
                raise
            return json_response(await _one(library, context, collection))

        return await idempotency.once(key, "vector_stores", [await http.body()], context, work)

    @routes.get("")
    async def list_stores(context: chats, page: AskedPage) -> HttpResponse:
        found = await library.collections_page(context.principal, page)
        tallies = await library.tallies(context.principal, found.rows)
        return json_response(list_body(found.map(lambda each: _store(each, tallies[each.id]))))

    @routes.get("/{store_id}")
    async def get_store(store_id: str, context: chats) -> HttpResponse:
        return json_response(await _one(library, context, await library.get(context.principal, store_id)))

    @routes.post("/{store_id}")
    async def update(store_id: str, body: StoreUpdateBody, context: ingests) -> HttpResponse:
        changed = await library.update(context.principal, store_id, name=body.name, metadata=body.metadata)
        return json_response(await _one(library, context, changed))

    @routes.delete("/{store_id}")
    async def delete(store_id: str, context: ingests) -> HttpResponse:
        await library.delete(context.principal, store_id, by=acting(context))
        return json_response({"id": store_id, "object": "vector_store.deleted", "deleted": True})

    return routes


def documents_router(library: Library, access: Access) -> APIRouter:
    """The routes of a vector store's files."""
    routes = APIRouter(route_class=JsonRoute, tags=["vector stores"], prefix="/v1/vector_stores")
    ingests = Annotated[Context, Depends(access("ingest"))]
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("/{store_id}/files")
    async def attach(store_id: str, body: StoreFileBody, context: ingests) -> HttpResponse:
        home = (await library.get(context.principal, store_id)).id
        groups = _groups(body.groups, context, "the file")
        document = await library.attach(context.principal, home, body.file_id, body.attributes, groups)
        return json_response(_document(home, document))

    @routes.get("/{store_id}/files")
    async def list_documents(
        store_id: str,
        context: chats,
        page: AskedPage,
        status: Annotated[Status | None, Query(alias="filter", description="Only files of this status")] = None,
    ) -> HttpResponse:
        home = (await library.get(context.principal, store_id)).id
        found = await library.documents_page(context.principal, home, page, status)
        return json_response(list_body(found.map(lambda each: _document(home, each, library.intake))))

    @routes.get("/{store_id}/suggestions")
    async def suggestions(store_id: str, context: chats, limit: Annotated[int, Query(ge=1, le=20)] = 6) -> HttpResponse:
        """Questions that the documents may answer, by their headings."""
        found = await library.suggestions(context.principal, store_id, limit)
        rows = [{"object": "suggestion", "text": each} for each in found]
        return json_response({"object": "list", "data": rows, "has_more": False})

    @routes.get("/{store_id}/files/{file_id}")
    async def get_document(store_id: str, file_id: str, context: chats) -> HttpResponse:
        home = (await library.get(context.principal, store_id)).id
        return json_response(_document(home, await library.document(context.principal, home, file_id), library.intake))

    @routes.get("/{store_id}/files/{file_id}/content")
    async def content(
        store_id: str, file_id: str, context: chats, start: Offset = 0, end: Offset | None = None, around: Around = 0
    ) -> HttpResponse:
        found = await library.open_passage(context.principal, store_id, file_id, start, end, around)
        return json_response(_passage(store_id, found))

    @routes.get("/{store_id}/files/{file_id}/chunks")
    async def chunks(
        store_id: str, file_id: str, context: chats, offset: Skipped = 0, limit: MostChunks = 100
    ) -> HttpResponse:
        """The chunks that the document was cut into, in the order of its text."""
        document, rows = await library.chunks(context.principal, store_id, file_id)
        data = [_chunk(index, row) for index, row in enumerate(rows[offset : offset + limit], offset)]
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
        groups = _groups(body.groups, context, "the file")
        document = await library.describe(context.principal, home, file_id, attributes, groups)
        return json_response(_document(home, document))

    @routes.post("/{store_id}/files/{file_id}/release")
    async def release(store_id: str, file_id: str, context: admins) -> HttpResponse:
        """Let searches find a file that is quarantined."""
        home = (await library.get(context.principal, store_id)).id
        return json_response(_document(home, await library.release(context.principal, home, file_id)))

    @routes.post("/{store_id}/files/{file_id}/scan")
    async def scan(store_id: str, file_id: str, context: ingests) -> HttpResponse:
        """Screen a file for instructions again."""
        home = (await library.get(context.principal, store_id)).id
        return json_response(_document(home, await library.scan(context.principal, home, file_id)))

    @routes.delete("/{store_id}/files/{file_id}")
    async def detach(store_id: str, file_id: str, context: ingests) -> HttpResponse:
        await library.detach(context.principal, store_id, file_id, by=acting(context))
        return json_response({"id": file_id, "object": "vector_store.file.deleted", "deleted": True})


def _groups(wanted: tuple[str, ...] | None, context: Context, what: str) -> frozenset[str] | None:
    """An access list. Raises ``InvalidRequest`` for one that would hide ``what`` from who gives it."""
    if wanted and not context.principal.groups.intersection(wanted):
        raise InvalidRequest(
            f"this key is in none of these groups and could not see {what}",
            remedy="Use a key of one of them: `mainspring keys create NAME --scope ingest --group GROUP`",
            param="groups",
        )
    return None if wanted is None else frozenset(wanted)


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
        "groups": sorted(real(info.groups)),
    }


async def _one(library: Library, context: Context, collection: Collection) -> dict[str, Any]:
    tallies = await library.tallies(context.principal, [collection])
    return _store(collection, tallies[collection.id])


def _store(collection: Collection, tally: DocumentCounts) -> dict[str, Any]:
    counts = {status: tally.counts.get(status, 0) for status in ("in_progress", "completed", "failed", "cancelled")}
    return {
        "id": collection.id,
        "object": "vector_store",
        "created_at": int(collection.created_at),
        "name": collection.name,
        "status": "in_progress" if counts["in_progress"] else "completed",
        "file_counts": counts | {"total": sum(counts.values())},
        "usage_bytes": tally.chars,
        "groups": sorted(collection.groups),
        "version": collection.version,
        "metadata": dict(collection.metadata),
        "description": collection.description,
        "last_active_at": int(collection.created_at),
    }


def _passage(store_id: str, found: PassageView) -> dict[str, Any]:
    """OpenAI's page of a file's content; from ``file_id`` on these are extensions."""
    document = found.document
    return {
        "object": "vector_store.file_content.page",
        "data": [{"type": "text", "text": found.text}],
        "has_more": found.end < found.length,
        "next_page": None,
        "file_id": document.file_id or document.document_id,
        "document_id": document.document_id,
        "vector_store_id": store_id,
        "filename": document.name,
        "attributes": dict(document.attributes),
        "start": found.start,
        "end": found.end,
        "before": found.before,
        "after": found.after,
        "length": found.length,
    }


def _chunk(index: int, row: ChunkRow) -> dict[str, Any]:
    parent = None if row.parent_start < 0 else {"start": row.parent_start, "end": row.parent_end}
    return {
        "object": "vector_store.file.chunk",
        "id": row.chunk_id,
        "index": index,
        "text": row.text,
        "start": row.start,
        "end": row.end,
        "page": row.page,
        "heading": row.heading,
        "parent": parent,
    }


def _progress(document: Document, intake: Intake | None) -> dict[str, Any] | None:
    """How far a file is that this server reads, or how many are before it."""
    if intake is None or document.status != "in_progress":
        return None
    if (reading := intake.reading(document.document_id)) is not None:
        return {"stage": reading.stage, "chunks_done": reading.done, "chunks_total": reading.total or None}
    if (ahead := intake.ahead(document.document_id)) is not None:
        return {"stage": "waiting", "files_ahead": ahead}
    return None


def _document(store_id: str, document: Document, intake: Intake | None = None) -> dict[str, Any]:
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
        "attributes": dict(document.attributes),
        "screening": document.screening or None,
        "findings": dict(document.findings),
        "groups": sorted(document.groups),
        "document_id": document.document_id,
        "chunks": document.chunks,
        "pages": document.pages,
        "progress": _progress(document, intake),
    }
