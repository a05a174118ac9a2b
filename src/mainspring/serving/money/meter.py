"""Every model call, counted and priced in one place, whatever its caller and outcome."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import ExitStack
from typing import Any

import mainspring.serving.admit.token_estimate as estimate
import mainspring.serving.money.prefix_cache_advice as advice
from mainspring.core.errors import DeadlineExceeded
from mainspring.core.facts.calls import CallFacts, RouteFacts
from mainspring.core.path import Layer
from mainspring.core.settings.serving.routing import RESERVED
from mainspring.core.types import (
    ChatRequest,
    CompletionRequest,
    Context,
    Event,
    EventRecord,
    Finish,
    Request,
    Responder,
    Response,
    Text,
    Usage,
)
from mainspring.serving.money.pricing import Price, Tariff
from mainspring.serving.ring.ports import Span, Tracing
from mainspring.serving.ring.record import error_code, operation
from mainspring.stores.events.of_request import request_event
from mainspring.telemetry.metrics import Metrics

# The codes of calls that their caller left, or had no more time for.
_LEFT = ("cancelled", DeadlineExceeded.code)


class _Call:
    """The current knowledge about one call."""

    __slots__ = (
        "at",
        "closing",
        "code",
        "committed",
        "context",
        "done",
        "first",
        "generated",
        "late",
        "reason",
        "replica",
        "request",
        "span",
        "started",
        "usage",
    )

    def __init__(self, request: Request, context: Context, span: Span) -> None:
        self.request = request
        self.context = context
        self.span = span
        self.at = time.time()
        self.started = time.perf_counter()
        self.first: float | None = None
        self.generated = 0
        self.committed = False
        remaining = context.remaining()
        self.late = remaining is not None and remaining <= 0
        self.replica = ""
        self.usage: Usage | None = None
        self.code = "cancelled"
        self.done = False
        self.closing: list[Event] = []


class Meter(Layer):
    """Adds one ``call`` event to the settlement and its cost to the allowance, when the call ends and before its
    ``Finish``.

    A model that ``sends`` gets its prompt at once, at an endpoint that charges for reading: the prompt of a call that
    ends before its first token counts. ``assembled`` returns the stored part of a prompt (None: nothing).
    """

    def __init__(
        self,
        inner: Responder,
        model: str,
        price: Price | Tariff,
        metrics: Metrics,
        tracing: Tracing,
        *,
        provider: str,
        sends: bool = False,
        assembled: Callable[[Request], str | None] | None = None,
    ) -> None:
        super().__init__(inner)
        self._assembled = assembled
        self._sends = sends
        self._model = model
        self._tariff = price if isinstance(price, Tariff) else Tariff.fixed(price)
        self._metrics = metrics
        self._tracing = tracing
        self._provider = provider

    async def respond(self, request: Request, context: Context) -> Response:
        name = operation(request)
        attributes = {
            "gen_ai.operation.name": name,
            "gen_ai.provider.name": self._provider,
            "gen_ai.request.model": self._model,
            **_asked(request),
        }
        with ExitStack() as stack:
            span = stack.enter_context(self._tracing.span(f"{name} {self._model}", context, **attributes))
            call = _Call(request, context, span)
            try:
                response = await self.inner.respond(request, span.context)
            except BaseException as error:
                span.fail(error)
                self._account(call, error_code(error))
                raise
            call.committed = True
            call.replica = response.head.replica
            # The span lasts as long as the stream: from here on the response's close ends it.
            ended = stack.pop_all()

        async def close() -> None:
            with ended:
                self._account(call, call.code)

        return response.through(lambda events: self._metered(events, call), on_close=close)

    async def _metered(self, events: AsyncIterator[Event], call: _Call) -> AsyncGenerator[Event, None]:
        gap, model, clock = self._metrics.gap, self._model, time.perf_counter
        last = 0.0
        try:
            async for event in events:
                if type(event) is Text:
                    now = clock()
                    if last:
                        gap(model, now - last)
                    else:
                        call.first = now
                    last = now
                    call.generated += event.tokens
                elif isinstance(event, Usage | Finish):
                    call.closing.append(event)
                    continue
                yield event
        except Exception as error:
            call.span.fail(error)
            call.code = error_code(error)
            raise
        usage = self._account(call, "")
        if call.usage is not None:
            yield usage
        for event in call.closing:
            if isinstance(event, Finish):
                yield event

    def _account(self, call: _Call, code: str) -> Usage:
        """Write the call down, once."""
        if call.done:
            return Usage()
        call.done = True
        reported = [event for event in call.closing if isinstance(event, Usage)]
        call.usage = sum(reported, Usage()) if reported else None
        reasons = [event.reason for event in call.closing if isinstance(event, Finish)]
        usage = call.usage or self._estimated(call, code)
        price = self._tariff.price(call.at, call.context.allowance.rate)
        usage = dataclasses.replace(usage, cost_nanousd=price.cost(usage))
        now = time.perf_counter()
        ttft = None if call.first is None else call.first - call.started
        call.context.allowance.spend(usage)
        record = self._record(call, usage, reasons, ttft, now - call.started, code, price)
        call.context.settlement.records.append(record)
        self._metrics.call(self._model, usage, ttft, now - call.started, code)
        for route, arm in call.context.arms.items():
            if route not in RESERVED:
                self._metrics.arm_call(route, arm, usage, ttft, now - call.started, code)
        if ttft is not None:
            call.span.set("mainspring.ttft_s", round(ttft, 6))
        call.span.set("gen_ai.usage.input_tokens", usage.prompt_tokens)
        call.span.set("gen_ai.usage.output_tokens", usage.completion_tokens)
        if usage.cached_tokens:
            call.span.set("mainspring.cached_tokens", usage.cached_tokens)
        if usage.cost_nanousd:
            call.span.set("mainspring.cost_nanousd", usage.cost_nanousd)
        if reasons:
            call.span.set("gen_ai.response.finish_reasons", reasons)
        return usage

    def _estimated(self, call: _Call, code: str) -> Usage:
        # An engine that was stopped has not reported its input; one that refused has read nothing.
        sent = self._sends and code in _LEFT and not call.late
        if not (call.committed or sent):
            return Usage()
        return Usage(estimate.prompt_tokens(call.request), call.generated)

    def _record(
        self,
        call: _Call,
        usage: Usage,
        reasons: list[Any],
        ttft: float | None,
        duration: float,
        code: str,
        price: Price,
    ) -> EventRecord:
        allowance = call.context.allowance
        context, routed = call.context, call.context.routed
        prefix, prefix_tokens = _prefix(call)
        facts = CallFacts(
            model=self._model,
            provider=self._provider,
            operation=operation(call.request),
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens,
            cost_nanousd=usage.cost_nanousd,
            duration_s=round(duration, 6),
            ttft_s=None if ttft is None else round(ttft, 6),
            finish=reasons,
            depth=context.depth,
            key_id=context.principal.key_id,
            application=call.context.settlement.application,
            price=self._tariff.facts(price, usage.prompt_tokens, allowance.rate),
            prefix=prefix,
            prefix_tokens=prefix_tokens,
            saved_nanousd=price.saved(usage),
            unpriced=not self._tariff.priced,
            estimated=call.usage is None and usage != Usage(),
            # Where the trace of the call has its span.
            span_id=call.span.context.trace.span_id,
            arms=dict(context.arms) if context.arms else None,
            route=None if routed is None else RouteFacts(id=routed.id, asked=routed.asked),
            replica=call.replica,
            error=code,
        )
        return request_event(
            context,
            facts,
            at=call.at,
            content=self._assembled(call.request) if self._assembled is not None and call.committed else None,
        )


def _prefix(call: _Call) -> tuple[str, int]:
    """The start of a call, hashed with the tenant's key, and its tokens: it identifies calls with the same start
    without revealing the start."""
    if (kept := advice.prefix_tokens(call.request)) is None:
        return "", 0
    text, tokens = kept
    key = hashlib.sha256(call.context.principal.tenant.encode()).digest()
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8, key=key)
    return digest.hexdigest(), tokens


def _asked(request: Request) -> dict[str, Any]:
    """The sampling parameters of a call, as attributes of its span."""
    if not isinstance(request, ChatRequest | CompletionRequest):
        return {}
    sampling = request.sampling
    asked = {"max_tokens": sampling.max_tokens, "temperature": sampling.temperature, "top_p": sampling.top_p}
    return {f"gen_ai.request.{name}": value for name, value in asked.items() if value is not None}
