"""What guards are to the layers, and what they do on the way out. The way in is ``serving.guard_input``."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

from mainspring.errors import MainspringError
from mainspring.guards.placeholders import Placeholders
from mainspring.path import Layer
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
    Responder,
    Response,
    Text,
)


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

    @property
    def dry_run(self) -> bool: ...

    def facts(self) -> Mapping[str, Any]: ...


class Checked(Protocol):
    @property
    def text(self) -> str: ...

    @property
    def decisions(self) -> Sequence[Decision]: ...

    @property
    def refused(self) -> Sequence[Any]: ...


class Policy(Protocol):
    """The guards as they are configured for one application; ``version`` changes whenever their answers may."""

    @property
    def version(self) -> str: ...

    @property
    def canary(self) -> bool: ...

    @property
    def detecting(self) -> Sequence[str]:
        """The detectors that read what users and tools say."""
        ...

    @property
    def dropping(self) -> bool:
        """Whether passages are looked at before a model reads them."""
        ...

    @property
    def tokenising(self) -> bool:
        """Whether personal data gets placeholders that are put back, where those are at hand."""
        ...

    def inspect(self, text: str, placeholders: Placeholders | None = None) -> Checked:
        """What the rules decide about a text; ``placeholders`` are those of its conversation."""
        ...

    def judge(self, scores: Mapping[str, float]) -> Sequence[Decision]:
        """What is decided on detectors' probabilities."""
        ...

    def judge_passage(self, text: str, scores: Mapping[str, float]) -> Sequence[Decision]:
        """What is decided about a passage that a model is to read."""
        ...

    def refusal(self, decisions: Sequence[Any]) -> MainspringError:
        """The error that tells of ``decisions``."""
        ...

    def output_decisions(self, counts: Mapping[str, int]) -> Sequence[Decision]:
        """The decisions that a redactor's counts amount to."""
        ...

    def output(self, system: Sequence[str] = (), said: Sequence[str] = ()) -> Callable[[], Redactor] | None:
        """Makes the redactor of each text of an answer; None where nothing is looked for."""
        ...

    def output_stream(self) -> Redactor | None:
        """A redactor for one text that belongs to no request; None where output is not guarded."""
        ...


class Policies(Protocol):
    """The policy of each application; ``version`` changes whenever one of them does."""

    @property
    def version(self) -> str: ...

    def under(self, application: str) -> Policy:
        """The policy for what is asked under this name (empty: of everybody else)."""
        ...


class Detect(Protocol):
    """Detectors' probabilities for texts, by the name of the detector. ``pieces``: texts are documents."""

    async def __call__(
        self, texts: Sequence[str], context: Context, *, pieces: bool = False
    ) -> Sequence[Mapping[str, float]]: ...


class GuardMetrics(Protocol):
    def guard(self, guard: str, action: str, kind: str, count: int = 1) -> None: ...


class GuardOutput(Layer):
    """Redacts text, reasoning, tool arguments and quotes; holds back no more than a redactor does."""

    def __init__(self, inner: Responder, policy: Policies, metrics: GuardMetrics) -> None:
        super().__init__(inner)
        self._policies = policy
        self._metrics = metrics
        self._secret = os.urandom(32)

    async def respond(self, request: Request, context: Context) -> Response:
        if not isinstance(request, ChatRequest | CompletionRequest):
            return await self.inner.respond(request, context)
        policy = self._policies.under(context.allowance.application or request.model)
        system, said = _told(request)
        if policy.canary and system and isinstance(request, ChatRequest):
            request = marked(request, self._secret)
        response = await self.inner.respond(request, context)
        make = policy.output(system, said)
        if make is None:
            return response
        outgoing = Outgoing(make)

        async def finish() -> None:
            note(context, policy.output_decisions(outgoing.counts), "output", "assistant", self._metrics)

        return response.through(lambda events: _redacted(events, outgoing), on_close=finish)


def _told(request: ChatRequest | CompletionRequest) -> tuple[list[str], list[str]]:
    """The system prompts of a request, and all that was said in it."""
    if isinstance(request, CompletionRequest):
        return [], [request.prompt]
    system = [each.content for each in request.messages if each.role in ("system", "developer") and each.content]
    return system, [each.content for each in request.messages]


def marked(request: ChatRequest, secret: bytes) -> ChatRequest:
    """``request`` with a mark before each system prompt that nobody can guess who does not know ``secret``; the same
    prompt gets the same mark, so that prompts go on to begin alike. Who repeats the prompt repeats the mark."""

    def mark(message: Message) -> Message:
        if message.role not in ("system", "developer") or not message.content:
            return message
        made = hmac.new(secret, message.content.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:16]
        return dataclasses.replace(message, content=f"[canary-{made}]\n{message.content}")

    return dataclasses.replace(request, messages=tuple(map(mark, request.messages)))


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
