"""Anthropic's routes over the same request ring: ``POST /v1/messages`` and ``/v1/messages/count_tokens``."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Protocol, runtime_checkable

from fastapi import APIRouter, Depends
from fastapi import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidSchema, NoRegion, Unsupported
from mainspring.core.path import Layer
from mainspring.core.settings import GatewaySettings
from mainspring.core.types import ChatRequest, Context, Request, Responder, Response
from mainspring.engines import ChatModel
from mainspring.http.access import Access
from mainspring.http.anthropic import encode
from mainspring.http.anthropic.requests import CountBody, MessagesBody
from mainspring.http.idempotency import Idempotency, IdempotencyKey, refuse_key
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import collected, head_headers, json_response, streamed
from mainspring.serving.admit import context_fit
from mainspring.serving.ring.registry import Registry

PREFIX = "/v1/messages"
STREAMS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}, **encode.ERRORS}


@runtime_checkable
class Counting(Protocol):
    """A responder that can tell how many tokens it would send to its engine."""

    async def prompt_tokens(self, request: ChatRequest) -> int: ...


class Placed(Layer):
    """Names the field at fault where no model is in the region of ``inference_geo``."""

    async def respond(self, request: Request, context: Context) -> Response:
        try:
            return await self.inner.respond(request, context)
        except NoRegion as error:
            told = f"inference_geo: {error.message}"
            raise NoRegion(told, remedy=error.remedy, param="inference_geo") from None


Applied = Callable[[ChatRequest, Context], Awaitable[ChatRequest]]
"""A request under the prompt of the registry that it, or the settings, name."""


class PromptCounter:
    """Counts the tokens that a request would send to its chat model, which is not asked."""

    def __init__(self, names: Registry, chat: Mapping[str, ChatModel], applied: Applied | None = None) -> None:
        self._names = names
        self._chat = chat
        self._applied = applied

    async def basis(self, request: Request, context: Context) -> str:
        """See ``Registry``."""
        return await self._names.basis(request, context)

    async def count(self, request: ChatRequest, context: Context) -> int:
        """Raises ``UnknownModel``, ``Unsupported`` for a model that is no chat model, and the model's refusals."""
        model, counting = await self._model(request, context)
        if self._applied is not None:
            request = await self._applied(request, context)
        context_fit.check(request, lambda _: model.engine.capabilities.context_window)
        try:
            return await counting.prompt_tokens(request)
        except InvalidSchema:
            # No grammar covers it, so the answer would be validated.
            return await counting.prompt_tokens(
                dataclasses.replace(request, sampling=dataclasses.replace(request.sampling, grammar=None))
            )

    async def window(self, request: ChatRequest, context: Context) -> int:
        """The context window of the request's model, in tokens. Raises ``UnknownModel`` and ``Unsupported``."""
        model, _ = await self._model(request, context)
        return model.engine.capabilities.context_window

    async def _model(self, request: ChatRequest, context: Context) -> tuple[ChatModel, Counting]:
        served = await self._names.find(request.model, context.principal)
        model = self._chat.get(served.name)
        if model is None or not isinstance(model.responder, Counting):
            raise Unsupported(
                f"{served.name} is not a chat model: its prompt is only known when it answers",
                remedy="Use a chat model; GET /v1/models lists them",
                param="model",
            )
        return model, model.responder


def router(
    responder: Responder,
    counter: PromptCounter,
    settings: GatewaySettings,
    access: Access,
    idempotency: Idempotency,
) -> APIRouter:
    """Both routes over ``responder``, the request ring."""
    routes = APIRouter(route_class=JsonRoute, tags=["generate"])
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post(PREFIX, responses=STREAMS)
    async def messages(
        http: HttpRequest, body: MessagesBody, context: chats, key: IdempotencyKey = None
    ) -> HttpResponse:
        request, context = body.request(settings.max_messages), body.placed(context)
        answering = Placed(responder) if body.inference_geo else responder
        if body.stream:
            refuse_key(key, "stream: true")
            trace_id = context.trace.trace_id
            return await streamed(
                http,
                answering.respond(request, context),
                lambda response: encode.stream(response, trace_id, body.shown),
                lambda error: encode.error_frame(error, trace_id),
                settings.heartbeat_s,
            )

        async def work() -> HttpResponse:
            answer = await collected(http, answering, request, context)
            return json_response(encode.message_body(answer, body.shown), head_headers(answer.head))

        basis = "" if key is None else await counter.basis(request, context)
        return await idempotency.once(key, "messages", [await http.body()], context, work, basis=basis)

    @routes.post(f"{PREFIX}/count_tokens", responses=encode.ERRORS)
    async def count_tokens(body: CountBody, context: chats) -> HttpResponse:
        return json_response({"input_tokens": await counter.count(body.request(settings.max_messages), context)})

    return routes
