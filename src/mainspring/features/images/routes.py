"""``/v1/images``: OpenAI's requests are read, and refused, since no model on this server generates images."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import UnknownModel
from mainspring.core.nearest import shown
from mainspring.core.types import Context
from mainspring.http.access import Access
from mainspring.http.bodies import Body
from mainspring.http.fields import Hint
from mainspring.http.request_body import JsonRoute

Unread = Annotated[Any, Hint("no model on this server generates images")]


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


class VariationForm(Body):
    """``POST /v1/images/variations``. Several images are sent as fields ``image[]``."""

    image: Unread = None
    images: Annotated[Any, Hint("no model on this server generates images"), Field(alias="image[]")] = None
    model: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    n: Unread = None
    response_format: Unread = None
    size: Unread = None
    user: Unread = None


class EditForm(VariationForm):
    """``POST /v1/images/edits``."""

    prompt: Unread = None
    background: Unread = None
    complexity: Unread = None
    frame_count: Unread = None
    frame_duration_ms: Unread = None
    input_fidelity: Unread = None
    markup: Unread = None
    mask: Unread = None
    output_compression: Unread = None
    output_format: Unread = None
    partial_images: Unread = None
    quality: Unread = None
    safety_identifier: Unread = None
    stream: Unread = None
    svg: Unread = None


def router(access: Access) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=JsonRoute, tags=["images"])
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("/v1/images/generations")
    async def generate(body: ImageBody, context: chats) -> HttpResponse:  # noqa: ARG001
        """Always refused: no model on this server generates images."""
        raise _refusal(body.model)

    @routes.post("/v1/images/edits")
    async def edit(
        form: Annotated[EditForm, Form(media_type="multipart/form-data")],
        context: chats,  # noqa: ARG001
    ) -> HttpResponse:
        """Always refused: no model on this server generates images."""
        raise _refusal(form.model)

    @routes.post("/v1/images/variations")
    async def vary(
        form: Annotated[VariationForm, Form(media_type="multipart/form-data")],
        context: chats,  # noqa: ARG001
    ) -> HttpResponse:
        """Always refused: no model on this server generates images."""
        raise _refusal(form.model)

    return routes


def _refusal(model: str | None) -> UnknownModel:
    named = "no model" if model is None else f"no model {shown(model)!r}"
    return UnknownModel(
        f"{named} makes images here",
        remedy="Send the request to a provider of images; chat models here write SVG or Mermaid as text",
        param="model",
    )
