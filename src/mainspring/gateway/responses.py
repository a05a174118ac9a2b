"""OpenAI's Responses API over the same request ring: answer, continue, look up, delete.

A response is an answer of the event log under its id. One that was stored can be continued
(``previous_response_id``), read again and deleted, by the API key that asked for it and by no other.
"""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends
from fastapi import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from mainspring.errors import NotFound, TooLarge
from mainspring.gateway import responses_encode as encode
from mainspring.gateway.access import Access, acting, consenting
from mainspring.gateway.body import JsonRoute
from mainspring.gateway.idempotency import Idempotency, IdempotencyKey, refuse_key
from mainspring.gateway.lists import AskedPage, cut, list_body
from mainspring.gateway.respond import collected, head_headers, json_response, streamed
from mainspring.gateway.responses_wire import ResponsesBody
from mainspring.path import Answer, Choice
from mainspring.settings import GatewaySettings
from mainspring.stores.audit import By
from mainspring.types import (
    ChatRequest,
    Citation,
    Context,
    EventRecord,
    Head,
    Message,
    Principal,
    Request,
    Responder,
    Response,
    ToolCall,
    Usage,
)

PREFIX = "/v1/responses"
STREAMS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}


class Recorded(Protocol):
    """The event log."""

    async def answer_for(self, principal: Principal, answer_id: str) -> EventRecord:
        """The answer as the principal may see it. Raises ``NotFound``."""
        ...

    async def erase(self, tenant: str, subject: str, *, by: By) -> EventRecord: ...


class Stored:
    """Responses of the past, as their events tell them."""

    def __init__(self, events: Recorded, max_messages: int) -> None:
        self._events = events
        self._max_messages = max_messages

    async def get(self, response_id: str, principal: Principal, param: str | None = None) -> EventRecord:
        """The answer event with its text. Raises ``NotFound`` for what the principal's key did not ask for, and for
        what was made of documents that are closed to it now."""
        try:
            found = await self._events.answer_for(principal, response_id)
        except NotFound:
            raise _unknown(response_id, param) from None
        if found.facts.get("key_id") != principal.key_id or found.facts.get("operation") != "chat":
            raise _unknown(response_id, param)
        if found.content is None:
            remedy = "It was asked for with store: false, or deleted; send its messages as input"
            raise NotFound(f"the text of response {response_id!r} is not stored", remedy=remedy, param=param)
        return found

    async def history(self, response_id: str | None, principal: Principal) -> list[Message]:
        """The conversation up to and with this response, without instructions. Raises ``NotFound``, ``TooLarge``."""
        turns: list[list[Message]] = []
        while response_id is not None:
            record = await self.get(response_id, principal, "previous_response_id")
            turns.append(_turn(record))
            if sum(map(len, turns)) > self._max_messages:
                raise TooLarge(
                    f"the conversation has more than {self._max_messages} messages", param="previous_response_id"
                )
            response_id = record.facts.get("previous")
        return [message for turn in reversed(turns) for message in turn]

    async def delete(self, response_id: str, context: Context) -> None:
        """Delete the texts of a response; facts without text stay. Raises ``NotFound``."""
        await self.get(response_id, context.principal)
        await self._events.erase(context.principal.tenant, response_id, by=acting(context))


def _unknown(response_id: str, param: str | None) -> NotFound:
    return NotFound(f"there is no response {response_id!r}", param=param)


Count = Callable[[ChatRequest, Context], Awaitable[int]]
"""The tokens that a request would send to its chat model. Raises ``UnknownModel``, ``Unsupported``."""
Basis = Callable[[Request, Context], Awaitable[str]]
"""What an answer is made of beside the model: empty, or it changes with what the caller may read."""


def router(
    responder: Responder,
    events: Recorded,
    settings: GatewaySettings,
    access: Access,
    idempotency: Idempotency,
    basis: Basis,
    count: Count,
) -> APIRouter:
    """The routes over ``responder``, the request ring, and the event log."""
    routes = APIRouter(route_class=JsonRoute, tags=["generate"])
    chats = Annotated[Context, Depends(access("chat"))]
    stored = Stored(events, settings.max_messages)

    @routes.post(PREFIX, responses=STREAMS)
    async def create_response(
        http: HttpRequest, body: ResponsesBody, context: chats, key: IdempotencyKey = None
    ) -> HttpResponse:
        history = await stored.history(body.previous_response_id, context.principal)
        request = body.request(history, settings.max_messages)
        if request.session_id is None:
            # What came before lies under the earlier responses: only what is new is recorded with this one.
            context.allowance.turn = body.turn()
        asked = encode.repeated(request, body.repeated())
        context.allowance.shown = asked
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


def _kept(routes: APIRouter, stored: Stored, access: Access) -> None:
    """The routes of responses of the past."""
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.get(f"{PREFIX}/{{response_id}}")
    async def get_response(response_id: str, context: chats) -> HttpResponse:
        return json_response(_body(await stored.get(response_id, context.principal)))

    @routes.get(f"{PREFIX}/{{response_id}}/input_items")
    async def list_input_items(response_id: str, page: AskedPage, context: chats) -> HttpResponse:
        record = await stored.get(response_id, context.principal)
        items = [_input_item(response_id, number, each) for number, each in enumerate(_asked(record))]
        return json_response(list_body(cut(items, page)))

    @routes.delete(f"{PREFIX}/{{response_id}}")
    async def delete_response(response_id: str, context: chats) -> HttpResponse:
        await stored.delete(response_id, context)
        return json_response({"id": response_id, "object": "response", "deleted": True})


def _content(record: EventRecord) -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(record.content or "{}")
    return content


def _asked(record: EventRecord) -> list[Message]:
    """The messages that were new with this response."""
    return [_message(each) for each in _content(record).get("messages", ())]


def _message(facts: Mapping[str, Any]) -> Message:
    calls = tuple(ToolCall(**call) for call in facts.get("tool_calls", ()))
    return Message(facts["role"], facts.get("content", ""), facts.get("name"), calls, facts.get("tool_call_id"))


def _turn(record: EventRecord) -> list[Message]:
    said = [message for message in _asked(record) if message.role not in ("system", "developer")]
    choice = _answer(record).choices[:1]
    return [*said, *(Message("assistant", each.text, tool_calls=tuple(each.tool_calls)) for each in choice)]


def _answer(record: EventRecord) -> Answer:
    facts, content = record.facts, _content(record)
    reasons: Sequence[Any] = facts.get("finish", ())
    choices = [
        Choice(
            each.get("text", ""),
            each.get("reasoning", ""),
            [ToolCall(**call) for call in each.get("tool_calls", ())],
            finish=reasons[number] if number < len(reasons) else None,
        )
        for number, each in enumerate(content.get("choices", ()))
    ]
    citations = [Citation(**each) for each in content.get("citations", ())]
    usage = Usage(facts.get("prompt_tokens", 0), facts.get("completion_tokens", 0))
    return Answer(Head(str(facts.get("model", "")), record.subject), choices, citations, usage=usage)


def _body(record: EventRecord) -> dict[str, Any]:
    answer, facts = _answer(record), record.facts
    asked = {**_content(record).get("shown", {}), "previous_response_id": facts.get("previous")}
    shell = encode.Shell(record.subject, answer.head.model, record.at, asked)
    if facts.get("status") == "completed":
        return shell.ended(answer)
    status = "failed" if facts.get("status") == "failed" else "cancelled"
    error = {"code": facts.get("error", ""), "message": "the answer broke off"} if status == "failed" else None
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
