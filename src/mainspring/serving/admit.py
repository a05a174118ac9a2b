"""Admission of one call to an engine: within its deadline, its allowance and the engine's own bound."""

from __future__ import annotations

import asyncio

from mainspring.errors import DeadlineExceeded, Overloaded, RateLimited
from mainspring.path import Layer
from mainspring.types import Context, Request, Responder, Response


class Admit(Layer):
    """Refuses at once what cannot be served.

    At most ``concurrency`` answers run at a time; None is for engines that bound themselves.
    """

    def __init__(self, inner: Responder, *, concurrency: int | None = None) -> None:
        super().__init__(inner)
        self._concurrency = concurrency
        self._running = 0

    async def respond(self, request: Request, context: Context) -> Response:
        remaining = context.remaining()
        if remaining is not None and remaining <= 0:
            raise DeadlineExceeded("the deadline passed before the model was called")
        _check_allowance(context)
        if self._concurrency is None:
            return await self._within(remaining, request, context)
        if self._running >= self._concurrency:
            raise Overloaded(
                f"{request.model} answers {self._running} requests, as many as it may",
                remedy="Try again shortly",
                retry_after=1.0,
            )
        self._running += 1
        try:
            response = await self._within(remaining, request, context)
        except BaseException:
            self._running -= 1
            raise
        return response.on_close(self._leave)

    async def _within(self, remaining: float | None, request: Request, context: Context) -> Response:
        timeout = asyncio.timeout(remaining)
        try:
            async with timeout:
                return await self.inner.respond(request, context)
        except TimeoutError:
            if not timeout.expired():
                raise
            raise DeadlineExceeded(f"{request.model} did not begin to answer before the deadline") from None

    async def _leave(self) -> None:
        self._running -= 1


def _check_allowance(context: Context) -> None:
    allowance = context.allowance
    if allowance.tokens is not None and allowance.tokens <= 0:
        raise RateLimited("the request has spent all the tokens that it was allowed", param="tokens")
    if allowance.steps is not None:
        if allowance.steps <= 0:
            raise RateLimited("the request has made all the model calls that it was allowed", param="steps")
        allowance.steps -= 1
