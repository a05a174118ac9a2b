"""Wakes those who watch cases when something changes in this process."""

from __future__ import annotations

import asyncio


class Pulse:
    """One for a system. Watchers also look by themselves now and then: another process may have changed something."""

    def __init__(self) -> None:
        self._more = asyncio.Event()
        self.beats = 0

    def beat(self) -> None:
        """Wake all watchers."""
        self.beats += 1
        more, self._more = self._more, asyncio.Event()
        more.set()

    async def wait(self, since: int, seconds: float) -> None:
        """Until something has changed since the count of ``beats`` was ``since``, ``seconds`` at most."""
        if self.beats != since:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._more.wait()
        except TimeoutError:
            return
