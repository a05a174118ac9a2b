"""Slots of scarce things, such as processes that run code, which tenants get in turns."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mainspring.core.fair.lane import LANE


@dataclass(eq=False, slots=True)
class _Waiters:
    running: int = 0
    turn: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class FairSlots:
    """So many ``slots`` for all tenants. A free one goes to the tenant that has the fewest, and among several to the
    one whose turn is the longest ago: another tenant's run waits for one of fifty runs of a tenant, and not for all.
    Belongs to one event loop."""

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._turns = 0
        self._lanes: dict[str, _Waiters] = {}

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """A slot for the current tenant."""
        name = LANE.get()
        lane = self._lanes.setdefault(name, _Waiters())
        if self._free:
            self._take(lane)
        else:
            lane.waiting.append(mine := asyncio.get_running_loop().create_future())
            try:
                await mine
            except asyncio.CancelledError:
                # Its slot may have come in the meantime.
                if mine.done() and not mine.cancelled():
                    self._give(name, lane)
                else:
                    lane.waiting.remove(mine)
                    self._tidy(name, lane)
                raise
        try:
            yield
        finally:
            self._give(name, lane)

    def _take(self, lane: _Waiters) -> None:
        self._free -= 1
        self._turns += 1
        lane.running += 1
        lane.turn = self._turns

    def _give(self, name: str, lane: _Waiters) -> None:
        self._free += 1
        lane.running -= 1
        waiting = [each for each in self._lanes.values() if each.waiting]
        if waiting:
            after = min(waiting, key=lambda each: (each.running, each.turn))
            self._take(after)
            after.waiting.popleft().set_result(None)
        self._tidy(name, lane)

    def _tidy(self, name: str, lane: _Waiters) -> None:
        if not lane.running and not lane.waiting:
            self._lanes.pop(name, None)
