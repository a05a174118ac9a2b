"""Limits the concurrent work of one tenant while others wait for the same resource.

Searches are steps of Python, and one step runs at a time: beside sixteen searches of one tenant, another's single one
gets a seventeenth. So each tenant has its own line. Alone it does as many as keep the machine busy, beside others few.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

Result = TypeVar("Result")

ABOUT_S = 2.0
"""Seconds for which a tenant counts as active after its last turn."""
_LINES = 1024


@dataclass(slots=True)
class _Line:
    running: int = 0
    left_at: float = 0.0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)

    def there(self, now: float) -> bool:
        return self.running > 0 or bool(self.waiting) or now - self.left_at < ABOUT_S


class TenantTurns:
    """``alone`` is a tenant's maximum at a time, ``beside`` the maximum while others wait. Belongs to one event
    loop."""

    def __init__(
        self,
        alone: int = 2 * (os.cpu_count() or 1),
        beside: int = max(1, (os.cpu_count() or 1) // 2),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._alone, self._beside = alone, beside
        self._clock = clock
        self._lines: dict[str, _Line] = {}

    @asynccontextmanager
    async def of(self, tenant: str) -> AsyncIterator[None]:
        """A turn of the tenant, in the order in which they were asked for."""
        line = self._line(tenant)
        if line.waiting or line.running >= self._most(tenant):
            await self._wait(tenant, line)
        else:
            line.running += 1
        try:
            yield
        finally:
            line.running -= 1
            line.left_at = self._clock()
            self._admit(tenant, line)

    async def to_thread(self, tenant: str, function: Callable[..., Result], *arguments: Any) -> Result:
        """The result of ``function``, run in a thread in a turn of the tenant."""
        async with self.of(tenant):
            return await asyncio.to_thread(function, *arguments)

    async def _wait(self, tenant: str, line: _Line) -> None:
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.waiting.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine in line.waiting:
                line.waiting.remove(mine)
            elif mine.done() and not mine.cancelled():
                # Its turn had come already.
                line.running -= 1
                self._admit(tenant, line)
            raise

    def _admit(self, tenant: str, line: _Line) -> None:
        while line.waiting and line.running < self._most(tenant):
            first = line.waiting.popleft()
            if not first.done():
                line.running += 1
                first.set_result(None)

    def _most(self, tenant: str) -> int:
        now = self._clock()
        others = any(each.there(now) for name, each in self._lines.items() if name != tenant)
        return self._beside if others else self._alone

    def _line(self, tenant: str) -> _Line:
        if tenant not in self._lines and len(self._lines) >= _LINES:
            now = self._clock()
            self._lines = {name: line for name, line in self._lines.items() if line.there(now)}
        return self._lines.setdefault(tenant, _Line())
