"""Routes of batches of files of a vector store."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context
from mainspring.gateway.knowledge.bodies import FileBatchBody
from mainspring.gateway.knowledge.shapes import batch_body, document_body, missing_file
from mainspring.http.access import Access
from mainspring.http.idempotency import Idempotency, IdempotencyKey, makes
from mainspring.http.pages import AskedPage, cut, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.rag.library import Library
from mainspring.stores.documents.catalogue import Status
from mainspring.stores.documents.file_batches import PREFIX, FileBatch


def router(library: Library, access: Access, idempotency: Idempotency) -> APIRouter:
    """The routes of batches of files over the library."""
    routes = APIRouter(
        route_class=JsonRoute, tags=["vector stores"], prefix="/v1/vector_stores/{store_id}/file_batches"
    )
    ingests = Annotated[Context, Depends(access("ingest"))]
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("")
    async def create(
        http: HttpRequest, store_id: str, body: FileBatchBody, context: ingests, key: IdempotencyKey = None
    ) -> HttpResponse:
        """Files that are not there count as failed; the others are read."""
        wanted = body.attachments(context)
        collection = await library.get(context.principal, store_id)

        async def work() -> HttpResponse:
            return await told(await library.attaching.attach(context.principal, collection, wanted))

        async def told(batch: FileBatch) -> HttpResponse:
            found = await library.attaching.documents(context.principal, collection, batch)
            return json_response(batch_body(batch, found))

        async def shown(batch_id: str) -> HttpResponse:
            return await told(await library.attaching.batches.get(collection, batch_id))

        parts = [store_id.encode(), await http.body()]
        return await idempotency.once(key, "file_batches", parts, context, work, makes=makes(PREFIX, shown))

    @routes.get("/{batch_id}")
    async def get_batch(store_id: str, batch_id: str, context: chats) -> HttpResponse:
        collection = await library.get(context.principal, store_id)
        batch = await library.attaching.batches.get(collection, batch_id)
        return json_response(batch_body(batch, await library.attaching.documents(context.principal, collection, batch)))

    @routes.post("/{batch_id}/cancel")
    async def cancel(store_id: str, batch_id: str, context: ingests) -> HttpResponse:
        """Read no further file of it; those that were read stay."""
        collection = await library.get(context.principal, store_id)
        batch = await library.attaching.cancel(context.principal, collection, batch_id)
        return json_response(batch_body(batch, await library.attaching.documents(context.principal, collection, batch)))

    @routes.get("/{batch_id}/files")
    async def list_files(
        store_id: str,
        batch_id: str,
        context: chats,
        page: AskedPage,
        status: Annotated[Status | None, Query(alias="filter", description="Only files of this status")] = None,
    ) -> HttpResponse:
        collection = await library.get(context.principal, store_id)
        batch = await library.attaching.batches.get(collection, batch_id)
        found = await library.attaching.documents(context.principal, collection, batch)
        rows = [document_body(collection.id, each, library) for each in found]
        rows += [missing_file(batch, each) for each in batch.missing]
        return json_response(list_body(cut([each for each in rows if status in (None, each["status"])], page)))

    return routes
