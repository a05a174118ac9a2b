"""Where the documents of a vector store come from, for administrators: a location may be a path of this server."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from collections.abc import Sequence
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context, Principal
from mainspring.http.access import Access
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.stores.documents.sources import SourceRow


class Followed(Protocol):
    """The library."""

    async def sources(self, principal: Principal, name: str) -> Sequence[SourceRow]:
        """The sources of a collection. Raises ``NotFound``."""
        ...


def router(library: Followed, access: Access) -> APIRouter:
    """The route over the sources of collections."""
    routes = APIRouter(route_class=JsonRoute, tags=["vector stores"], prefix="/v1/vector_stores")
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.get("/{store_id}/sources")
    async def list_sources(store_id: str, context: admins) -> HttpResponse:
        """Where the documents come from, and when each source was followed last; `mainspring sync` follows them."""
        found = [source_body(each) for each in await library.sources(context.principal, store_id)]
        return json_response({"object": "list", "data": found, "has_more": False})

    return routes


def source_body(source: SourceRow) -> dict[str, Any]:
    """A source as JSON."""
    return {
        "id": source.id,
        "object": "vector_store.source",
        "kind": source.kind,
        "location": source.location,
        "created_at": source.created_at,
        "synced_at": source.synced_at,
        "error": source.error or None,
    }
