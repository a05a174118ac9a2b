"""One answer for several listeners: generated once, in a task of its own, and replayed while it still runs.

Its cost is charged to one listener, the payer: the earliest of the listeners at its end. When the last one leaves, it
is cancelled and charged to them.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Awaitable, Callable

import mainspring.serving.cache.stored_answers as stored
from mainspring.core.errors import DeadlineExceeded, EngineError
from mainspring.core.facts.calls import CallFacts
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.core.types import Context, Event, EventRecord, Finish, Head, Response, Usage
from mainspring.serving.ring.background import Background
from mainspring.serving.ring.ports import EventLog


class Listener:
    """One request that hears a flight."""

    __slots__ = ("context", "gone")

    def __init__(self, context: Context) -> None:
        self.context = context
        self.gone = False


class SingleFlight:
    """``events`` so far; ``closing`` (usage and finish) are heard only when what ``context`` has spent is
    charged."""

    def __init__(self, context: Context, background: Background, log: EventLog, *, forget: Callable[[], None]) -> None:
        self.events: list[Event] = []
        self.closing: list[Event] = []
        self.head: Head | None = None
        self.retrieved: list[RetrievalFacts] = []
        self._context = context
        self._background = background
        self._log = log
        self._forget = forget
        self._change = asyncio.Event()
        self._listeners: list[Listener] = []
        self._payer: Listener | None = None
        self._error: BaseException | None = None
        self._done = False
        self._joined = 0
        self._task: asyncio.Task[None] | None = None

    def start(self, respond: Callable[[], Awaitable[Response]], keep: Callable[[], Awaitable[None]]) -> None:
        """Begin; ``keep`` stores the whole answer after the listeners have it."""
        self._task = self._background.start(self._run(respond, keep))

    async def join(self, context: Context) -> Response:
        """Hear it from its beginning. Raises its error before the commit point."""
        listener = Listener(context)
        self._listeners.append(listener)
        self._joined += 1
        cache = "miss" if self._joined == 1 else "hit"
        try:
            while self.head is None and not self._done:
                await self._changed(context)
            if self.head is None:
                raise self._failure()
        except BaseException:
            await self._leave(listener)
            raise
        # An answer found by meaning says so to every listener.
        head = dataclasses.replace(self.head, cache=self.head.cache or cache)
        return Response(head, self._replay(listener), on_close=lambda: self._leave(listener))

    async def _run(self, respond: Callable[[], Awaitable[Response]], keep: Callable[[], Awaitable[None]]) -> None:
        try:
            async with await respond() as response:
                self.head = response.head
                self._announce()
                async for event in response:
                    if isinstance(event, Usage | Finish):
                        self.closing.append(event)
                    else:
                        self.events.append(event)
                        self._announce()
        except asyncio.CancelledError:
            self._error = EngineError("the shared answer was cancelled")
            raise
        except Exception as error:
            # Raised again in every listener.
            self._error = error
        finally:
            self._land()
        try:
            if self._error is None:
                await keep()
        finally:
            self._forget()

    def _land(self) -> None:
        self._done = True
        if self._error is not None:
            self._forget()
        noted = self._context.settlement.records
        self.retrieved = [record.facts for record in noted if isinstance(record.facts, RetrievalFacts)]
        if self._listeners:
            self._payer = self._listeners[0]
            self._charge(self._payer.context)
        self._announce()

    def _charge(self, payer: Context) -> None:
        spent, noted = self._context.allowance.spent, self._context.settlement.records
        if spent != Usage():
            payer.allowance.spend(spent)
        payer.settlement.records.extend(_paid_by(record, payer) for record in noted)
        noted.clear()

    def _announce(self) -> None:
        self._change.set()
        self._change.clear()

    async def _changed(self, context: Context) -> None:
        try:
            async with asyncio.timeout(context.remaining()) as timeout:
                await self._change.wait()
        except TimeoutError:
            if not timeout.expired():
                raise
            raise DeadlineExceeded("the answer was not complete before the deadline") from None

    async def _replay(self, listener: Listener) -> AsyncGenerator[Event, None]:
        index = 0
        while True:
            while index < len(self.events):
                yield self.events[index]
                index += 1
            if self._done:
                break
            await self._changed(listener.context)
        if self._error is not None:
            raise self._failure()
        if listener is not self._payer:
            stored.note(listener.context, self.retrieved)
        for event in self.closing:
            yield free(event) if isinstance(event, Usage) and listener is not self._payer else event

    def _failure(self) -> BaseException:
        assert self._error is not None
        return self._error

    async def _leave(self, listener: Listener) -> None:
        if listener.gone:
            return
        listener.gone = True
        self._listeners.remove(listener)
        if self._listeners or self._done:
            return
        self._forget()
        waiting = [True]
        try:
            await self._background.finish(self._abandon(listener, waiting))
        finally:
            waiting.clear()

    async def _abandon(self, listener: Listener, waiting: list[bool]) -> None:
        """Stop an answer that has no listeners any more, and charge its last listener."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        if waiting:
            self._charge(listener.context)
        elif self._context.settlement.records:
            # The last listener was cancelled while it left and has settled already: the facts are committed separately.
            await self._log.append(*self._context.settlement.records)


def _paid_by(record: EventRecord, payer: Context) -> EventRecord:
    """A fact of the shared answer, rewritten for the request that pays for it: the first one may have left."""
    if record.trace_id == payer.trace.trace_id:
        return record
    facts = record.facts
    if isinstance(facts, CallFacts):
        facts = dataclasses.replace(facts, key_id=payer.principal.key_id)
    return dataclasses.replace(record, trace_id=payer.trace.trace_id, facts=facts)


def free(usage: Usage) -> Usage:
    """The usage of an answer for callers who did not cause it: free, with the whole prompt cached."""
    saved = usage.saved_nanousd + usage.cost_nanousd
    return dataclasses.replace(usage, cached_tokens=usage.prompt_tokens, cost_nanousd=0, saved_nanousd=saved)
