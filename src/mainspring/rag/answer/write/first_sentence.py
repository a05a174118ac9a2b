"""Whether a model has written an answer, or the documents' own words are the better one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Sequence
from enum import Enum

from mainspring.core.errors import (
    DeadlineExceeded,
    EngineError,
    Overloaded,
    PromptTooLong,
    RateLimited,
    Unavailable,
)
from mainspring.core.types import Event, Response, Text


class Unwritten(Enum):
    """Why there is no written answer."""

    REFUSED = "the model says that its sources do not state the answer"
    QUOTED = "what the model wrote is not in its sources, or it could not write in time"


async def checked_first(response: Response) -> Response | Unwritten:
    """``response`` once its first sentence is there; ``QUOTED`` if that is a quotation, which replaces a sentence that
    failed its check. Several sentences that are chosen together answer better than this one (readable .69 against .62
    of 2, contained 9 of 16 against 6: docs/log.md, 2026-11-29). The response is then read to its end, so that what it
    cost is settled."""
    begun: list[Event] = []
    async for event in response:
        begun.append(event)
        if isinstance(event, Text):
            break
    if not any(isinstance(event, Text) and event.grounds != "verbatim" for event in begun):
        async for _ in response:
            pass
        return Unwritten.QUOTED
    return Response(response.head, _followed(begun, response), on_close=response.aclose)


async def in_time(writing: Awaitable[Response | Unwritten], seconds: float) -> Response | Unwritten:
    """The outcome of ``writing``; ``QUOTED`` where nothing is there after so many ``seconds``, or where the model
    cannot be asked now: it is busy, down, over a limit, or the question is too long for it."""
    try:
        async with asyncio.timeout(seconds):
            return await writing
    except (DeadlineExceeded, EngineError, Overloaded, PromptTooLong, RateLimited, TimeoutError, Unavailable):
        return Unwritten.QUOTED


async def _followed(begun: Sequence[Event], rest: Response) -> AsyncGenerator[Event, None]:
    for event in begun:
        yield event
    async for event in rest:
        yield event
