"""Error budgets as they are asked for: (requests, bad ones) by steps of time, kept here for the hours that are over.

Thirty days of many applications are tens of thousands of counts. They are read once; after that, a call reads the last
two hours and older hours that may still have changed. Parsing and summing run in a thread: streaming answers do not
wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cachetools import LRUCache

import mainspring.features.monitor.alerts.slo as slo
from mainspring.features.monitor.alerts.slo import ObjectiveBudget
from mainspring.features.monitor.settings import Objective
from mainspring.features.monitor.store.tallies import Tallies, TallyRow
from mainspring.features.monitor.traffic.series import COARSE
from mainspring.features.monitor.traffic.tally import Tally

Place = tuple[str, str]
"""(application, objective)."""
Steps = dict[Place, dict[int, tuple[int, int]]]
"""(requests, bad ones) by the time at which a step begins."""
TENANTS = 64
LATE = 6
"""Hours after which one is taken to be counted whole: a watcher that was away may count it late."""


@dataclass(slots=True)
class _Hours:
    until: int = 0
    steps: Steps = field(default_factory=dict)


class ErrorBudgets:
    """The budgets of all tenants, from the counts of steps of ``fine`` seconds and of sixty times as long."""

    def __init__(self, tallies: Tallies, objectives: Mapping[str, Objective], fine: int) -> None:
        self._tallies = tallies
        self._objectives = objectives
        self._fine, self._coarse = fine, fine * COARSE
        self._kept: LRUCache[str, _Hours] = LRUCache(TENANTS)

    async def spent(self, tenant: str, applications: Sequence[str], now: float) -> list[ObjectiveBudget]:
        """The spent part of each application's budgets."""
        start = int(now // self._coarse) * self._coarse - self._coarse
        begin = int((now - slo.PERIOD_STEPS * self._fine) // self._coarse) * self._coarse
        kept = self._kept.get(tenant) or _Hours()
        first = max(begin, kept.until - LATE * self._coarse)
        old = await self._tallies.rows(self._coarse, first, start, tenant=tenant)
        new = await self._tallies.rows(self._fine, start, now + self._fine, tenant=tenant)

        def work() -> tuple[_Hours, list[ObjectiveBudget]]:
            steps = _within(kept.steps, begin, first)
            for place, counts in self._steps(old).items():
                steps.setdefault(place, {}).update(counts)
            recent = self._steps(new)
            found = [
                self._spent(tenant, name, objective, application, steps, recent, now)
                for application in applications
                for name, objective in slo.of(self._objectives, application)
            ]
            return _Hours(start, steps), found

        # One object takes the place of another: calls side by side do the same twice, and nothing wrong.
        self._kept[tenant], spent = await asyncio.to_thread(work)
        return spent

    def _steps(self, rows: Sequence[TallyRow]) -> Steps:
        steps: Steps = {}
        for row in rows:
            for name, objective in slo.of(self._objectives, row.application):
                tally = Tally.of(row.counted, (objective.measure,) if objective.kind == "latency" else ())
                steps.setdefault((row.application, name), {})[row.at] = slo.count_requests(objective, tally)
        return steps

    def _spent(
        self, tenant: str, name: str, objective: Objective, application: str, hours: Steps, recent: Steps, now: float
    ) -> ObjectiveBudget:
        before, lately = hours.get((application, name), {}), recent.get((application, name), {})

        def since(begin: float) -> tuple[int, int]:
            # As ``Series.sum``: fine steps that touch the time, and whole hours before them.
            first = int(begin // self._coarse) * self._coarse
            pairs = [pair for at, pair in lately.items() if at + self._fine > begin]
            pairs += [pair for at, pair in before.items() if at >= first]
            return sum(total for total, _ in pairs), sum(bad for _, bad in pairs)

        total, bad = since(now - slo.PERIOD_STEPS * self._fine)
        burn = {window: slo.rate(objective, *since(now - window)) for window in slo.windows(self._fine)}
        return ObjectiveBudget(name, tenant, application, objective, total, bad, burn)


def _within(steps: Steps, begin: int, end: int) -> Steps:
    """Steps that start in this time."""
    return {place: {at: pair for at, pair in of.items() if begin <= at < end} for place, of in steps.items()}
