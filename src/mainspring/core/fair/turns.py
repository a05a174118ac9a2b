"""Turns at resources other than threads, such as the connections of a pool."""

from __future__ import annotations

from asyncio import Semaphore
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mainspring.core.fair.lane import LANE


@dataclass(eq=False, slots=True)
class _Turns:
    free: Semaphore
    here: int = 0


class FairTurns:
    """At most ``each`` turns of one tenant at a time; the server's own work has no limit. Belongs to one event loop."""

    def __init__(self, each: int) -> None:
        self._each = each
        self._lanes: dict[str, _Turns] = {}

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """A turn of the current tenant; first come, first served."""
        name = LANE.get()
        if not name:
            yield
            return
        lane = self._lanes.setdefault(name, _Turns(Semaphore(self._each)))
        lane.here += 1
        try:
            async with lane.free:
                yield
        finally:
            lane.here -= 1
            if not lane.here:
                del self._lanes[name]
