"""Turns of tenants at a resource for one at a time; each tenant has an allowance of time."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mainspring.core.errors import Overloaded, RateLimited

_TENANTS = 4096


class Turns:
    """One works at a time. Waiting tenants take turns, and a tenant's own requests keep their order."""

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._busy = False
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, tenant: str) -> AsyncIterator[None]:
        """Only one caller at a time is inside. Raises ``Overloaded`` when more of the tenant than ``most`` would
        wait."""
        if self._busy:
            await self._wait(tenant)
        self._busy = True
        try:
            yield
        finally:
            self._next()

    async def _wait(self, tenant: str) -> None:
        waiting = self._waiting.setdefault(tenant, deque())
        if len(waiting) >= self._most:
            raise Overloaded("too many grammars of this tenant wait to be tried", retry_after=2.0)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._next()
            raise

    def _next(self) -> None:
        while self._waiting:
            tenant, waiting = self._waiting.popitem(last=False)
            turn = waiting.popleft()
            if waiting:
                self._waiting[tenant] = waiting
            if not turn.done():
                # The engine stays busy, so that no other caller can start in between.
                turn.set_result(None)
                return
        self._busy = False


@dataclass(slots=True)
class _Account:
    left: float
    at: float
    slow_until: float = 0.0


class Allowances:
    """Seconds of work by tenant: ``most`` at once, and ``rate`` more each second.

    The time is reported afterwards, so the last piece of work may exceed the remaining allowance.
    """

    def __init__(self, most: float, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._rate, self._clock = most, rate, clock
        self._accounts: OrderedDict[str, _Account] = OrderedDict()

    def require(self, tenant: str) -> None:
        """Raise ``RateLimited`` if the tenant has nothing left."""
        left = self._account(tenant).left
        if left <= 0:
            raise RateLimited(
                f"the grammars of this tenant took more than {self._most:g} s to compile",
                remedy="Send simpler ones, or repeat the same ones: compiled grammars are remembered",
                retry_after=max(1.0, (1.0 - left) / self._rate),
            )

    def take(self, tenant: str, seconds: float) -> None:
        """``seconds`` of work were done for the tenant."""
        self._account(tenant).left -= seconds

    def slow(self, tenant: str, seconds: float) -> None:
        """Seconds for which the tenant counts as one with slow work."""
        account = self._account(tenant)
        account.slow_until = self._clock() + seconds

    def is_slow(self, tenant: str) -> bool:
        return self._account(tenant).slow_until > self._clock()

    def _account(self, tenant: str) -> _Account:
        now = self._clock()
        account = self._accounts.setdefault(tenant, _Account(self._most, now))
        account.left = min(self._most, account.left + (now - account.at) * self._rate)
        account.at = now
        self._accounts.move_to_end(tenant)
        if len(self._accounts) > _TENANTS:
            self._accounts.popitem(last=False)
        return account
