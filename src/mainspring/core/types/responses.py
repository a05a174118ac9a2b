"""A committed answer, and the protocol of everything that answers."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from mainspring.core.types.contexts import Context
from mainspring.core.types.events import Event, Usage
from mainspring.core.types.requests import Request

IGNORED_HEADER = "x-mainspring-ignored"
"""Names what a request asks for that is accepted and changes no answer."""


@dataclass(frozen=True, slots=True)
class Head:
    """The facts known when an answer is committed: they become response headers.

    ``answer_id`` names the answer in events and feedback; ``model`` is the model that really answers; ``cache`` is
    ``""``, ``"miss"`` or ``"hit"``; ``headers`` are further response headers (rate limits). ``arm`` is its part of a
    route's traffic, ``replica`` the replica that answered. ``instead`` is the model that should have answered but could
    not: a substitute's answer is never cached. ``variant`` is the candidate that an application used.
    """

    model: str
    answer_id: str = ""
    arm: str = ""
    replica: str = ""
    instead: str = ""
    variant: str = ""
    cache: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


Close = Callable[[], Awaitable[None]]


class Ending:
    """The moment when generation ends, which may be long before the reader has read everything.

    The generator calls ``tell``, with its usage if known; only the first call counts. ``written`` is the number of
    tokens so far.
    """

    __slots__ = ("_told", "_usage", "_watchers", "written")

    def __init__(self) -> None:
        self.written = 0
        self._watchers: list[Callable[[Usage | None], None]] = []
        self._told = False
        self._usage: Usage | None = None

    def watch(self, watcher: Callable[[Usage | None], None]) -> None:
        """Call ``watcher`` when the engine has finished; at once if it already has."""
        if self._told:
            watcher(self._usage)
        else:
            self._watchers.append(watcher)

    def tell(self, usage: Usage | None) -> None:
        if not self._told:
            self._told, self._usage = True, usage
            for watcher in self._watchers:
                watcher(usage)


class Events(AsyncIterator[Event]):
    """The events of a response on their way through a layer; iterating has no overhead.

    ``aclose()`` closes their response, with everything beneath it. A layer that needs the results of
    those callbacks calls it after the last event; otherwise they run at the end, before its own.
    """

    __slots__ = ("_iterator", "aclose")

    def __init__(self, iterator: AsyncIterator[Event], aclose: Close) -> None:
        self._iterator = iterator
        self.aclose = aclose

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._iterator

    def __anext__(self) -> Awaitable[Event]:
        return self._iterator.__anext__()


Transform = Callable[[Events], AsyncGenerator[Event, None]]


class Response:
    """A committed answer: a head and a stream of events.

    Iterate it to the end or call ``aclose()``; both release the responses beneath, inner before outer, in the caller's
    own task. (Nested bare async generators finalise outer first, or in another task altogether.) A late failure is
    raised from the iteration. Use as ``async with response: async for event in response``. ``ending``, if known,
    reports when the engine has finished.
    """

    __slots__ = ("_callbacks", "_events", "_finished", "_inner", "_iterator", "ending", "head")

    def __init__(
        self,
        head: Head,
        events: AsyncIterator[Event],
        *,
        on_close: Close | None = None,
        ending: Ending | None = None,
    ) -> None:
        self.head = head
        self.ending = ending
        self._events = events
        self._iterator = events.__aiter__()
        self._inner: Response | None = None
        self._callbacks: list[Close] = [on_close] if on_close else []
        self._finished = False

    def through(self, transform: Transform, *, head: Head | None = None, on_close: Close | None = None) -> Response:
        """This response with its events passed through ``transform``, an async generator function."""
        outer = Response(
            head or self.head, transform(Events(self._iterator, self.aclose)), on_close=on_close, ending=self.ending
        )
        outer._inner = self
        return outer

    def with_head(self, **changes: Any) -> Response:
        """This response under a changed head; the stream is untouched."""
        self.head = dataclasses.replace(self.head, **changes)
        return self

    def on_close(self, callback: Close) -> Response:
        """Run ``callback`` exactly once when the stream has ended, failed or been closed."""
        self._callbacks.append(callback)
        return self

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        try:
            return await self._iterator.__anext__()
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close inner responses, then this generator, then run the callbacks. Idempotent."""
        if self._finished:
            return
        self._finished = True
        try:
            if self._inner is not None:
                await self._inner.aclose()
        finally:
            try:
                close = getattr(self._events, "aclose", None)
                if close is not None:
                    await close()
            finally:
                await self._release()

    async def _release(self) -> None:
        # A failing or cancelled callback must not prevent the others from releasing their resources.
        try:
            while self._callbacks:
                await self._callbacks.pop(0)()
        finally:
            if self._callbacks:
                await self._release()

    async def __aenter__(self) -> Response:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()


@runtime_checkable
class Responder(Protocol):
    """Everything that answers.

    Returning is the commit point: before ``respond`` returns, a failure is an exception, becomes an HTTP
    status and may be retried or rerouted; after it, never.
    """

    async def respond(self, request: Request, context: Context) -> Response:
        """Answer, or raise a ``MainspringError``."""
        ...

    def fingerprint(self, request: Request, context: Context) -> str | None:
        """The state behind the answer besides the request: weights, prompt, policy, collection versions, access groups.
        None: never cache these answers."""
        ...
