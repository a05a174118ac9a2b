"""Personal data that a conversation holds as placeholders: kept for its length, and put back into the texts for the
caller.

A request outside of a stored conversation carries all earlier messages: its placeholders live as long as the request,
and are the same each time, since they are numbered in message order. Placeholders of a session, and of answers that may
be continued by name, are kept in memory for a while. Nothing of them is written anywhere.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from cachetools import TTLCache

from mainspring.core.types import ChatRequest, Citation, CompletionRequest, Context, Contradiction, Event, Message, Text
from mainspring.guards.rewrite.placeholders import PlaceholderReturn, Placeholders
from mainspring.serving.guard.redaction import Outgoing
from mainspring.serving.memory.layer import owner, stored_name
from mainspring.serving.ring.ports import Histories

CONVERSATIONS = 4096
"""Maximum number of conversations whose placeholders are kept, the latest ones."""
# For an unknown session, this many messages are searched for placeholders in use.
_LOOKED_AT = 512
Key = tuple[str, str, str]


class Conversations:
    """The placeholders of conversations that will continue: by tenant, by set of groups, by session or answer."""

    def __init__(self, histories: Histories, keep_s: float) -> None:
        self._histories = histories
        self._kept: TTLCache[Key, Placeholders] = TTLCache(CONVERSATIONS, keep_s)

    async def of(self, request: ChatRequest | CompletionRequest, context: Context) -> Placeholders:
        """The placeholders that ``request`` continues with, or new ones. Placeholders that the request's texts already
        contain are not assigned again."""
        if isinstance(request, CompletionRequest):
            placeholders = Placeholders()
            placeholders.reserve(request.said)
            return placeholders
        key = self._key(request, context)
        known = None if key is None else self._kept.get(key)
        placeholders = known or Placeholders()
        for message in request.messages:
            placeholders.reserve(message.content)
        if known is None and request.session_id:
            await self._reserve(placeholders, request.session_id, context)
        if key is not None and request.session_id:
            # At once: another request of the session may come before this one is answered.
            self._kept[key] = placeholders
        return placeholders

    async def _reserve(self, placeholders: Placeholders, session_id: str, context: Context) -> None:
        """Placeholders that the session's history contains must not get another meaning."""
        name = stored_name(context.principal, session_id)
        told = await self._histories.read(context.principal.tenant, name, limit=_LOOKED_AT)
        for each in told.recent:
            placeholders.reserve(each.message.content)

    def keep(self, answer_id: str, placeholders: Placeholders, context: Context) -> None:
        """The answer may be continued by its name."""
        if answer_id and len(placeholders):
            self._kept[context.principal.tenant, owner(context.principal), answer_id] = placeholders

    @staticmethod
    def _key(request: ChatRequest, context: Context) -> Key | None:
        principal = context.principal
        if request.session_id:
            return principal.tenant, "", stored_name(principal, request.session_id)
        if request.previous:
            return principal.tenant, owner(principal), request.previous
        return None


def hidden(messages: Sequence[Message], placeholders: Placeholders) -> list[Message]:
    """The messages with placeholders, including the arguments of calls; instructions stay unchanged."""
    return [each if each.role in ("system", "developer") else _hidden(each, placeholders) for each in messages]


def _hidden(message: Message, placeholders: Placeholders) -> Message:
    text, found = placeholders.hide(message.content)
    hide = [placeholders.hide(call.arguments) for call in message.tool_calls]
    if not found and not any(inside for _, inside in hide):
        return message
    pairs = zip(message.tool_calls, hide, strict=True)
    calls = tuple(dataclasses.replace(call, arguments=arguments) for call, (arguments, _) in pairs)
    return dataclasses.replace(message, content=text, tool_calls=calls)


async def put_back(
    events: AsyncIterator[Event], placeholders: Placeholders, *, within_json: bool = False
) -> AsyncGenerator[Event, None]:
    """``events`` as the caller sees them. ``within_json``: the text is JSON. Quotations from documents stay."""
    outgoing = Outgoing(
        lambda: PlaceholderReturn(placeholders, within_json=within_json),
        lambda: PlaceholderReturn(placeholders, within_json=True),
    )
    async for event in events:
        if type(event) is Text:
            shown = outgoing.text(event)
            if shown is not None:
                yield shown
        elif isinstance(event, Citation | Contradiction):
            yield event
        else:
            for other in outgoing.other(event):
                yield other
    for rest in outgoing.end():
        yield rest
