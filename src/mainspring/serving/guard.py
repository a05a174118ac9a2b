"""What guards do on the way in and on the way out."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from mainspring.errors import GuardRefused
from mainspring.path import Layer
from mainspring.serving.ports import EventLog
from mainspring.serving.redaction import Outgoing, Redactor
from mainspring.stores import ids
from mainspring.types import (
    ChatRequest,
    CompletionRequest,
    Context,
    Event,
    EventRecord,
    Message,
    Request,
    RerankRequest,
    Responder,
    Response,
    Text,
)

# Longer texts are checked in a thread: the event loop has other streams to serve.
IN_LINE_CHARACTERS = 4096


class Decision(Protocol):
    """What a guard found and did, with no text of what it found."""

    @property
    def guard(self) -> str: ...

    @property
    def action(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def count(self) -> int: ...

    def facts(self) -> Mapping[str, Any]: ...


class Checked(Protocol):
    @property
    def text(self) -> str: ...

    @property
    def decisions(self) -> Sequence[Decision]: ...


class Policy(Protocol):
    """The guards as they are configured; ``version`` changes whenever their answers may."""

    @property
    def version(self) -> str: ...

    def inspect(self, text: str) -> Checked:
        """What is decided about a text."""
        ...

    def check_input(self, text: str) -> Checked:
        """The text as it may go on. Raises ``GuardRefused``."""
        ...

    def output_decisions(self, counts: Mapping[str, int]) -> Sequence[Decision]:
        """The decisions that a redactor's counts amount to."""
        ...

    def output_stream(self) -> Redactor | None:
        """A redactor for one text; None where output is not guarded."""
        ...


class GuardMetrics(Protocol):
    def guard(self, guard: str, action: str, kind: str, count: int = 1) -> None: ...


class GuardInput(Layer):
    """Checks what users and tools say, rewrites what the policy redacts, and notes each decision.

    Decisions wait in the allowance for the settling commit; those of a refused request are written at once.
    Texts to be embedded pass: they are data, and a vector of other words would be a wrong answer. So do documents to be
    reranked; their query is looked at and stays as it is (see ``inspect``).
    """

    def __init__(self, inner: Responder, policy: Policy, events: EventLog, metrics: GuardMetrics) -> None:
        super().__init__(inner)
        self._policy = policy
        self._events = events
        self._metrics = metrics

    async def respond(self, request: Request, context: Context) -> Response:
        if isinstance(request, ChatRequest):
            messages = [await self._message(message, context) for message in request.messages]
            request = dataclasses.replace(request, messages=tuple(messages))
        elif isinstance(request, RerankRequest):
            await inspect(self._policy, self._events, self._metrics, [request.query], context, role="query")
        elif isinstance(request, CompletionRequest):
            prompt = await self._text(request.prompt, "prompt", context)
            request = dataclasses.replace(request, prompt=prompt)
        return await self.inner.respond(request, context)

    async def _message(self, message: Message, context: Context) -> Message:
        if message.role not in ("user", "tool") or not message.content:
            return message
        content = await self._text(message.content, message.role, context)
        return message if content is message.content else dataclasses.replace(message, content=content)

    async def _text(self, text: str, role: str, context: Context) -> str:
        try:
            if len(text) <= IN_LINE_CHARACTERS:
                checked = self._policy.check_input(text)
            else:
                checked = await asyncio.to_thread(self._policy.check_input, text)
        except GuardRefused as error:
            note(context, self._policy.inspect(text).decisions, "input", role, self._metrics)
            records = list(context.allowance.records)
            context.allowance.records.clear()
            await self._events.append(*records)
            if role == "prompt":
                error.param = "prompt"
            raise
        note(context, checked.decisions, "input", role, self._metrics)
        return checked.text


class GuardOutput(Layer):
    """Redacts text, reasoning, tool arguments and quotes; holds back no more than a redactor does."""

    def __init__(self, inner: Responder, policy: Policy, metrics: GuardMetrics) -> None:
        super().__init__(inner)
        self._policy = policy
        self._metrics = metrics

    async def respond(self, request: Request, context: Context) -> Response:
        response = await self.inner.respond(request, context)
        if not isinstance(request, ChatRequest | CompletionRequest) or self._policy.output_stream() is None:
            return response
        outgoing = Outgoing(self._redactor)

        async def finish() -> None:
            note(context, self._policy.output_decisions(outgoing.counts), "output", "assistant", self._metrics)

        return response.through(lambda events: _redacted(events, outgoing), on_close=finish)

    def _redactor(self) -> Redactor:
        redactor = self._policy.output_stream()
        assert redactor is not None
        return redactor


async def _redacted(events: AsyncIterator[Event], outgoing: Outgoing) -> AsyncGenerator[Event, None]:
    push = outgoing.text
    async for event in events:
        if type(event) is Text:
            shown = push(event)
            if shown is not None:
                yield shown
        else:
            for other in outgoing.other(event):
                yield other
    for rest in outgoing.end():
        yield rest


async def inspect(
    policy: Policy,
    events: EventLog,
    metrics: GuardMetrics,
    texts: Sequence[str],
    context: Context,
    *,
    role: str,
    param: str = "query",
) -> None:
    """Look at texts that are searched by, and note each decision. They are searched as they are: a query of other words
    would find something else, and is recorded nowhere.

    Raises ``GuardRefused`` naming ``param``, after writing down what waits in the allowance.
    """
    for text in texts:
        checked = await asyncio.to_thread(policy.inspect, text)
        note(context, checked.decisions, "input", role, metrics)
        try:
            await asyncio.to_thread(policy.check_input, text)
        except GuardRefused as error:
            records = list(context.allowance.records)
            context.allowance.records.clear()
            await events.append(*records)
            error.param = param
            raise


def note(context: Context, decisions: Sequence[Decision], stage: str, role: str, metrics: GuardMetrics) -> None:
    """Leave ``decisions`` for the settling commit, one event each, about the answer that will be recorded."""
    for decision in decisions:
        metrics.guard(decision.guard, decision.action, decision.kind, decision.count)
        record = EventRecord(
            id=ids.new("evt_"),
            at=time.time(),
            tenant=context.principal.tenant,
            trace_id=context.trace.trace_id,
            kind="guard",
            subject="",
            facts={"stage": stage, "role": role, **decision.facts()},
            consent=context.consent,
            retention=context.retention,
        )
        context.allowance.records.append(record)
