"""Memory in requests: what is known of the person goes before the latest message, and new facts are learned."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import AsyncGenerator, Sequence

import mainspring.serving.admit.token_estimate as estimate
from mainspring.core.errors import InvalidRequest, UnknownModel, Unsupported
from mainspring.core.facts.memories import MemoryFacts
from mainspring.core.path import Layer
from mainspring.core.types import (
    ChatRequest,
    Context,
    Event,
    EventRecord,
    Events,
    Message,
    Notice,
    Request,
    Responder,
    Response,
)
from mainspring.guards.rewrite.spotlight import Spotlight
from mainspring.serving.memory.recollection import Asking, MemorySource, Recollection, Remembered
from mainspring.serving.ring.ports import Tracing
from mainspring.serving.ring.registry import Registry, Served
from mainspring.stores.events.of_request import request_event

OPTION, CACHE = "memory", "cache"
WISHES = ("on", "recall", "session", "off")
NOTICE = "memory_recalled"
KNOWN = "What the user told earlier, in the user's own words:\n"
_SYSTEM = ("system", "developer")
# Characters of a fact in the answer's note.
_TOLD = 120
# A responder that searches the conversation for a question gets no facts in it, unless it says ``recalls``.
_APPLICATIONS = ("application", "collection")
NOTED = "Noted."


class Remember(Layer):
    """Recalls facts about the person for a model, between delimiters and as data, and learns from the new messages.

    Below ``Session``: facts become no part of the conversation. An answer with recalled facts is not cached: it is for
    one person. If this system has no memory, it refuses only requests that ask for one.
    """

    def __init__(
        self, inner: Responder, recollection: Recollection, registry: Registry, tracing: Tracing | None = None
    ) -> None:
        super().__init__(inner)
        self._recollection = recollection
        self._registry = registry
        self._tracing = tracing
        self._secret = os.urandom(32)

    async def respond(self, request: Request, context: Context) -> Response:
        if not isinstance(request, ChatRequest):
            return await self.inner.respond(request, context)
        request, wanted = _wish(request)
        source = self._recollection.source
        if source is None or wanted == "off":
            if source is None and wanted not in ("", "off"):
                raise Unsupported("this system keeps no memory of persons", param=f"options.{OPTION}")
            return await self.inner.respond(request, context)
        asking = Asking(request.user or "", request.session_id or "", wanted)
        new = context.settlement.turn or request.messages
        recalled = await self._recalled(source, request, context, asking)
        asked = request
        if recalled:
            request = await self._shown(request, recalled, context)
            context.settlement.records.append(_fact(context, recalled))
        response = await self.inner.respond(request, context)
        if recalled:
            response = response.through(lambda events: _told(recalled, events))
        if asked.store and not context.privacy.private and not context.replay:
            said = [each.content for each in _latest(new) if each.content.strip()]

            async def learn() -> None:
                source.learn(said, context, asking, response.head.answer_id)

            response.on_close(learn)
        return response

    async def _recalled(
        self, source: MemorySource, request: ChatRequest, context: Context, asking: Asking
    ) -> Sequence[Remembered]:
        query = next((each.content for each in reversed(request.messages) if each.role == "user"), "")
        if not query.strip() or not await source.recalls(context, asking):
            return ()
        try:
            served = await self._registry.find(request.model, context.principal)
        except UnknownModel:
            # A layer further in refuses it and records that; nothing is read for it.
            return ()
        if _reads(served):
            return ()
        found = await source.recall(query, context, asking)
        if found and self._tracing is not None:
            with self._tracing.span("memory", context) as span:
                span.set("mainspring.memory.recalled", [each.id for each in found])
        return found

    async def _shown(self, request: ChatRequest, recalled: Sequence[Remembered], context: Context) -> ChatRequest:
        """The request with the facts before the user's latest message, and a sentence in the system's that calls them
        data. An agent, which chooses tools by that message, gets them in a message of their own."""
        first = next((each.content for each in request.messages if each.role == "user"), "")
        light = Spotlight.over(self._secret, [first])
        lines = "\n".join(each.line for each in sorted(recalled, key=lambda each: each.at))
        messages = list(request.messages)
        at = max(index for index, each in enumerate(messages) if each.role == "user")
        text = f"{KNOWN}{light.wrap(lines, 'memory')}"
        served = await self._registry.find(request.model, context.principal)
        if served.kind in _APPLICATIONS:
            messages[at:at] = [Message("user", text), Message("assistant", NOTED)]
        else:
            messages[at] = dataclasses.replace(messages[at], content=f"{text}\n\n{messages[at].content}")
        place = next((index for index, each in enumerate(messages) if each.role in _SYSTEM), None)
        if place is None:
            messages.insert(0, Message("system", light.instruction))
        else:
            system = messages[place]
            messages[place] = dataclasses.replace(system, content=f"{system.content}\n\n{light.instruction}")
        options = dict(request.options)
        if served.kind not in _APPLICATIONS:
            options[CACHE] = False
        return dataclasses.replace(request, messages=tuple(messages), options=options)


def _reads(served: Served) -> bool:
    """Whether it reads the conversation for a question, so that facts in it would mislead it."""
    return served.kind in _APPLICATIONS and not getattr(served.responder, "recalls", False)


def _wish(request: ChatRequest) -> tuple[ChatRequest, str]:
    """The request without ``options.memory``, and what it says. Raises ``InvalidRequest``."""
    if OPTION not in request.options:
        return request, ""
    wanted = request.options[OPTION]
    if isinstance(wanted, bool):
        wanted = "on" if wanted else "off"
    if wanted not in WISHES:
        raise InvalidRequest(f"memory must be one of {', '.join(WISHES)}", param=f"options.{OPTION}")
    options = {name: each for name, each in request.options.items() if name != OPTION}
    return dataclasses.replace(request, options=options), str(wanted)


def _latest(messages: Sequence[Message]) -> list[Message]:
    """The user's messages since the last answer: those before it were learned from with it."""
    begin = max((index + 1 for index, each in enumerate(messages) if each.role == "assistant"), default=0)
    return [each for each in messages[begin:] if each.role == "user"]


def _fact(context: Context, recalled: Sequence[Remembered]) -> EventRecord:
    tokens = sum(estimate.text_tokens(each.line) for each in recalled)
    facts = MemoryFacts(action="recalled", memories=[each.id for each in recalled], tokens=tokens)
    return record(context, facts)


def record(context: Context, facts: MemoryFacts) -> EventRecord:
    """The event of ``facts``, within the request."""
    return request_event(context, facts)


async def _told(recalled: Sequence[Remembered], events: Events) -> AsyncGenerator[Event, None]:
    """A note for each fact that was recalled, then the answer."""
    for each in recalled:
        yield Notice(NOTICE, f"Remembered: {each.text[:_TOLD]}", id=each.id)
    async for event in events:
        yield event
