"""Hedging: a second attempt if the first is slower than most; the one that begins to answer first wins (Dean, Barroso,
The Tail at Scale, 2013)."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Awaitable, Callable

import mainspring.serving.admit.token_estimate as estimate
from mainspring.core.path import collect
from mainspring.core.types import Context, Event, Head, Request, Responder, Response, Usage

Attempt = asyncio.Task[Response]


async def race(
    first: Attempt, second: Callable[[], Attempt | None], after_s: float, lost: Callable[[], Awaitable[None]]
) -> tuple[Response, str]:
    """The response of the attempt that commits first, and the outcome of the second: ``""`` (there was none), ``won``,
    ``lost`` or ``failed``.

    ``second`` is called when ``first`` has not committed within ``after_s``. The other attempt is cancelled and
    ``lost`` awaited for it. Raises the error of ``first`` if both fail, or the error of the only one.
    """
    attempts: set[Attempt] = {first}
    try:
        await asyncio.wait(attempts, timeout=after_s)
        if first.done() or (other := second()) is None:
            return await first, ""
        attempts.add(other)
        await asyncio.wait(attempts, return_when=asyncio.FIRST_COMPLETED)
        winner = first if _won(first) or not other.done() else other
        if winner.done() and not _won(winner):
            # One has failed: the answer is the other's.
            winner = other if winner is first else first
            await asyncio.wait({winner})
            if not _won(winner):
                return await first, "failed"
            return winner.result(), "won" if winner is other else "failed"
        await _stop(other if winner is first else first)
        await lost()
        return winner.result(), "lost" if winner is first else "won"
    except BaseException:
        for attempt in attempts:
            await _stop(attempt)
        raise


def _won(attempt: Attempt) -> bool:
    return attempt.done() and not attempt.cancelled() and attempt.exception() is None


async def _stop(attempt: Attempt) -> None:
    """Cancel an attempt; close its response if it has committed in the meantime."""
    attempt.cancel()
    await asyncio.wait({attempt})
    if _won(attempt):
        await attempt.result().aclose()


async def meter_lost(side: Callable[[Responder], Responder], model: str, request: Request, context: Context) -> None:
    """Have ``side`` record a call whose prompt was sent and whose answer nobody reads."""
    usage = Usage(prompt_tokens=estimate.prompt_tokens(request))
    noted = dataclasses.replace(context, arms={**context.arms, "hedge": "lost"})
    await collect(await side(_Abandoned(model, usage)).respond(request, noted))


class _Abandoned:
    def __init__(self, model: str, usage: Usage) -> None:
        self._model = model
        self._usage = usage

    async def respond(self, request: Request, context: Context) -> Response:  # noqa: ARG002
        return Response(Head(self._model), self._events())

    def fingerprint(self, request: Request, context: Context) -> str | None:  # noqa: ARG002
        return None

    async def _events(self) -> AsyncGenerator[Event, None]:
        yield self._usage
