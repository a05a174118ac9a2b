"""Fair use of the event loop: the tenant that uses most of it waits briefly while others are served.

Everything that a server does for its callers goes through one thread, and a request that costs ten milliseconds there
delays those of everybody. The time of each request's steps is measured and counted for its tenant, and is forgotten
with ``TAU_S``. (This is wall-clock time: on a busy machine, a loop that gets a third of a processor counts as full.)
While a light tenant is active, all others together get ``busy`` of the loop's time minus its share. A request of a
heavier tenant waits, before its body is read, until that holds again. The remaining room keeps quick answers quick; a
tenant that is alone, or among equals, is not delayed.
"""

from __future__ import annotations

import math
import time
from asyncio import Lock, sleep
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Generator, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from types import coroutine
from typing import Any, TypeVar

from mainspring.core.errors import Overloaded

Result = TypeVar("Result")
Clock = Callable[[], float]

SPENT = "spent"
"""Name of a request's account in its state."""
TAU_S = 1.0
"""Time constant in seconds of the decaying account: older use counts 1/e."""
ABOUT_S = 2.0
"""Seconds for which a tenant stays active after its last request."""
QUIET = 0.5
"""A tenant is light if it uses less than this share of the average."""
REFUSED = 4.0
"""A refused request counts this many times its cost: it is of no use, and a client that ignores Retry-After must not
gain loop time."""
MOST_WAITING = 64
MOST_WAIT_S = 5.0
SHORTEST_S, LONGEST_S = 0.002, 0.25
TENANTS = 4096


@dataclass(eq=False, slots=True)
class _Tenant:
    """``taken`` are the decayed seconds of the loop as of ``at``; ``typical`` those of one request."""

    at: float
    taken: float = 0.0
    typical: float = 0.0
    came: float = -math.inf
    waiting: int = 0
    line: Lock = field(default_factory=Lock)


class LoopTime:
    """The loop time of one request. Belongs to no tenant until ``Pace.turn`` names one."""

    __slots__ = ("_pace", "_prepaid", "refused", "seconds", "tenant")

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._prepaid = 0.0
        self.seconds = 0.0
        self.refused = False
        self.tenant: _Tenant | None = None

    def took(self, seconds: float) -> None:
        """Record the duration of a step of the request."""
        self.seconds += seconds
        if self.tenant is not None:
            beyond = seconds - self._prepaid
            self._prepaid = max(0.0, -beyond)
            if beyond > 0:
                self._pace.take(self.tenant, beyond)

    def charge(self, tenant: _Tenant) -> None:
        """The tenant pays in advance for a request of this kind, so that the next in the queue does not count as
        idle."""
        self.tenant = tenant
        self._prepaid = max(0.0, tenant.typical - self.seconds)
        self._pace.take(tenant, self.seconds + self._prepaid)

    def settle(self) -> None:
        """The request is over."""
        if self.tenant is not None:
            more = (REFUSED - 1) * self.seconds if self.refused else 0.0
            self._pace.take(self.tenant, more - self._prepaid)
            self.tenant.typical += 0.1 * (self.seconds + more - self.tenant.typical)
            self._prepaid = 0.0


class Pace:
    """The time of one event loop, by tenant. ``busy`` is a fraction of 1; 0: no request waits."""

    def __init__(self, busy: float, clock: Clock = time.monotonic) -> None:
        self._busy = busy
        self._clock = clock
        self._all = _Tenant(clock())
        # The latest comer goes last.
        self._tenants: OrderedDict[str, _Tenant] = OrderedDict()
        self.waited = 0
        """Requests that had to wait."""
        self.refused = 0

    def spent(self) -> LoopTime:
        """The account of a request that begins."""
        return LoopTime(self)

    async def turn(self, name: str, spent: LoopTime) -> None:
        """Return when the request of ``spent`` may continue for the tenant ``name``. Raises ``Overloaded`` if too many
        of its requests wait, or one waited too long."""
        tenant = self._known(name)
        tenant.came = self._clock()
        if self._busy and (tenant.waiting or self.delay(tenant)):
            await self._wait(tenant)
        spent.charge(tenant)

    def take(self, tenant: _Tenant, seconds: float) -> None:
        """Count ``seconds`` of the loop for the tenant; less than 0: give them back."""
        for each in (tenant, self._all):
            each.taken = max(0.0, self._rate(each) * TAU_S + seconds)

    def delay(self, tenant: _Tenant) -> float:
        """Seconds until the tenant may continue if nothing changes; 0: now."""
        if self._rate(self._all) <= self._busy:
            return 0.0
        rates = [self._rate(each) for each in self._about()]
        mine, total = self._rate(tenant), sum(rates)
        part = total / max(1, len(rates))
        if mine <= part or total <= self._busy or min(rates) >= QUIET * part:
            return 0.0
        allowed = max(self._busy / len(rates), self._busy - (total - mine))
        return max(0.0, TAU_S * math.log(mine / allowed))

    async def _wait(self, tenant: _Tenant) -> None:
        if tenant.waiting >= MOST_WAITING:
            raise self._refusal()
        self.waited += 1
        tenant.waiting += 1
        end = self._clock() + MOST_WAIT_S
        try:
            async with tenant.line:
                while seconds := self.delay(tenant):
                    if self._clock() >= end:
                        raise self._refusal()
                    await sleep(min(LONGEST_S, max(SHORTEST_S, seconds)))
        finally:
            tenant.waiting -= 1

    def _refusal(self) -> Overloaded:
        self.refused += 1
        return Overloaded(
            "the requests of this tenant take more of the server's time than its share while others are served",
            remedy="Send fewer at a time, or smaller ones",
            retry_after=2.0,
        )

    def _rate(self, tenant: _Tenant) -> float:
        """The part of the loop's time that the tenant takes now."""
        now = self._clock()
        tenant.taken *= math.exp((tenant.at - now) / TAU_S)
        tenant.at = now
        return tenant.taken / TAU_S

    def _about(self) -> Iterator[_Tenant]:
        since = self._clock() - ABOUT_S
        return takewhile(lambda each: each.came > since or each.waiting > 0, reversed(self._tenants.values()))

    def _known(self, name: str) -> _Tenant:
        tenant = self._tenants.get(name)
        if tenant is None:
            tenant = self._tenants[name] = _Tenant(self._clock())
        self._tenants.move_to_end(name)
        while len(self._tenants) > TENANTS:
            self._tenants.popitem(last=False)
        return tenant


@coroutine
def metered(
    steps: Coroutine[Any, Any, Result], took: Callable[[float], None], clock: Clock = time.perf_counter
) -> Generator[Any, Any, Result]:
    """``steps``; calls ``took`` with the time of each."""
    go: Callable[[Any], Any] = steps.send
    given: Any = None
    while True:
        began = clock()
        try:
            awaited = go(given)
        except StopIteration as end:
            result: Result = end.value
            return result
        finally:
            took(clock() - began)
        try:
            given = yield awaited
            go = steps.send
        except GeneratorExit:
            steps.close()
            raise
        except BaseException as error:
            given, go = error, steps.throw
