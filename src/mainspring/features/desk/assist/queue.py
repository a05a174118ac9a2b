"""What is made in the background: a few at once, tenants in turn, each thing once."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial

from mainspring.features.desk.store.records import Case

AT_ONCE, TENANT_AT_ONCE = 4, 2
LONGEST = 500
"""How many cases of a tenant wait at most: the oldest goes."""


class AssistQueue:
    """Calls ``make`` for cases: ``AT_ONCE`` at a time, ``TENANT_AT_ONCE`` of a tenant. A case that is wanted again
    while it waits waits once; while it is made, it is made once more."""

    def __init__(self, make: Callable[[Case], Awaitable[None]]) -> None:
        self._make = make
        self._waiting: OrderedDict[str, OrderedDict[str, Case]] = OrderedDict()
        self._running: dict[tuple[str, str], asyncio.Task[None]] = {}
        self.left_out = 0
        """How many went because too many waited."""

    def want(self, case: Case) -> None:
        """Have it made."""
        mine = self._waiting.setdefault(case.tenant, OrderedDict())
        mine[case.id] = case
        if len(mine) > LONGEST:
            mine.popitem(last=False)
            self.left_out += 1
        self._fill()

    def has(self, case: Case) -> bool:
        """Whether it waits or is made."""
        key = case.tenant, case.id
        return key in self._running or case.id in self._waiting.get(case.tenant, ())

    async def idle(self) -> None:
        """Wait until nothing is made."""
        while self._running:
            await asyncio.wait(list(self._running.values()))

    async def close(self) -> None:
        """Stop, and forget what waits."""
        self._waiting.clear()
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _fill(self) -> None:
        while len(self._running) < AT_ONCE and (case := self._next()) is not None:
            key = case.tenant, case.id
            task = asyncio.get_running_loop().create_task(self._one(case), name="desk: assist")
            self._running[key] = task
            task.add_done_callback(partial(self._done, key))

    def _next(self) -> Case | None:
        """The next of the tenant whose turn it is."""
        busy = Counter(tenant for tenant, _ in self._running)
        for tenant, mine in self._waiting.items():
            free = next((each for each in mine if (tenant, each) not in self._running), None)
            if free is None or busy[tenant] >= TENANT_AT_ONCE:
                continue
            case = mine.pop(free)
            if mine:
                self._waiting.move_to_end(tenant)
            else:
                del self._waiting[tenant]
            return case
        return None

    async def _one(self, case: Case) -> None:
        await self._make(case)

    def _done(self, key: tuple[str, str], _: asyncio.Task[None]) -> None:
        del self._running[key]
        self._fill()
