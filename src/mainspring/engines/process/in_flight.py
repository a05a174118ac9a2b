"""A request in progress: the events from its engine's child as a stream for its caller."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from types import TracebackType

from mainspring.core.types import Ending, Event, Finish, Usage


class EventJob(AsyncGenerator[Event, None]):
    """A queue of events with one reader. ``cancel`` is called once if the reader leaves before the end; ``ending``
    tells when the child is done with it, however slowly it is read.

    A class, not an async generator: one that was never started would not run its ``finally`` when closed.
    """

    __slots__ = ("_cancel", "_error", "_events", "_expiry", "_waiter", "ending", "over")

    def __init__(self, cancel: Callable[[EventJob], None]) -> None:
        self._cancel = cancel
        self._events: deque[Event] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self.over = False
        self.ending = Ending()

    def push(self, event: Event) -> None:
        """Add an event."""
        self._events.append(event)
        self._wake()

    def end(self, *events: Event) -> None:
        """Add the last events; nothing follows."""
        self._events.extend(events)
        self._stop(next((event for event in events if isinstance(event, Usage)), None))

    def fail(self, error: BaseException) -> None:
        """End with ``error``, raised once the events before it are read."""
        if not self.over:
            self._error = error
            self._stop()

    def expire(self, timeout: float, error: BaseException) -> None:
        """Cancel and fail with ``error`` in ``timeout`` seconds unless it has ended before."""
        self._expiry = asyncio.get_running_loop().call_later(timeout, self._expired, error)

    async def wait(self) -> None:
        """Return when the first event is there. Raises the failure if there is no event; cancelling the caller cancels
        the request."""
        try:
            while not self._events:
                if self.over:
                    if self._error is not None:
                        raise self._error
                    return
                await self._sleep()
        except BaseException:
            self._leave()
            raise

    def __aiter__(self) -> EventJob:
        return self

    async def __anext__(self) -> Event:
        try:
            while not self._events:
                if self.over:
                    if self._error is not None:
                        error, self._error = self._error, None
                        raise error
                    raise StopAsyncIteration
                await self._sleep()
        except BaseException:
            self._leave()
            raise
        return self._events.popleft()

    async def asend(self, _value: None) -> Event:
        return await self.__anext__()

    async def athrow(
        self,
        typ: type[BaseException] | BaseException,
        _val: BaseException | object = None,
        _tb: TracebackType | None = None,
    ) -> Event:
        self._leave()
        raise typ

    async def aclose(self) -> None:
        """Cancel if the job still runs, and drop unread events. Idempotent."""
        self._leave()
        self._events.clear()
        self._error = None

    async def _sleep(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _stop(self, usage: Usage | None = None) -> None:
        self.over = True
        self.ending.tell(usage)
        if self._expiry is not None:
            self._expiry.cancel()
        self._wake()

    def _leave(self) -> None:
        if not self.over:
            self._stop()
            self._cancel(self)

    def _expired(self, error: BaseException) -> None:
        if not self.over:
            self._cancel(self)
            self.fail(error)


def finishes(reasons: list[str]) -> list[Event]:
    """One ``Finish`` for each choice: ``length``, ``stop``, or ``stop:`` and the stop string that ended it."""
    told = [reason.partition(":") for reason in reasons]
    return [Finish("stop" if kind == "stop" else "length", choice, by) for choice, (kind, _, by) in enumerate(told)]
