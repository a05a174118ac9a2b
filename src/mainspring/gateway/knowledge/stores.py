"""Routes of vector stores: collections."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import NotFound
from mainspring.core.types import Context
from mainspring.gateway.knowledge.bodies import (
    StoreBody,
    StoreUpdateBody,
    expires_days,
    own_chunking,
    visible_groups,
)
from mainspring.gateway.knowledge.shapes import store_body
from mainspring.http.access import Access, acting
from mainspring.http.idempotency import Idempotency, IdempotencyKey, makes
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.rag.attaching import Attachment
from mainspring.rag.library import Library
from mainspring.stores.documents.collections import PREFIX, Collection


def router(library: Library, access: Access, idempotency: Idempotency) -> APIRouter:
    """The vector store routes over the library."""
    routes = APIRouter(route_class=JsonRoute, tags=["vector stores"], prefix="/v1/vector_stores")
    ingests = Annotated[Context, Depends(access("ingest"))]
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("")
    async def create(http: HttpRequest, body: StoreBody, context: ingests, key: IdempotencyKey = None) -> HttpResponse:
        groups = visible_groups(body.groups, context, "the vector store") or frozenset()
        body.check_embedder(library.search.embedder.name, library.search.embedder.dimensions)
        own = own_chunking(body.chunking_strategy)
        wanted = [Attachment(each, chunking=own) for each in body.file_ids]

        async def work() -> HttpResponse:
            collection = await library.create(
                context.principal,
                body.name,
                groups,
                metadata=body.metadata,
                description=body.description or "",
                expires_days=expires_days(body),
            )
            if wanted:
                await _attach_all(library, context, collection, wanted)
            return json_response(await _one(library, context, collection))

        async def shown(store_id: str) -> HttpResponse:
            collection = await library.get(context.principal, store_id)
            one = await _one(library, context, collection)
            if wanted and not one["file_counts"]["total"]:
                await _attach_all(library, context, collection, wanted)
                one = await _one(library, context, collection)
            return json_response(one)

        return await idempotency.once(
            key, "vector_stores", [await http.body()], context, work, makes=makes(PREFIX, shown)
        )

    @routes.get("")
    async def list_stores(context: chats, page: AskedPage) -> HttpResponse:
        found = await library.collections_page(context.principal, page)
        tallies = await library.tallies(context.principal, found.rows)
        return json_response(list_body(found.map(lambda each: store_body(each, tallies[each.id]))))

    @routes.get("/{store_id}")
    async def get_store(store_id: str, context: chats) -> HttpResponse:
        return json_response(await _one(library, context, await library.get(context.principal, store_id)))

    _changes(routes, library, ingests)
    return routes


def _changes(routes: APIRouter, library: Library, ingests: Any) -> None:
    @routes.post("/{store_id}")
    async def update(store_id: str, body: StoreUpdateBody, context: ingests) -> HttpResponse:
        kept = "expires_after" not in body.model_fields_set
        changed = await library.update(
            context.principal,
            store_id,
            name=body.name,
            metadata=body.metadata,
            expires_days="kept" if kept else expires_days(body),
        )
        return json_response(await _one(library, context, changed))

    @routes.delete("/{store_id}")
    async def delete(store_id: str, context: ingests) -> HttpResponse:
        await library.delete(context.principal, store_id, by=acting(context))
        return json_response({"id": store_id, "object": "vector_store.deleted", "deleted": True})


async def _attach_all(library: Library, context: Context, collection: Collection, wanted: list[Attachment]) -> None:
    """Attach the first files of a vector store, which is deleted if it cannot have all of them."""
    try:
        batch = await library.attaching.attach(context.principal, collection, wanted)
        if batch.missing:
            raise NotFound(f"there is no file {batch.missing[0]}", remedy="GET /v1/files lists them", param="file_ids")
    except Exception:
        await library.delete(context.principal, collection.id, by=acting(context))
        raise


async def _one(library: Library, context: Context, collection: Collection) -> dict[str, Any]:
    tallies = await library.tallies(context.principal, [collection])
    return store_body(collection, tallies[collection.id])
