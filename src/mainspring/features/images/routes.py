"""``POST /v1/images/generations``: OpenAI's request is read, and refused, since no model here makes images."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import UnknownModel
from mainspring.core.nearest import shown
from mainspring.core.types import Context
from mainspring.http.access import Access
from mainspring.http.bodies import Body
from mainspring.http.fields import Hint
from mainspring.http.request_body import JsonRoute

Unread = Annotated[Any, Hint("no model here makes images")]


class ImageBody(Body):
    """``POST /v1/images/generations``."""

    prompt: Annotated[str, Field(min_length=1, max_length=32_000)]
    model: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    background: Unread = None
    complexity: Unread = None
    frame_count: Unread = None
    frame_duration_ms: Unread = None
    moderation: Unread = None
    n: Unread = None
    output_compression: Unread = None
    output_format: Unread = None
    partial_images: Unread = None
    quality: Unread = None
    response_format: Unread = None
    safety_identifier: Unread = None
    size: Unread = None
    stream: Unread = None
    style: Unread = None
    svg: Unread = None
    user: Unread = None


def router(access: Access) -> APIRouter:
    """The route."""
    routes = APIRouter(route_class=JsonRoute, tags=["images"])
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("/v1/images/generations")
    async def generate(body: ImageBody, context: chats) -> HttpResponse:  # noqa: ARG001
        """Refused: no model here makes images."""
        named = "no model" if body.model is None else f"no model {shown(body.model)!r}"
        raise UnknownModel(
            f"{named} makes images here",
            remedy="Send the request to a provider of images; chat models here write SVG or Mermaid as text",
            param="model",
        )

    return routes
