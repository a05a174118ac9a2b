"""Pages of the originals of documents, as pictures."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi import Path as PathParameter
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context
from mainspring.http.access import Access
from mainspring.http.request_body import JsonRoute
from mainspring.rag.library import Library

PageNumber = Annotated[int, PathParameter(ge=1, le=10**6)]
Marked = Annotated[int | None, Query(ge=0, le=2**53, description="Character position of the passage to mark")]
PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}


def router(library: Library, access: Access) -> APIRouter:
    """The route over the library's originals."""
    routes = APIRouter(route_class=JsonRoute, tags=["vector stores"], prefix="/v1/vector_stores")
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.get("/{store_id}/files/{file_id}/pages/{page}", response_class=HttpResponse, responses=PICTURE)
    async def picture(
        store_id: str, file_id: str, page: PageNumber, context: chats, start: Marked = None, end: Marked = None
    ) -> HttpResponse:
        """A page of a PDF as an image with a marked passage, if the original is stored."""
        drawn = await library.open_page(context.principal, store_id, file_id, page, start, end)
        told = {"cache-control": "private, no-store", "x-pages": str(drawn.pages), "x-marks": str(drawn.marked)}
        return HttpResponse(drawn.png, media_type="image/png", headers=told)

    return routes
