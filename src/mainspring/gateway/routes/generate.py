"""Routes of chats and of models."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import UnknownModel
from mainspring.core.settings import GatewaySettings
from mainspring.core.types import Context, Responder, Response
from mainspring.http.access import Access, consenting
from mainspring.http.anthropic import models as anthropic_models
from mainspring.http.idempotency import Idempotency, IdempotencyKey, refuse_key
from mainspring.http.openai import encode
from mainspring.http.openai.chat_messages import custom_calls, with_custom
from mainspring.http.openai.requests import ChatBody
from mainspring.http.pages import Cursor
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import Storing, collected, head_headers, json_response, streamed
from mainspring.serving.ring.registry import Registry, Served

if TYPE_CHECKING:
    from mainspring.engines.catalogue.larger_model import Progress

STREAMS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}


Stage = Literal["active", "deprecated", "retired"]
Stages = Annotated[Annotated[list[Stage], Field(max_length=3, fail_fast=True)] | None, Query(alias="lifecycle[]")]
"""The stages of models that Anthropic's clients ask for; all that are served are active."""


def router(
    responder: Responder,
    models: Registry,
    settings: GatewaySettings,
    access: Access,
    idempotency: Idempotency,
    stored: Storing | None = None,
) -> APIRouter:
    """The generating routes over one responder, the request ring; chat completions may be ``stored``."""
    routes = APIRouter(route_class=JsonRoute, tags=["generate"])
    chats = Annotated[Context, Depends(access("chat"))]

    def stream(
        http: HttpRequest, asked: Awaitable[Response], kind: encode.Kind, usage: bool
    ) -> Awaitable[HttpResponse]:
        frames = partial(encode.stream, kind=kind, include_usage=usage)
        return streamed(http, asked, frames, encode.error_frame, settings.heartbeat_s)

    @routes.post("/v1/chat/completions", responses=STREAMS)
    async def chat_completions(
        http: HttpRequest, body: ChatBody, context: chats, key: IdempotencyKey = None
    ) -> HttpResponse:
        request = body.request(settings.max_messages)
        context = consenting(context, body.metadata)
        asked = stored(responder, body.metadata or {}) if body.store and stored is not None else responder
        if body.stream:
            refuse_key(key, "stream: true")
            begun = asked.respond(request, context)
            shown = _custom(begun, body.custom) if body.custom else begun
            return await stream(http, shown, body.kind, body.wants_usage)
        if not request.store:
            refuse_key(key, "store: false")

        async def work() -> HttpResponse:
            answer = await collected(http, asked, request, context)
            told = encode.chat_body(answer, body.kind)
            return json_response(with_custom(told, body.custom), head_headers(answer.head))

        basis = "" if key is None else await models.basis(request, context)
        return await idempotency.once(key, "chat", [await http.body()], context, work, basis=basis)

    _list_models(routes, models, access)
    return routes


async def _custom(asked: Awaitable[Response], names: frozenset[str]) -> Response:
    """The response with the calls of tools of free text in one piece each."""
    return (await asked).through(lambda events: custom_calls(events, names))


def _list_models(routes: APIRouter, models: Registry, access: Access) -> None:
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.get("/v1/models")
    async def list_models(
        http: HttpRequest,
        context: chats,
        limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
        after_id: Cursor = None,
        before_id: Cursor = None,
        lifecycle: Stages = None,
    ) -> HttpResponse:
        """In Anthropic's shape, and in pages, for clients that send ``anthropic-version``."""
        served = await models.models(context.principal)
        if lifecycle and "active" not in lifecycle:
            # Names that are no longer served are not listed.
            served = []
        if anthropic_models.VERSION in http.headers:
            return json_response(anthropic_models.models_body(served, limit, after_id, before_id))
        body: dict[str, object] = {"object": "list", "data": [_model_body(model) for model in served]}
        if coming := [_coming_body(each()) for each in models.coming.values()]:
            body["coming"] = coming
        return json_response(body)

    @routes.get("/v1/models/{name:path}")
    async def get_model(http: HttpRequest, name: str, context: chats) -> HttpResponse:
        shape = anthropic_models.model_body if anthropic_models.VERSION in http.headers else _model_body
        for model in await models.models(context.principal):
            if model.name == name:
                return json_response(shape(model))
        raise UnknownModel(f"no model named {name!r} is served", remedy="GET /v1/models lists them", param="model")


def _model_body(model: Served) -> dict[str, object]:
    return {
        "id": model.name,
        "object": "model",
        "created": model.created,
        "owned_by": "mainspring",
        "kind": model.kind,
    }


def _coming_body(model: "Progress") -> dict[str, object]:
    fields = ("state", "stage", "done", "total", "detail")
    return {"id": model.name, **{name: getattr(model, name) for name in fields}}
