"""The layers' interfaces to other rooms: no more than they use."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from mainspring.core.types import Context, EventRecord
from mainspring.stores.sessions.conversations import Conversation, SessionTurn


class Span(Protocol):
    """One timed step of a trace; ``context`` is the context of what happens below it."""

    @property
    def context(self) -> Context: ...

    def set(self, key: str, value: Any) -> None: ...

    def fail(self, error: BaseException) -> None: ...

    def keep(self, reason: str) -> None:
        """Keep the whole trace."""
        ...

    def past(self, name: str, start_ns: int, end_ns: int, **attributes: Any) -> None:
        """Add a finished step below this one; times are Unix nanoseconds."""
        ...


class Tracing(Protocol):
    def span(self, name: str, context: Context, **attributes: Any) -> AbstractContextManager[Span]: ...


class EventLog(Protocol):
    """Facts, durable when a call returns."""

    async def append(self, *records: EventRecord) -> None: ...

    async def settle(
        self, records: Sequence[EventRecord], turns: Sequence[SessionTurn] = (), released: str = ""
    ) -> None:
        """Everything is in one commit, or nothing; the commit also releases the reservation ``released``."""
        ...


class DiskRoom(Protocol):
    """The room on the disk."""

    def admit_answer(self) -> None:
        """Raises ``StorageFull`` if there may be no room for the facts of an answer."""


class Histories(Protocol):
    """The conversations under their stored names."""

    async def read(
        self, tenant: str, session_id: str, *, limit: int, first: int = 0, summary: bool = False
    ) -> Conversation:
        """The latest ``limit`` messages (with ``summary`` of those that it does not cover) and the ``first`` ones."""
        ...

    async def reserve(self, tenant: str, session_id: str, tokens: int, budget: int, *, lease_s: float) -> int | None:
        """Reserve ``tokens``; returns the rest if it is too small, None if they were reserved."""
        ...


class FinishedAnswers(Protocol):
    """The store of finished answers; losing it loses nothing."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes, ttl_s: float, tags: frozenset[str]) -> None: ...
