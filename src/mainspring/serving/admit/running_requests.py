"""Counts the running requests of a tenant: in this process, or on all servers that share a Redis.

Each server tells Redis the number of requests that run there, in numbered messages: of two that overtake each other,
the older one is ignored. The reports of a server that has fallen silent do not count. While Redis is away each server
grants its part (the limit over the servers that were last known to live), and tells the others when it is back.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from mainspring.core.errors import StoreError


class SharedCounters(Protocol):
    """``stores.buckets.SharedBuckets``. Raises ``StoreError`` if it cannot be reached."""

    async def run(self, tenant: str, worker: str, number: int, running: int, limit: int) -> int | None:
        """Report the number of the tenant's requests that run at ``worker``, including one that has just arrived. With
        a ``limit``, returns None if it may run, else the number of the others."""
        ...


class Running:
    """The requests of each tenant in this process."""

    def __init__(self) -> None:
        self._running: Counter[str] = Counter()

    def of(self, tenant: str) -> int:
        """Requests of the tenant that run or wait here now."""
        return self._running[tenant]

    async def enter(self, tenant: str, limit: int) -> tuple[int, int] | None:
        """Count one more; where ``limit`` (0: none) forbids it, how many run and of how many."""
        # There is no await between the check and the count: two requests cannot take the last place.
        if limit and self._running[tenant] >= limit:
            return self._running[tenant], limit
        self._running[tenant] += 1
        return None

    async def leave(self, tenant: str) -> None:
        """Count one less."""
        self._running[tenant] -= 1
        if self._running[tenant] <= 0:
            del self._running[tenant]


class SharedRunning(Running):
    """The requests of ``worker`` and of all that report to ``shared``; ``workers`` is the number of live ones."""

    def __init__(self, shared: SharedCounters, worker: str, workers: Callable[[], int]) -> None:
        super().__init__()
        self._shared = shared
        self._worker = worker
        self._workers = workers
        self._number = 0
        # (number, count) of each tenant from the last message to the others; a count of -1: unknown.
        self._told: dict[str, tuple[int, int]] = {}

    async def enter(self, tenant: str, limit: int) -> tuple[int, int] | None:
        await super().enter(tenant, 0)
        try:
            refused = await self._ask(tenant, limit) if limit else None
        except BaseException:
            await self.leave(tenant)
            raise
        if refused is not None:
            await self.leave(tenant)
        return refused

    async def leave(self, tenant: str) -> None:
        await super().leave(tenant)
        await self._correct(tenant)

    async def beat(self) -> None:
        """Report changes that other servers do not know yet."""
        for tenant in list(self._told):
            await self._correct(tenant)

    async def _ask(self, tenant: str, limit: int) -> tuple[int, int] | None:
        if self.of(tenant) > limit:
            return limit, limit
        try:
            ran = await self._tell(tenant, limit)
        except StoreError:
            part = math.ceil(limit / max(1, self._workers()))
            return (part, part) if self.of(tenant) > part else None
        return None if ran is None else (min(ran, limit), limit)

    async def _correct(self, tenant: str) -> None:
        if tenant not in self._told or self._told[tenant][1] == self.of(tenant):
            return
        try:
            await self._tell(tenant, 0)
        except StoreError:
            return
        if self._told.get(tenant, (0, 1))[1] == 0:
            del self._told[tenant]

    async def _tell(self, tenant: str, limit: int) -> int | None:
        self._number += 1
        number, running = self._number, self.of(tenant)
        try:
            ran = await self._shared.run(tenant, self._worker, number, running, limit)
        except BaseException:
            self._note(tenant, number, -1)
            raise
        if ran is None:
            self._note(tenant, number, running)
        return ran

    def _note(self, tenant: str, number: int, count: int) -> None:
        if number > self._told.get(tenant, (0, 0))[0]:
            self._told[tenant] = number, count
