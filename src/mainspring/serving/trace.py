"""The root of a request's trace, and what the outside sees of it: time to first token, duration, outcome."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack
from typing import Protocol

from mainspring import cards
from mainspring.errors import GuardRefused
from mainspring.path import Layer
from mainspring.serving.ports import Span, Tracing
from mainspring.serving.record import error_code, operation
from mainspring.types import (
    Context,
    Event,
    Finish,
    Reasoning,
    Request,
    Responder,
    Response,
    Text,
    ToolCallDelta,
    Usage,
)

REPLAY = "replay"


class RequestMetrics(Protocol):
    """What a request was like for its caller. Times in seconds; ``code`` is "" for success."""

    def request(self, operation: str, model: str, duration_s: float, ttft_s: float | None, code: str) -> None: ...


class _Seen:
    """What is known so far about one request."""

    __slots__ = ("code", "first", "model", "operation", "span", "started")

    def __init__(self, request: Request, span: Span) -> None:
        self.operation = operation(request)
        self.model = request.model
        self.span = span
        self.started = time.perf_counter()
        self.first: float | None = None
        self.code = "cancelled"


class Trace(Layer):
    """Opens the root span; everything inside happens under it. It ends when the stream has ended."""

    def __init__(self, inner: Responder, tracing: Tracing, metrics: RequestMetrics) -> None:
        super().__init__(inner)
        self._tracing = tracing
        self._metrics = metrics

    async def respond(self, request: Request, context: Context) -> Response:
        attributes = {
            "gen_ai.operation.name": operation(request),
            # What was asked for is the caller's text.
            "gen_ai.request.model": cards.scrub(request.model),
            "mainspring.tenant": context.principal.tenant,
        }
        if context.replay:
            attributes["mainspring.replay_of"] = context.replay
        with ExitStack() as stack:
            span = stack.enter_context(self._tracing.span("request", context, **attributes))
            seen = _Seen(request, span)
            if context.replay:
                # What users get is measured without it.
                seen.operation = REPLAY
            try:
                response = await self.inner.respond(request, span.context)
            except BaseException as error:
                span.fail(error)
                seen.code = error_code(error)
                if isinstance(error, GuardRefused):
                    span.keep("guard")
                # A name that nobody serves is the caller's text: it must not become a label of its own.
                seen.model = "unknown" if seen.code == "model_not_found" else seen.model
                self._observe(seen)
                raise
            ended = stack.pop_all()
        seen.model = response.head.model
        span.set("gen_ai.response.model", response.head.model)
        span.set("gen_ai.response.id", response.head.answer_id)
        if response.head.cache:
            span.set("mainspring.cache", response.head.cache)

        async def close() -> None:
            with ended:
                self._observe(seen)

        return response.through(lambda events: _watched(events, seen), on_close=close)

    def _observe(self, seen: _Seen) -> None:
        now = time.perf_counter()
        ttft = None if seen.first is None else seen.first - seen.started
        if ttft is not None:
            seen.span.set("mainspring.ttft_s", round(ttft, 6))
        if seen.code:
            seen.span.set("error.type", seen.code)
        self._metrics.request(seen.operation, seen.model, now - seen.started, ttft, seen.code)


async def _watched(events: AsyncIterator[Event], seen: _Seen) -> AsyncGenerator[Event, None]:
    waiting = True
    reasons: list[str] = []
    try:
        async for event in events:
            if waiting and isinstance(event, Text | Reasoning | ToolCallDelta):
                waiting = False
                seen.first = time.perf_counter()
            elif type(event) is Finish:
                reasons.append(event.reason)
            elif type(event) is Usage:
                seen.span.set("gen_ai.usage.input_tokens", event.prompt_tokens)
                seen.span.set("gen_ai.usage.output_tokens", event.completion_tokens)
            yield event
    except Exception as error:
        seen.span.fail(error)
        seen.code = error_code(error)
        raise
    seen.code = ""
    seen.span.set("gen_ai.response.finish_reasons", reasons)
