"""Makes requests of the ring from those of the Responses API: the history, the items that they refer to, and what
fits."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.core.errors import InvalidRequest, NotFound, Unsupported
from mainspring.core.settings import GatewaySettings
from mainspring.core.types import ChatRequest, Context, HostedTool, Message, Principal
from mainspring.gateway.responses import fit
from mainspring.gateway.responses.ports import ConversationStore
from mainspring.http.openai import responses_encode as encode
from mainspring.http.openai.hosted.items import SOURCES
from mainspring.http.openai.hosted.tools import WEB
from mainspring.http.openai.past_responses import PastResponses, answer_of, input_items, items_of
from mainspring.http.openai.responses_items import Item, messages_of_items, references
from mainspring.http.openai.responses_requests import RESULTS, AskedBody, ResponsesBody
from mainspring.http.openai.responses_searches import Searched
from mainspring.http.openai.responses_tools import WEB_SEARCH, FileSearchTool

_DIGITS = re.compile(r"_([0-9a-z]{26})(?:_\d+)?$")


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """A request with what its response repeats; ``conversation`` is the one that it is added to."""

    request: ChatRequest
    shown: Mapping[str, Any]
    conversation: str | None = None
    searched: Searched | None = None
    results: bool = False
    include: frozenset[str] = frozenset()
    unused: tuple[str, ...] = ()


Searching = Callable[[Sequence[FileSearchTool], ChatRequest, Context, int], Awaitable[tuple[ChatRequest, Searched]]]
"""See ``FileSearch``."""


class Asking:
    """Makes requests of bodies, over the responses of the past and the conversations."""

    def __init__(
        self,
        stored: PastResponses,
        conversations: ConversationStore,
        settings: GatewaySettings,
        count: fit.Count,
        window: fit.Window,
        search: Searching,
        web: Callable[[], None] | None = None,
    ) -> None:
        """``web`` raises if there is nothing that searches the web."""
        self._web = web
        self._stored = stored
        self._conversations = conversations
        self._most = settings.max_messages
        self._count = count
        self._window = window
        self._search = search

    async def __call__(self, body: ResponsesBody, context: Context) -> PreparedRequest:
        """The request of ``body``, noted in the context. Raises ``InvalidRequest``, ``NotFound``, ``TooLarge``,
        ``Unsupported``."""
        if body.background and body.store is False:
            raise InvalidRequest("a background response must be stored", remedy="Leave store out", param="store")
        history, found = await self._before(body, context.principal)
        request = body.request(history, self._most, found)
        unused = body.tool_set().unused
        if any(each.kind == "web_search" for each in request.hosted):
            request, unused = self._with_web(request, body, unused)
        searched = None
        if searches := body.searches():
            await self._check_chat(request, context)
            request, searched = await self._search(searches, request, context, len(searches))
        if body.truncation == "auto" and request.session_id is None:
            request = await fit.truncated(request, context, self._count, self._window)
        if request.session_id is None:
            # Earlier messages are stored with the earlier responses: only new ones are recorded with this one.
            context.settlement.turn = body.turn(found)
        repeated = body.repeated()
        if WEB_SEARCH in unused:
            # A client that reads its response sees which tools there were.
            repeated["tools"] = [each for each in repeated["tools"] if each["type"] not in WEB]
        shown = encode.repeated(request, repeated)
        if searched is not None:
            shown[encode.SEARCHED] = searched.stored()
        context.settlement.shown = shown
        include = frozenset(body.include or ())
        return PreparedRequest(request, shown, body.conversation_id, searched, RESULTS in include, include, unused)

    async def counted(self, body: AskedBody, context: Context) -> ChatRequest:
        """The request whose tokens ``body`` asks for."""
        history, found = await self._before(body, context.principal)
        request = body.counted(history, self._most, found)
        if body.truncation == "auto":
            request = await fit.truncated(request, context, self._count, self._window)
        return request

    async def keep(self, asked: PreparedRequest, context: Context, response: Mapping[str, Any], answer_id: str) -> None:
        """Add the new messages and the output to the conversation of a response, if it has one. The messages are those
        that the guard let pass."""
        if asked.conversation is None:
            return
        new = [
            item
            for number, message in enumerate(context.settlement.turn)
            for item in input_items(answer_id, number, message)
        ]
        await self._conversations.add_items(
            context.principal, asked.conversation, [*new, *response["output"]], answer_id
        )

    def _with_web(
        self, request: ChatRequest, body: ResponsesBody, unused: tuple[str, ...]
    ) -> tuple[ChatRequest, tuple[str, ...]]:
        """``request`` with searches of the web, or without them where nothing makes any: coding agents offer them
        unasked beside other tools. Raises ``Unsupported`` if they are all that there is, or if they carry more than
        their presence: then the answer would be another."""
        try:
            if self._web is None:
                raise Unsupported("nothing here searches the web", param="tools")
            self._web()
        except Unsupported:
            hosted = tuple(each for each in request.hosted if each.kind != "web_search")
            meant = SOURCES in (body.include or ()) or any(_meant(each) for each in request.hosted)
            if meant or not (hosted or request.tools or body.searches()):
                raise
            return dataclasses.replace(request, hosted=hosted), (*unused, WEB_SEARCH)
        return request, unused

    async def _check_chat(self, request: ChatRequest, context: Context) -> None:
        """Raises ``Unsupported`` for anything except a chat model: a collection searches itself."""
        try:
            await self._window(request, context)
        except Unsupported:
            raise Unsupported(
                f"{request.model} is not a chat model, and file_search shows passages to one",
                remedy="Name a chat model, or leave the tool out: a collection searches its own documents",
                param="tools",
            ) from None

    async def _before(self, body: AskedBody, principal: Principal) -> tuple[list[Message], list[Item]]:
        """The history of a request, and the items that its input refers to."""
        kept: Sequence[Mapping[str, Any]] = ()
        history: list[Message] = []
        if body.conversation_id is not None and not body.conversation_id.startswith("conv_"):
            raise InvalidRequest("conversation takes an id that begins with conv_", param="conversation")
        if body.conversation_id is not None and body.previous_response_id is None:
            kept = await self._conversations.items_of(principal, body.conversation_id)
            if kept:
                history = list(messages_of_items([Item.model_validate(each) for each in kept], "conversation"))
        elif body.previous_response_id is not None and body.conversation_id is None:
            history = await self._stored.history(body.previous_response_id, principal)
        named = [] if isinstance(body.input, str) or not body.input else references(body.input)
        known = {str(each["id"]): each for each in kept}
        return history, [Item.model_validate(await self._item(each, known, principal)) for each in named]

    async def _item(
        self, item_id: str, known: Mapping[str, Mapping[str, Any]], principal: Principal
    ) -> Mapping[str, Any]:
        """An item by its id: of the conversation, or of a stored response. Raises ``NotFound``."""
        if item_id in known:
            return known[item_id]
        if digits := _DIGITS.search(item_id):
            record = await self._stored.get(f"ans_{digits[1]}", principal, "input")
            for each in (*encode.output(record.subject, answer_of(record)), *items_of(record)):
                if each["id"] == item_id:
                    return each
        raise NotFound(f"there is no item {item_id!r}", remedy="Send the item itself", param="input")


def _meant(tool: HostedTool) -> bool:
    """Whether a request gives details of the web search beside its name."""
    asked = tool.kind == "web_search" and any(tool.options.get(name) for name in ("domains", "blocked"))
    return tool.forced or asked
