"""Routes of a vector store's sources, for administrators: a location may be a path of this server."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context
from mainspring.http.access import Access
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.rag.connect.running_syncs import Sync
from mainspring.rag.library import Library
from mainspring.stores.documents.sources import SourceRow


def router(library: Library, access: Access) -> APIRouter:
    """The route over the sources of collections."""
    routes = APIRouter(route_class=JsonRoute, tags=["vector stores"], prefix="/v1/vector_stores")
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.get("/{store_id}/sources")
    async def list_sources(store_id: str, context: admins) -> HttpResponse:
        """The sources of the documents, with the time of the last sync and the progress of a
        running one."""
        tenant = context.principal.tenant
        found = await library.sources(context.principal, store_id)
        data = [source_body(each, await library.syncs.of(tenant, each.id)) for each in found]
        return json_response({"object": "list", "data": data, "has_more": False})

    @routes.post("/{store_id}/sources/{source_id}/sync", status_code=202)
    async def sync(store_id: str, source_id: str, context: admins) -> HttpResponse:
        """Sync a source in the background: changed documents are read, missing ones are deleted. If a sync is running,
        it is returned."""
        source, begun = await library.begin_sync(context.principal, store_id, source_id)
        return json_response(source_body(source, begun), status=202)

    return routes


def source_body(source: SourceRow, sync: Sync | None = None) -> dict[str, Any]:
    """A source as JSON, with the sync that follows it or did last."""
    return {
        "id": source.id,
        "object": "vector_store.source",
        "kind": source.kind,
        "location": source.location,
        "created_at": source.created_at,
        "synced_at": source.synced_at,
        "error": source.error or None,
        "sync": None if sync is None else sync_body(sync),
    }


def sync_body(sync: Sync) -> dict[str, Any]:
    """A sync as JSON; ``report`` once it is done."""
    return {
        "state": sync.state,
        "began_at": sync.began_at,
        "ended_at": sync.ended_at,
        "done": sync.done,
        "total": sync.total,
        "error": sync.error or None,
        "report": sync.report,
    }
