"""Admission of one call to an engine: within its deadline, its allowance of calls, and when the gate lets it in."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import mainspring.serving.admit.token_estimate as estimate
from mainspring.core.errors import DeadlineExceeded, MainspringError, RateLimited
from mainspring.core.path import Layer
from mainspring.core.types import (
    ChatRequest,
    CompletionRequest,
    Context,
    Request,
    Responder,
    Response,
    Usage,
)
from mainspring.serving.admit.expected_usage import Work
from mainspring.serving.admit.gate import Gate, Place
from mainspring.serving.ring.ports import Tracing


class Admit(Layer):
    """Lets a call wait for its place in the engine, or refuses it at once.

    Without a ``gate`` every call is admitted; this is for engines that limit their load themselves. The place is given
    back when the engine is done, however slowly the answer is read.
    """

    def __init__(
        self,
        inner: Responder,
        gate: Gate | None = None,
        tracing: Tracing | None = None,
        *,
        default_output_tokens: int = 512,
    ) -> None:
        super().__init__(inner)
        self._gate = gate
        self._tracing = tracing
        self._default_output = default_output_tokens

    async def respond(self, request: Request, context: Context) -> Response:
        remaining = context.remaining()
        if remaining is not None and remaining <= 0:
            raise DeadlineExceeded("the deadline passed before the model was called")
        _take_step(context)
        try:
            return await self._admitted(request, context)
        except MainspringError:
            # A call that failed before it started does not count: the next attempt, or the next replica, repeats it.
            if context.allowance.steps is not None:
                context.allowance.steps += 1
            raise

    async def _admitted(self, request: Request, context: Context) -> Response:
        if self._gate is None:
            return await self._watched(request, context)
        place = await self._enter(self._gate, request, context)
        try:
            response = await self._watched(request, context)
        except BaseException as error:
            # A call that failed before it started did nothing; for a cancelled one the progress is unknown.
            place.leave(Usage() if isinstance(error, MainspringError) else None)
            raise
        if (ending := response.ending) is not None:
            ending.watch(place.leave)
            place.follow(lambda: ending.written)

        async def close() -> None:
            place.leave(None)

        return response.on_close(close)

    async def _enter(self, gate: Gate, request: Request, context: Context) -> Place:
        work = work_of(request, self._default_output)
        if (free := gate.enter(work, context)) is not None:
            return free
        if self._tracing is None:
            return await gate.wait(work, context)
        with self._tracing.span("queue", context) as span:
            place = await gate.wait(work, context)
            span.set("mainspring.queue.waited_s", round(place.waited_s, 6))
            span.set("mainspring.queue.predicted_s", round(place.predicted_s, 6))
            return place

    async def _watched(self, request: Request, context: Context) -> Response:
        """One span lasts until the model's first token, and a second one from there to its last."""
        if self._tracing is None or not isinstance(request, ChatRequest | CompletionRequest):
            return await self._within(request, context)
        with self._tracing.span("prefill", context):
            response = await self._within(request, context)
        running = ExitStack()
        span = running.enter_context(self._tracing.span("decode", context))

        def done(usage: Usage | None) -> None:
            if usage is not None:
                span.set("gen_ai.usage.output_tokens", usage.completion_tokens)
            running.close()

        async def close() -> None:
            running.close()

        if response.ending is not None:
            response.ending.watch(done)
        return response.on_close(close)

    async def _within(self, request: Request, context: Context) -> Response:
        timeout = asyncio.timeout(context.remaining())
        try:
            async with timeout:
                return await self.inner.respond(request, context)
        except TimeoutError:
            if not timeout.expired():
                raise
            raise DeadlineExceeded(f"{request.model} did not begin to answer before the deadline") from None


def work_of(request: Request, default_output: int) -> Work:
    """The estimated work of ``request`` for an engine."""
    prompt = estimate.prompt_tokens(request)
    if not isinstance(request, ChatRequest | CompletionRequest):
        return Work(prompt, 0)
    sampling = request.sampling
    output = default_output if sampling.max_tokens is None else sampling.max_tokens
    return Work(prompt, output, max(sampling.n, sampling.beams, 1))


def _take_step(context: Context) -> None:
    allowance = context.allowance
    if allowance.steps is not None:
        if allowance.steps <= 0:
            raise RateLimited("the request has made all the model calls that it was allowed", param="steps")
        allowance.steps -= 1
