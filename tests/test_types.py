"""Responses close inner before outer, once, in the caller's task; contexts and usage add up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from mainspring.core.path import Layer, collect, ring
from mainspring.core.types import (
    Allowance,
    ChatRequest,
    Context,
    Event,
    Events,
    Finish,
    Head,
    Message,
    Principal,
    Request,
    Response,
    Text,
    ToolCallDelta,
    Usage,
)

CONTEXT = Context(Principal("t", "k"))
REQUEST = ChatRequest("m", (Message("user", "hi"),))


class Source:
    """A responder that notes when its stream is closed, and by which task."""

    def __init__(self, log: list[str], events: list[Event]) -> None:
        self.log = log
        self.events = events
        self.closed_in: asyncio.Task[object] | None = None

    async def respond(self, request: Request, context: Context) -> Response:
        return Response(Head("m"), self._stream())

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return "source"

    async def _stream(self) -> AsyncGenerator[Event, None]:
        try:
            for event in self.events:
                yield event
        finally:
            self.closed_in = asyncio.current_task()
            self.log.append("source")


class Noting(Layer):
    """A layer that notes when its own generator ends."""

    def __init__(self, inner: Layer | Source, log: list[str], name: str) -> None:
        super().__init__(inner)
        self.log = log
        self.name = name

    async def respond(self, request: Request, context: Context) -> Response:
        response = await self.inner.respond(request, context)

        async def closed() -> None:
            self.log.append(f"{self.name} callback")

        return response.through(self._pass, on_close=closed)

    async def _pass(self, events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
        try:
            async for event in events:
                yield event
        finally:
            self.log.append(self.name)


def nested(log: list[str], *events: Event) -> tuple[Source, Noting]:
    source = Source(log, list(events))
    return source, Noting(Noting(source, log, "inner"), log, "outer")


ORDER = ["source", "inner", "inner callback", "outer", "outer callback"]


async def test_closing_early_finishes_inner_before_outer_in_the_callers_task() -> None:
    log: list[str] = []
    source, outer = nested(log, Text("a"), Text("b"))
    response = await outer.respond(REQUEST, CONTEXT)
    assert await anext(response) == Text("a")
    await response.aclose()
    await response.aclose()
    assert log == ORDER
    assert source.closed_in is asyncio.current_task()


async def test_reading_to_the_end_closes_in_the_same_order() -> None:
    log: list[str] = []
    _, outer = nested(log, Text("a"), Finish("stop"))
    answer = await collect(await outer.respond(REQUEST, CONTEXT))
    assert answer.text == "a"
    assert sorted(log) == sorted(ORDER)
    assert log.index("source") < log.index("inner") < log.index("outer callback")


async def test_a_layer_may_close_what_is_beneath_it_where_the_events_end() -> None:
    log: list[str] = []
    _, inner = nested(log, Text("a"), Finish("stop"))

    async def settling(events: Events) -> AsyncGenerator[Event, None]:
        async for event in events:
            yield event
        await events.aclose()
        log.append("settled")

    response = (await inner.respond(REQUEST, CONTEXT)).through(settling)
    assert [event async for event in response] == [Text("a"), Finish("stop")]
    assert set(log[:-1]) == set(ORDER)
    assert log[-1] == "settled"


async def test_a_late_failure_is_raised_and_closes_everything() -> None:
    log: list[str] = []

    async def failing() -> AsyncGenerator[Event, None]:
        yield Text("a")
        raise RuntimeError("late")

    response = Response(Head("m"), failing()).through(Noting(Source([], []), log, "layer")._pass)
    with pytest.raises(RuntimeError, match="late"):
        await collect(response)
    assert log == ["layer"]


async def test_cancelling_the_reader_closes_once() -> None:
    log: list[str] = []
    started = asyncio.Event()

    async def endless() -> AsyncGenerator[Event, None]:
        try:
            started.set()
            await asyncio.sleep(60)
            yield Text("never")
        finally:
            log.append("source")

    response = Response(Head("m"), endless()).through(Noting(Source([], []), log, "layer")._pass)
    task = asyncio.create_task(collect(response))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["source", "layer"]


def test_a_ring_reads_in_the_order_of_a_request() -> None:
    log: list[str] = []
    layers = [lambda inner, name=name: Noting(inner, log, name) for name in ("first", "second")]
    responder = ring(layers, Source(log, []))  # type: ignore[arg-type]
    assert isinstance(responder, Noting)
    assert responder.name == "first"
    assert responder.fingerprint(REQUEST, CONTEXT) == "source"


async def test_collect_puts_tool_calls_together() -> None:
    events: list[Event] = [
        ToolCallDelta(0, 0, "call_1", "f", '{"a"'),
        ToolCallDelta(0, 0, None, None, ": 1}"),
        ToolCallDelta(0, 1, "call_2", "g", "{}"),
        Usage(3, 4),
        Finish("tool_calls"),
    ]
    answer = await collect(await Source([], events).respond(REQUEST, CONTEXT))
    calls = answer.choices[0].tool_calls
    assert [(call.id, call.name, call.arguments) for call in calls] == [
        ("call_1", "f", '{"a": 1}'),
        ("call_2", "g", "{}"),
    ]
    assert answer.usage.total_tokens == 7
    assert answer.choices[0].finish == "tool_calls"


def test_an_allowance_is_shared_by_nested_contexts() -> None:
    context = Context(Principal("t", "k"), allowance=Allowance(tokens=10))
    context.nested().allowance.spend(Usage(3, 4))
    assert context.allowance.tokens == 3
    assert context.nested().depth == 1
