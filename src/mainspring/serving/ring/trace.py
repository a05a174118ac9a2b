"""The root of a request's trace, and its metrics: time to first token, duration, outcome."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack

from mainspring.core import cards
from mainspring.core.errors import GuardRefused, MainspringError
from mainspring.core.path import Layer
from mainspring.core.types import (
    Answered,
    ChatRequest,
    Context,
    Event,
    Finish,
    Head,
    Reasoning,
    Request,
    Responder,
    Response,
    Text,
    ToolCallDelta,
    Usage,
)
from mainspring.serving.ring.journal import Journal, Outcome
from mainspring.serving.ring.ports import Span, Tracing
from mainspring.serving.ring.record import error_code, operation
from mainspring.telemetry.metrics import Metrics

REPLAY = "replay"


class _Seen:
    """The current knowledge about one request."""

    __slots__ = (
        "code", "first", "head", "model", "operation", "request", "span", "started", "status", "texts", "usage",
    )  # fmt: skip

    def __init__(self, request: Request, span: Span, texts: list[str] | None) -> None:
        self.request = request
        self.texts = texts
        self.head: Head | None = None
        self.usage = Usage()
        self.status = 200
        self.operation = operation(request)
        self.model = request.model
        self.span = span
        self.started = time.perf_counter()
        self.first: float | None = None
        self.code = "cancelled"


class Trace(Layer):
    """Opens the root span; everything inside happens under it. It ends when the stream has ended."""

    def __init__(self, inner: Responder, tracing: Tracing, metrics: Metrics, journal: Journal | None = None) -> None:
        super().__init__(inner)
        self._journal = journal
        self._tracing = tracing
        self._metrics = metrics

    async def respond(self, request: Request, context: Context) -> Response:
        attributes = {
            "gen_ai.operation.name": operation(request),
            # The requested name is the caller's text.
            "gen_ai.request.model": cards.scrub(request.model),
            "mainspring.tenant": context.principal.tenant,
            "mainspring.key_id": context.principal.key_id,
        }
        if isinstance(request, ChatRequest) and request.session_id is not None:
            attributes["mainspring.session_id"] = cards.scrub(request.session_id)
        if context.replay:
            attributes["mainspring.replay_of"] = context.replay
        with ExitStack() as stack:
            span = stack.enter_context(self._tracing.span("request", context, **attributes))
            journal = self._journal
            seen = _Seen(request, span, [] if journal is not None and journal.wanted else None)
            if context.replay:
                # Statistics about users leave it out.
                seen.operation = REPLAY
            try:
                response = await self.inner.respond(request, span.context)
            except BaseException as error:
                span.fail(error)
                seen.code = error_code(error)
                seen.status = _status(error)
                if isinstance(error, GuardRefused):
                    span.keep("guard")
                # An unknown name is the caller's text: it must not become a label.
                seen.model = "unknown" if seen.code == "model_not_found" else seen.model
                self._observe(seen, context)
                raise
            ended = stack.pop_all()
        seen.model, seen.head = response.head.model, response.head
        span.set("gen_ai.response.model", response.head.model)
        span.set("gen_ai.response.id", response.head.answer_id)
        if response.head.cache:
            span.set("mainspring.cache", response.head.cache)

        async def close() -> None:
            with ended:
                self._observe(seen, context)

        return response.through(lambda events: _watched(events, seen), on_close=close)

    def _observe(self, seen: _Seen, context: Context) -> None:
        now = time.perf_counter()
        ttft = None if seen.first is None else seen.first - seen.started
        if ttft is not None:
            seen.span.set("mainspring.ttft_s", round(ttft, 6))
        if seen.code:
            seen.span.set("error.type", seen.code)
        self._metrics.request(seen.operation, seen.model, now - seen.started, ttft, seen.code)
        if self._journal is not None and seen.texts is not None:
            outcome = Outcome(seen.operation, now - seen.started, ttft, seen.code, seen.status, seen.head)
            outcome.input_tokens, outcome.output_tokens = seen.usage.prompt_tokens, seen.usage.completion_tokens
            outcome.texts = seen.texts
            self._journal.request(seen.request, context, outcome)


async def _watched(events: AsyncIterator[Event], seen: _Seen) -> AsyncGenerator[Event, None]:
    waiting = True
    reasons: list[str] = []
    keep = None if seen.texts is None else seen.texts.append
    try:
        async for event in events:
            if keep is not None and type(event) is Text:
                keep(event.text)
            if waiting and isinstance(event, Text | Reasoning | ToolCallDelta):
                waiting = False
                seen.first = time.perf_counter()
            elif type(event) is Finish:
                reasons.append(event.reason)
            elif type(event) is Usage:
                seen.usage = seen.usage + event
                seen.span.set("gen_ai.usage.input_tokens", event.prompt_tokens)
                seen.span.set("gen_ai.usage.output_tokens", event.completion_tokens)
            elif type(event) is Answered:
                seen.span.set("mainspring.answered", event.answered)
            yield event
    except Exception as error:
        seen.span.fail(error)
        seen.code = error_code(error)
        seen.status = _status(error)
        raise
    seen.code = ""
    seen.span.set("gen_ai.response.finish_reasons", reasons)


def _status(error: BaseException) -> int:
    """The HTTP status; a cancelled request has none."""
    if isinstance(error, MainspringError):
        return error.status
    return 500 if isinstance(error, Exception) else 200
