"""OpenAI's Responses API over the same request ring: answer, in the background too, count, and compact.

A response is an answer of the event log under its id. One that was stored can be continued
(``previous_response_id``), read again and deleted, by the API key that asked for it and by no other.
"""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import dataclasses
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi import Request as HttpRequest
from starlette.responses import Response as HttpResponse
from starlette.responses import StreamingResponse

from mainspring.core.settings import GatewaySettings
from mainspring.core.types import Context, Head, Message, Request, Responder, Response
from mainspring.gateway.responses import fit, past, socket
from mainspring.gateway.responses.asking import Asking, PreparedRequest, Searching
from mainspring.gateway.responses.file_search import CitingResponder
from mainspring.gateway.responses.ports import BackgroundResponses, BackgroundRun, ConversationStore
from mainspring.http.access import Access, consenting
from mainspring.http.fields import HEADER
from mainspring.http.idempotency import Idempotency, IdempotencyKey, makes, refuse_key
from mainspring.http.openai import responses_encode as encode
from mainspring.http.openai import responses_stream
from mainspring.http.openai.past_responses import PastResponses, input_items
from mainspring.http.openai.response_ids import answer_id, item_id, response_id
from mainspring.http.openai.responses_items import compacted
from mainspring.http.openai.responses_requests import CompactBody, InputTokensBody, ResponsesBody
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import collected, head_headers, json_response, streamed
from mainspring.stores.events.log import EventLog

PREFIX = "/v1/responses"
STREAMS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}

Basis = Callable[[Request, Context], Awaitable[str]]
"""The state behind an answer besides the model: empty, or it changes with the documents that the caller may read."""


@dataclass(frozen=True, slots=True)
class ResponsesServices:
    """What the routes work with besides the ring and the event log."""

    background: BackgroundResponses
    conversations: ConversationStore
    basis: Basis
    count: fit.Count
    window: fit.Window
    search: Searching
    web: Callable[[], None] | None = None


def router(
    responder: Responder,
    events: EventLog,
    settings: GatewaySettings,
    access: Access,
    idempotency: Idempotency,
    behind: ResponsesServices,
) -> APIRouter:
    """The routes over ``responder``, the request ring, and the event log."""
    routes = APIRouter(route_class=JsonRoute, tags=["generate"])
    chats = Annotated[Context, Depends(access("chat"))]
    stored = PastResponses(events, settings.max_messages)
    asking = Asking(stored, behind.conversations, settings, behind.count, behind.window, behind.search, behind.web)
    told = past.Past(stored, behind.background)
    answering = _Answering(responder, asking, behind.background, settings)

    @routes.post(PREFIX, responses=STREAMS)
    async def create_response(
        http: HttpRequest, body: ResponsesBody, context: chats, key: IdempotencyKey = None
    ) -> HttpResponse:
        asked = await asking(body, context)
        context = consenting(context, body.metadata)
        if body.stream:
            refuse_key(key, "stream: true")
            if body.background:
                run = await answering.begin(asked, context)
                return event_stream(run, -1, left_out(asked))
            return await answering.stream(http, asked, context, left_out(asked))
        if not asked.request.store:
            refuse_key(key, "store: false")

        async def work() -> HttpResponse:
            if body.background:
                run = await answering.begin(asked, context)
                return json_response(run.body, left_out(asked))
            return await answering.whole(http, asked, context, left_out(asked))

        async def shown(name: str) -> HttpResponse:
            return json_response(await told.begun(response_id(name), context.principal), left_out(asked))

        # Answers that are not in the background are asked for again, because nobody received them.
        made = makes("ans_", shown) if body.background else None
        made_of = "" if key is None else await behind.basis(asked.request, context)
        return await idempotency.once(key, "responses", [await http.body()], context, work, basis=made_of, makes=made)

    _counting(routes, responder, asking, behind, access)
    past.add(routes, told, access)
    routes.routes.extend(socket.router().routes)
    return routes


def _counting(
    routes: APIRouter, responder: Responder, asking: Asking, behind: ResponsesServices, access: Access
) -> None:
    """The routes that count and sum up."""
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post(f"{PREFIX}/input_tokens")
    async def count_input_tokens(body: InputTokensBody, context: chats) -> HttpResponse:
        tokens = await behind.count(await asking.counted(body, context), context)
        return json_response({"object": "response.input_tokens", "input_tokens": tokens})

    @routes.post(f"{PREFIX}/compact")
    async def compact_response(http: HttpRequest, body: CompactBody, context: chats) -> HttpResponse:
        """Sum a conversation up: the output goes in its place, before what comes next."""
        whole = await asking.counted(body, context)
        asked = dataclasses.replace(fit.summing_up(whole), user=body.user)
        answer = await collected(http, responder, asked, context)
        summary = compacted([Message("user", fit.SUMMARY + answer.text)])
        said = [each for each in whole.messages if each.role == "user" and not each.content.startswith(fit.SUMMARY)]
        made = compaction(answer.head, said, summary, encode.usage_body(answer.usage))
        return json_response(made, head_headers(answer.head))


def compaction(head: Head, said: Sequence[Message], summary: str, usage: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAI's ``response.compaction``: what the user ``said``, as it was, and one item for the whole."""
    made = response_id(head.answer_id or "answer")
    kept = [each for number, message in enumerate(said) for each in input_items(made, number, message)]
    item = {"type": "compaction", "id": item_id("cmp", made), "encrypted_content": summary}
    return {
        "id": made,
        "object": "response.compaction",
        "created_at": int(time.time()),
        "output": [*kept, item],
        "usage": usage,
    }


def left_out(asked: PreparedRequest) -> dict[str, str]:
    """The header that names tools that were offered and left out."""
    return {HEADER: ", ".join(dict.fromkeys(asked.unused))} if asked.unused else {}


def _joined(headers: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Both; of what was ignored, all names."""
    names = [told[HEADER] for told in (headers, more) if HEADER in told]
    return {**headers, **({HEADER: ", ".join(names)} if names else {})}


def event_stream(run: BackgroundRun, after: int, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """The events of a response in the background behind the one numbered ``after``. A client that leaves stops only
    its own reading."""

    async def frames() -> AsyncGenerator[bytes, None]:
        async for frame in run.read(after):
            yield responses_stream.frame_bytes(frame)

    told = {"x-accel-buffering": "no", **(headers or {})}
    return StreamingResponse(frames(), media_type="text/event-stream", headers=told)


class _Answering:
    """Answers requests at once, as a stream, or in the background."""

    def __init__(
        self, responder: Responder, asking: Asking, background: BackgroundResponses, settings: GatewaySettings
    ) -> None:
        self._responder = responder
        self._asking = asking
        self._background = background
        self._heartbeat_s = settings.heartbeat_s

    async def whole(
        self, http: HttpRequest, asked: PreparedRequest, context: Context, headers: Mapping[str, str]
    ) -> HttpResponse:
        answer = await collected(http, self._over(asked), asked.request, context)
        body = self._shell(answer.head, asked).ended(answer)
        await self._asking.keep(asked, context, body, answer.head.answer_id)
        return json_response(body, _joined(head_headers(answer.head), headers))

    async def stream(
        self, http: HttpRequest, asked: PreparedRequest, context: Context, headers: Mapping[str, str]
    ) -> HttpResponse:
        async def frames(response: Response) -> AsyncGenerator[bytes, None]:
            shell = self._shell(response.head, asked)
            async for each in responses_stream.frames(response, shell):
                last = each[-1]
                if asked.conversation is not None and last["type"] in responses_stream.WHOLE:
                    await self._asking.keep(asked, context, last["response"], response.head.answer_id)
                yield b"".join(map(responses_stream.frame_bytes, each))

        work = self._over(asked).respond(asked.request, context)
        reply = await streamed(http, work, frames, responses_stream.error_frame, self._heartbeat_s)
        reply.headers.update(_joined(reply.headers, headers))
        return reply

    async def begin(self, asked: PreparedRequest, context: Context) -> BackgroundRun:
        async def ended(body: Mapping[str, Any]) -> None:
            await self._asking.keep(asked, context, body, answer_id(body["id"]))

        shown = {**asked.shown, "background": True}
        context.settlement.shown = shown
        shell = self._shell(Head(asked.request.model), dataclasses.replace(asked, shown=shown))
        return await self._background.start(self._over(asked), asked.request, context, shell, ended)

    def _over(self, asked: PreparedRequest) -> Responder:
        return self._responder if asked.searched is None else CitingResponder(self._responder, asked.searched)

    def _shell(self, head: Head, asked: PreparedRequest) -> encode.Shell:
        return encode.Shell.of(head, asked.shown, asked.searched, results=asked.results, include=asked.include)
