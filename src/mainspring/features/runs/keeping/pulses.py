"""Wakes those who watch a run of this process; runs of others are looked at again after a while."""

from __future__ import annotations

import asyncio
from contextlib import suppress

Place = tuple[str, str]
"""Tenant and id of a run."""


class Pulses:
    """Who waits for which run."""

    def __init__(self) -> None:
        self._waiting: dict[Place, set[asyncio.Event]] = {}

    def tell(self, place: Place) -> None:
        """Something has changed."""
        for each in self._waiting.get(place, ()):
            each.set()

    async def wait(self, place: Place, seconds: float) -> None:
        """Wait until something changes, at most so long."""
        event = asyncio.Event()
        there = self._waiting.setdefault(place, set())
        there.add(event)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await event.wait()
        finally:
            there.discard(event)
            if not there:
                self._waiting.pop(place, None)
