"""Wakes those who watch the cases of a tenant when something changes in this process."""

from __future__ import annotations

import asyncio
from collections import Counter


class Pulse:
    """One for a system. Watchers also look by themselves now and then: another process may have changed something."""

    def __init__(self) -> None:
        self._more: dict[str, asyncio.Event] = {}
        self._beats: Counter[str] = Counter()

    def beats(self, tenant: str) -> int:
        """How many there were."""
        return self._beats[tenant]

    def beat(self, tenant: str) -> None:
        """Wake all watchers of the tenant."""
        self._beats[tenant] += 1
        more = self._more.pop(tenant, None)
        if more is not None:
            more.set()

    async def wait(self, tenant: str, since: int, seconds: float) -> None:
        """Until something has changed since the count of ``beats`` was ``since``, ``seconds`` at most."""
        if self._beats[tenant] != since:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._more.setdefault(tenant, asyncio.Event()).wait()
        except TimeoutError:
            return
