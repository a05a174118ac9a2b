"""OpenAI's Responses API over the same request ring: answer, continue, look up, delete.

A response is an answer of the event log under its id. One that was stored can be continued
(``previous_response_id``), read again and deleted, by the API key that asked for it and by no other.
"""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.settings import GatewaySettings
from mainspring.core.types import ChatRequest, Context, EventRecord, Message, Request, Responder, Response
from mainspring.http.access import Access, consenting
from mainspring.http.idempotency import Idempotency, IdempotencyKey, refuse_key
from mainspring.http.openai import responses_encode as encode
from mainspring.http.openai.past_responses import PastResponses, answer_of, content_of, messages_of
from mainspring.http.openai.responses_requests import ResponsesBody
from mainspring.http.pages import AskedPage, cut, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import collected, head_headers, json_response, streamed
from mainspring.stores.events.log import EventLog

PREFIX = "/v1/responses"
STREAMS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}


Count = Callable[[ChatRequest, Context], Awaitable[int]]
"""The tokens that a request would send to its chat model. Raises ``UnknownModel``, ``Unsupported``."""
Basis = Callable[[Request, Context], Awaitable[str]]
"""The state behind an answer besides the model: empty, or it changes with the documents that the caller may read."""


def router(
    responder: Responder,
    events: EventLog,
    settings: GatewaySettings,
    access: Access,
    idempotency: Idempotency,
    basis: Basis,
    count: Count,
) -> APIRouter:
    """The routes over ``responder``, the request ring, and the event log."""
    routes = APIRouter(route_class=JsonRoute, tags=["generate"])
    chats = Annotated[Context, Depends(access("chat"))]
    stored = PastResponses(events, settings.max_messages)

    @routes.post(PREFIX, responses=STREAMS)
    async def create_response(
        http: HttpRequest, body: ResponsesBody, context: chats, key: IdempotencyKey = None
    ) -> HttpResponse:
        history = await stored.history(body.previous_response_id, context.principal)
        request = body.request(history, settings.max_messages)
        if request.session_id is None:
            # Earlier messages are stored with the earlier responses: only new ones are recorded with this one.
            context.settlement.turn = body.turn()
        asked = encode.repeated(request, body.repeated())
        context.settlement.shown = asked
        context = consenting(context, body.metadata)
        if body.stream:
            refuse_key(key, "stream: true")

            def frames(response: Response) -> AsyncGenerator[bytes, None]:
                return encode.stream(response, encode.Shell.of(response.head, asked))

            asking = responder.respond(request, context)
            return await streamed(http, asking, frames, encode.error_frame, settings.heartbeat_s)
        if not request.store:
            refuse_key(key, "store: false")

        async def work() -> HttpResponse:
            answer = await collected(http, responder, request, context)
            return json_response(encode.Shell.of(answer.head, asked).ended(answer), head_headers(answer.head))

        made_of = "" if key is None else await basis(request, context)
        return await idempotency.once(key, "responses", [await http.body()], context, work, basis=made_of)

    @routes.post(f"{PREFIX}/input_tokens")
    async def count_input_tokens(body: ResponsesBody, context: chats) -> HttpResponse:
        history = await stored.history(body.previous_response_id, context.principal)
        tokens = await count(body.request(history, settings.max_messages), context)
        return json_response({"object": "response.input_tokens", "input_tokens": tokens})

    _kept(routes, stored, access)
    return routes


def _kept(routes: APIRouter, stored: PastResponses, access: Access) -> None:
    """The routes of responses of the past."""
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.get(f"{PREFIX}/{{response_id}}")
    async def get_response(response_id: str, context: chats) -> HttpResponse:
        return json_response(_body(await stored.get(response_id, context.principal)))

    @routes.get(f"{PREFIX}/{{response_id}}/input_items")
    async def list_input_items(response_id: str, page: AskedPage, context: chats) -> HttpResponse:
        record = await stored.get(response_id, context.principal)
        items = [_input_item(response_id, number, each) for number, each in enumerate(messages_of(record))]
        return json_response(list_body(cut(items, page)))

    @routes.delete(f"{PREFIX}/{{response_id}}")
    async def delete_response(response_id: str, context: chats) -> HttpResponse:
        await stored.delete(response_id, context)
        return json_response({"id": response_id, "object": "response", "deleted": True})


def _body(record: EventRecord) -> dict[str, Any]:
    answer, facts = answer_of(record), AnswerFacts.of(record.facts)
    asked = {**content_of(record).get("shown", {}), "previous_response_id": facts.previous}
    shell = encode.Shell(record.subject, answer.head.model, record.at, asked)
    if facts.status == "completed":
        return shell.ended(answer)
    status = "failed" if facts.status == "failed" else "cancelled"
    error = {"code": facts.error, "message": "the answer broke off"} if status == "failed" else None
    items = encode.output(record.subject, answer)
    return shell.body(status, error=error, output=items, usage=encode.usage_body(answer.usage))


def _input_item(response_id: str, number: int, message: Message) -> dict[str, Any]:
    item_id = f"in_{number}_{response_id}"
    if message.role == "tool":
        output = {"call_id": message.tool_call_id, "output": message.content}
        return {"type": "function_call_output", "id": item_id, "status": "completed", **output}
    kind = "output_text" if message.role == "assistant" else "input_text"
    content: list[dict[str, Any]] = [{"type": kind, "text": message.content}]
    if message.role == "assistant":
        content[0] |= {"annotations": []}
    return {"type": "message", "id": item_id, "status": "completed", "role": message.role, "content": content}
