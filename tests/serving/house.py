"""A whole house in memory: real rings, engine and redactor; stores that can be slow, full or broken."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mainspring.core.path import Answer, collect
from mainspring.core.settings import Settings
from mainspring.core.types import (
    ChatRequest,
    Context,
    Event,
    EventRecord,
    Head,
    Message,
    Principal,
    Request,
    Responder,
    Response,
    Sampling,
    Usage,
)
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import Script, ScriptedEngine
from mainspring.guards.detect import pii
from mainspring.guards.policy.policies import GuardPolicy
from mainspring.serving.admit.rate_limits import Limits
from mainspring.serving.guard.layers import About
from mainspring.serving.money.pricing import Price
from mainspring.serving.ring.background import Background
from mainspring.serving.ring.compose import Services, call_ring, request_ring
from mainspring.serving.ring.registry import Registry, Served
from mainspring.stores.sessions.conversations import Conversation, SessionTurn, TurnMessage
from mainspring.telemetry.metrics import Metrics

GREEDY = Sampling(temperature=0)
STRICT = GuardPolicy(injection="refuse", pii_output_kinds=pii.KINDS)
"""Contact data is redacted in answers too."""


class MemoryEvents:
    """Commits kept in order. ``gate`` holds a settle back until it is set; ``error`` is raised instead of one."""

    def __init__(self) -> None:
        self.commits: list[tuple[list[EventRecord], list[SessionTurn]]] = []
        self.appended: list[EventRecord] = []
        self.gate: asyncio.Event | None = None
        self.entered = asyncio.Event()
        self.error: Exception | None = None

    async def append(self, *records: EventRecord) -> None:
        self.appended.extend(records)

    async def settle(
        self, records: Sequence[EventRecord], turns: Sequence[SessionTurn] = (), released: str = ""
    ) -> None:
        self.entered.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.commits.append((list(records), list(turns)))

    def of(self, kind: str) -> list[EventRecord]:
        return [record for records, _ in self.commits for record in records if record.kind == kind]


class MemoryHistories:
    def __init__(self, events: MemoryEvents) -> None:
        self._events = events

    async def read(
        self, tenant: str, session_id: str, *, limit: int, first: int = 0, summary: bool = False
    ) -> Conversation:
        turns = [turn for _, turns in self._events.commits for turn in turns]
        return conversation(
            [turn.messages for turn in turns if (turn.tenant, turn.session_id) == (tenant, session_id)], limit, first
        )

    async def reserve(self, tenant: str, session_id: str, tokens: int, budget: int, *, lease_s: float) -> int | None:
        return None


def conversation(turns: Sequence[Sequence[Message]], limit: int = 512, first: int = 0) -> Conversation:
    """Turns as the store gives them."""
    said = tuple(
        TurnMessage(f"turn-{number:06}", position, float(number), message.content, message)
        for number, messages in enumerate(turns)
        for position, message in enumerate(messages)
    )
    if not said:
        return Conversation()
    told = [each for each in said if each.message.role in ("system", "developer")]
    instructions = tuple(each.message for each in told if each.turn == told[-1].turn)
    return Conversation(0, len(turns), said[-limit:], said[:first], instructions)


class MemoryAnswers:
    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.tags: dict[str, frozenset[str]] = {}
        self.error: Exception | None = None

    async def get(self, key: str) -> bytes | None:
        if self.error is not None:
            raise self.error
        return self.values.get(key)

    async def put(self, key: str, value: bytes, ttl_s: float, tags: frozenset[str]) -> None:
        if self.error is not None:
            raise self.error
        self.values[key] = value
        self.tags[key] = tags


class CountingMetrics(Metrics):
    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str]] = []
        self.calls: list[tuple[str, Usage, str]] = []
        self.arm_calls: list[tuple[str, str, Usage, str]] = []
        self.caches: Counter[str] = Counter()
        self.gaps = 0
        self.retries = 0
        self.guards: Counter[tuple[str, str, str]] = Counter()
        self.refused: Counter[str] = Counter()
        self.waits: list[tuple[str, float, str]] = []

    def request(self, operation: str, model: str, duration_s: float, ttft_s: float | None, code: str) -> None:
        self.requests.append((operation, model, code))

    def call(self, model: str, usage: Usage, ttft_s: float | None, duration_s: float, code: str) -> None:
        self.calls.append((model, usage, code))

    def arm_call(self, route: str, arm: str, usage: Usage, ttft_s: float | None, duration_s: float, code: str) -> None:
        self.arm_calls.append((route, arm, usage, code))

    def gap(self, model: str, seconds: float) -> None:
        self.gaps += 1

    def cache(self, outcome: str, name: str = "response") -> None:
        self.caches[outcome if name == "response" else f"{name} {outcome}"] += 1

    def guard(self, guard: str, action: str, kind: str, count: int = 1) -> None:
        self.guards[guard, action, kind] += count

    def retry(self, model: str) -> None:
        self.retries += 1

    def queued(self, model: str, priority: str, seconds: float, outcome: str) -> None:
        self.waits.append((priority, seconds, outcome))

    def limited(self, limit: str) -> None:
        self.refused[limit] += 1


@dataclass
class MemorySpan:
    name: str
    context: Context
    attributes: dict[str, Any]
    error: BaseException | None = None
    ended: bool = False
    kept: str = ""
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)

    def set(self, key: str, value: Any) -> None:
        assert not self.ended
        self.attributes[key] = value

    def fail(self, error: BaseException) -> None:
        self.error = error

    def keep(self, reason: str) -> None:
        self.kept = reason

    def past(self, name: str, start_ns: int, end_ns: int, **attributes: Any) -> None:
        self.steps[name] = attributes


@dataclass
class MemoryTracing:
    spans: list[MemorySpan] = field(default_factory=list)

    @contextmanager
    def span(self, name: str, context: Context, **attributes: Any) -> Iterator[MemorySpan]:
        span = MemorySpan(name, context, attributes)
        self.spans.append(span)
        try:
            yield span
        finally:
            span.ended = True


class Recited:
    """A responder that says given events; an exception among them is raised, an ``asyncio.Event`` awaited."""

    def __init__(self, *events: Event | Exception | asyncio.Event, fingerprint: str | None = None) -> None:
        self.events = events
        self.calls = 0
        self.closed: list[str] = []
        self._fingerprint = fingerprint

    async def respond(self, request: Request, context: Context) -> Response:
        self.calls += 1

        async def close() -> None:
            self.closed.append("responder")

        return Response(Head(request.model), self._say(), on_close=close)

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return self._fingerprint

    async def _say(self) -> AsyncGenerator[Event, None]:
        for event in self.events:
            if isinstance(event, Exception):
                raise event
            if isinstance(event, asyncio.Event):
                await event.wait()
                continue
            yield event


class House:
    """Everything that a request passes, with ``chat`` served by a scripted engine."""

    def __init__(
        self, script: Script, policy: GuardPolicy | None = None, about: About | None = None, **settings: Any
    ) -> None:
        self.events = MemoryEvents()
        self.answers = MemoryAnswers()
        self.metrics = CountingMetrics()
        self.tracing = MemoryTracing()
        self.policy = policy or GuardPolicy(injection="refuse")
        self.background = Background()
        self.services = Services(
            settings=Settings.model_validate({"serving": settings}),
            tracing=self.tracing,
            metrics=self.metrics,
            policy=self.policy,
            events=self.events,
            histories=MemoryHistories(self.events),
            answers=self.answers,
            background=self.background,
            about=about,
        )
        self.engine = ScriptedEngine(script, templates=True)
        self.registry = Registry()
        model = ModelResponder(self.engine, model_name="chat", fingerprint="weights-1")
        self.serve("chat", model)
        limits = Limits.of(self.services.settings.serving)
        self.ring: Responder = request_ring(self.services, self.registry, limits)

    def serve(self, name: str, responder: Responder) -> None:
        price = Price.per_million(2.0, 6.0)
        calls = call_ring(self.services, responder, model=name, provider="scripted", price=price)
        self.registry.add(Served(name, "chat", calls))

    async def ask(self, text: str, context: Context | None = None, **fields: Any) -> Answer:
        return await collect(await self.open(text, context, **fields))

    async def open(self, text: str, context: Context | None = None, **fields: Any) -> Response:
        request = ChatRequest(**{"model": "chat", "messages": (Message("user", text),), **fields})
        return await self.ring.respond(request, context or visitor())


def visitor(tenant: str = "acme", groups: Sequence[str] = (), **fields: Any) -> Context:
    return Context(Principal(tenant, "key_1", frozenset({"chat", "embed"}), frozenset(groups)), **fields)


Build = Callable[..., House]
