"""Routes that generate or embed: chat completions, completions, embeddings, models."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import dataclasses
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import UnknownModel, Unsupported
from mainspring.core.path import Answer, together
from mainspring.core.settings import GatewaySettings
from mainspring.core.types import Context, Request, Responder
from mainspring.http.access import Access, consenting
from mainspring.http.idempotency import Idempotency, IdempotencyKey, refuse_key
from mainspring.http.openai import encode
from mainspring.http.openai.requests import ChatBody
from mainspring.http.openai.text_requests import CompletionBody, EmbeddingBody, RerankBody
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import collected, head_headers, json_response, streamed
from mainspring.serving.ring.registry import ModelArrival, Registry, Served

STREAMS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}


def router(
    responder: Responder, models: Registry, settings: GatewaySettings, access: Access, idempotency: Idempotency
) -> APIRouter:
    """The generating routes over one responder: the request ring."""
    routes = APIRouter(route_class=JsonRoute, tags=["generate"])
    chats = Annotated[Context, Depends(access("chat"))]

    def stream(
        http: HttpRequest, request: Request, context: Context, kind: encode.Kind, usage: bool
    ) -> Awaitable[HttpResponse]:
        frames = partial(encode.stream, kind=kind, include_usage=usage)
        return streamed(http, responder.respond(request, context), frames, encode.error_frame, settings.heartbeat_s)

    @routes.post("/v1/chat/completions", responses=STREAMS)
    async def chat_completions(
        http: HttpRequest, body: ChatBody, context: chats, key: IdempotencyKey = None
    ) -> HttpResponse:
        request = body.request(settings.max_messages)
        context = consenting(context, body.metadata)
        if body.stream:
            refuse_key(key, "stream: true")
            return await stream(http, request, context, body.kind, body.wants_usage)
        if not request.store:
            refuse_key(key, "store: false")

        async def work() -> HttpResponse:
            answer = await collected(http, responder, request, context)
            return json_response(encode.chat_body(answer, body.kind), head_headers(answer.head))

        basis = "" if key is None else await models.basis(request, context)
        return await idempotency.once(key, "chat", [await http.body()], context, work, basis=basis)

    @routes.post("/v1/completions", responses=STREAMS)
    async def completions(
        http: HttpRequest, body: CompletionBody, context: chats, key: IdempotencyKey = None
    ) -> HttpResponse:
        requests = body.requests()
        if body.stream:
            if len(requests) > 1:
                raise Unsupported("streaming takes one prompt", remedy="Send one request a prompt", param="prompt")
            refuse_key(key, "stream: true")
            return await stream(http, requests[0], context, "text", body.wants_usage)

        async def work() -> HttpResponse:
            if len(requests) == 1:
                answer = await collected(http, responder, requests[0], context)
            else:
                answer = await _several(http, responder, requests, context)
            return json_response(encode.completion_body(answer), head_headers(answer.head))

        basis = "" if key is None else await models.basis(requests[0], context)
        return await idempotency.once(key, "completions", [await http.body()], context, work, basis=basis)

    _embed(routes, responder, settings, access)
    _list_models(routes, models, access)
    return routes


def _embed(routes: APIRouter, responder: Responder, settings: GatewaySettings, access: Access) -> None:
    embeds = Annotated[Context, Depends(access("embed"))]

    @routes.post("/v1/embeddings")
    async def embeddings(http: HttpRequest, body: EmbeddingBody, context: embeds) -> HttpResponse:
        answer = await collected(http, responder, body.request(settings.max_embedding_inputs), context)
        width = 0 if answer.vectors is None else answer.vectors.rows.shape[1]
        if body.dimensions not in (None, width):
            raise Unsupported(f"{body.model} has {width} dimensions", param="dimensions")
        return json_response(encode.embeddings_body(answer, body.encoding_format), head_headers(answer.head))

    @routes.post("/v1/rerank")
    async def rerank(http: HttpRequest, body: RerankBody, context: embeds) -> HttpResponse:
        answer = await collected(http, responder, body.request(), context)
        found = encode.rerank_body(answer, body.texts(), body.top_n, body.return_documents)
        return json_response(found, head_headers(answer.head))


def _list_models(routes: APIRouter, models: Registry, access: Access) -> None:
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.get("/v1/models")
    async def list_models(context: chats) -> HttpResponse:
        served = await models.models(context.principal)
        body: dict[str, object] = {"object": "list", "data": [_model_body(model) for model in served]}
        if coming := [_coming_body(each()) for each in models.coming.values()]:
            body["coming"] = coming
        return json_response(body)

    @routes.get("/v1/models/{name:path}")
    async def get_model(name: str, context: chats) -> HttpResponse:
        for model in await models.models(context.principal):
            if model.name == name:
                return json_response(_model_body(model))
        raise UnknownModel(f"no model named {name!r} is served", remedy="GET /v1/models lists them", param="model")


def _model_body(model: Served) -> dict[str, object]:
    return {
        "id": model.name,
        "object": "model",
        "created": model.created,
        "owned_by": "mainspring",
        "kind": model.kind,
    }


def _coming_body(model: ModelArrival) -> dict[str, object]:
    fields = ("state", "stage", "done", "total", "detail")
    return {"id": model.name, **{name: getattr(model, name) for name in fields}}


async def _several(http: HttpRequest, responder: Responder, requests: Sequence[Request], context: Context) -> Answer:
    """The answers to several prompts as choices of one. Each is a request with an account of its own: reservations,
    spending and settlement are separate."""

    async def one(request: Request) -> Answer:
        own = context.forked()
        answer = await collected(http, responder, request, own)
        context.allowance.spend(own.allowance.spent)
        context.privacy.private |= own.privacy.private
        return answer

    if context.allowance.tokens is None:
        return _merged(await together(*map(one, requests)))
    # Tokens that one of them takes are gone for the next.
    return _merged([await one(request) for request in requests])


def _merged(answers: list[Answer]) -> Answer:
    merged = dataclasses.replace(answers[0], choices=[], citations=[])
    for answer in answers[1:]:
        merged.usage = merged.usage + answer.usage
    merged.choices = [choice for answer in answers for choice in answer.choices]
    return merged
