"""The commit point of an engine's stream: its first event is there before anyone is handed the stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Any

from mainspring.core.errors import EngineError
from mainspring.core.types import Event


class CommittedStream(AsyncGenerator[Event, None]):
    """A started generator with its first event put back in front.

    A bare async generator that was never iterated does not run its ``finally`` on ``aclose()``. This generator has
    started, so closing it always releases its resources.
    """

    def __init__(self, first: Event, rest: AsyncGenerator[Event, None]) -> None:
        self._first: Event | None = first
        self._rest = rest

    async def __anext__(self) -> Event:
        # The method is written out: the base class's one is another coroutine for each event.
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return await self._rest.__anext__()

    async def asend(self, _value: None) -> Event:
        return await self.__anext__()

    async def athrow(
        self, typ: Any, val: BaseException | object | None = None, tb: TracebackType | None = None
    ) -> Event:
        self._first = None
        error = val if isinstance(val, BaseException) else typ if isinstance(typ, BaseException) else typ()
        return await self._rest.athrow(error.with_traceback(tb) if tb else error)

    async def aclose(self) -> None:
        self._first = None
        await self._rest.aclose()


async def commit(events: AsyncGenerator[Event, None]) -> CommittedStream:
    """Wait for the first event of ``events``; an earlier failure is raised here, after releasing everything.

    Raises ``EngineError`` if the generator ends without any event.
    """
    try:
        first = await events.__anext__()
    except StopAsyncIteration:
        raise EngineError("the engine ended a generation without a token or an end") from None
    except BaseException:
        await events.aclose()
        raise
    return CommittedStream(first, events)
