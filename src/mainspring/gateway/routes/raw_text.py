"""Routes of text without messages: completions, embeddings, reranking."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import Unsupported
from mainspring.core.path import Answer, together
from mainspring.core.settings import GatewaySettings
from mainspring.core.types import CompletionRequest, Context, Responder, Response
from mainspring.engines.token_texts import TokenTexts
from mainspring.gateway.routes.generate import STREAMS
from mainspring.http.access import Access
from mainspring.http.idempotency import Idempotency, IdempotencyKey, refuse_key
from mainspring.http.openai import encode
from mainspring.http.openai.text_requests import CompletionBody, Decode, EmbeddingBody, RerankBody, undecoded
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import collected, head_headers, json_response, streamed
from mainspring.serving.ring.registry import Registry


def router(
    responder: Responder,
    models: Registry,
    settings: GatewaySettings,
    access: Access,
    idempotency: Idempotency,
    tokens: TokenTexts | None = None,
) -> APIRouter:
    """The routes over one responder, the request ring. ``tokens`` decodes token arrays (None: they are refused)."""
    routes = APIRouter(route_class=JsonRoute, tags=["generate"])
    chats = Annotated[Context, Depends(access("chat"))]
    decoding = _Decoding(models, tokens)

    @routes.post("/v1/completions", responses=STREAMS)
    async def completions(
        http: HttpRequest, body: CompletionBody, context: chats, key: IdempotencyKey = None
    ) -> HttpResponse:
        requests = await body.requests(decoding.of(body.model, context))
        served = models.fixed(body.model, context.principal)
        if served is not None and served.completes:
            kept = body.store is True
            requests = [dataclasses.replace(each, store=kept, source=True) for each in requests]
        if body.stream:
            if len(requests) > 1:
                raise Unsupported(
                    "streaming supports only one prompt", remedy="Send one request per prompt", param="prompt"
                )
            refuse_key(key, "stream: true")
            frames = partial(encode.stream, kind="text", include_usage=body.wants_usage)

            async def asking() -> Response:
                return body.streamed(requests[0], await responder.respond(requests[0], context))

            return await streamed(http, asking(), frames, encode.error_frame, settings.heartbeat_s)

        async def work() -> HttpResponse:
            if len(requests) == 1:
                answer = body.finished(requests[0], await collected(http, responder, requests[0], context))
            else:
                answer = await _several(http, responder, requests, context, body)
            return json_response(encode.completion_body(answer), head_headers(answer.head))

        basis = "" if key is None else await models.basis(requests[0], context)
        return await idempotency.once(key, "completions", [await http.body()], context, work, basis=basis)

    _embed(routes, responder, settings, access, decoding)
    return routes


class _Decoding:
    """Decodes tokens of models that the caller may see."""

    def __init__(self, models: Registry, tokens: TokenTexts | None) -> None:
        self._models = models
        self._tokens = tokens

    def of(self, model: str, context: Context) -> Decode:
        tokens = self._tokens
        if tokens is None:
            return undecoded

        async def decode(numbers: Sequence[int]) -> str:
            return await tokens.of((await self._models.find(model, context.principal)).name, numbers)

        return decode


def _embed(
    routes: APIRouter, responder: Responder, settings: GatewaySettings, access: Access, decoding: _Decoding
) -> None:
    embeds = Annotated[Context, Depends(access("embed"))]

    @routes.post("/v1/embeddings")
    async def embeddings(http: HttpRequest, body: EmbeddingBody, context: embeds) -> HttpResponse:
        request = await body.request(settings.max_embedding_inputs, decoding.of(body.model, context))
        answer = await collected(http, responder, request, context)
        width = 0 if answer.vectors is None else answer.vectors.rows.shape[1]
        if body.dimensions not in (None, width):
            raise Unsupported(f"{body.model} has {width} dimensions", param="dimensions")
        return json_response(encode.embeddings_body(answer, body.encoding_format), head_headers(answer.head))

    @routes.post("/rerank")
    @routes.post("/v2/rerank")
    @routes.post("/v1/rerank")
    async def rerank(http: HttpRequest, body: RerankBody, context: embeds) -> HttpResponse:
        answer = await collected(http, responder, body.request(), context)
        found = encode.rerank_body(answer, body.texts(), body.top_n, body.return_documents)
        return json_response(found, head_headers(answer.head))


async def _several(
    http: HttpRequest,
    responder: Responder,
    requests: Sequence[CompletionRequest],
    context: Context,
    body: CompletionBody,
) -> Answer:
    """The answers to several prompts as choices of one. Each is a request with an account of its own: reservations,
    spending and settlement are separate."""

    async def one(request: CompletionRequest) -> Answer:
        own = context.forked()
        answer = await collected(http, responder, request, own)
        context.allowance.spend(own.allowance.spent)
        context.privacy.private |= own.privacy.private
        return body.finished(request, answer)

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
