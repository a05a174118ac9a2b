"""Checks each hour that has ended: an hour that cost too much becomes an event and a count on the dashboard."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time

import mainspring.serving.money.cost_anomalies as anomaly
from mainspring.core.errors import Conflict, MainspringError
from mainspring.core.facts.operations import ANOMALY, CostFacts
from mainspring.core.types import EventRecord
from mainspring.serving.money.cost_anomalies import HISTORY, HOUR, Anomaly
from mainspring.serving.ring.ports import EventLog
from mainspring.stores.money.ledger import Ledger
from mainspring.telemetry.metrics import Metrics

# After the start, and after the end of an hour: requests that began in it settle a while later.
PATIENCE_S = 300.0

_log = logging.getLogger(__name__)
Series = dict[tuple[str, str], dict[int, int]]
"""Nano-US-dollars by hours since 1970, of (tenant, model)."""


async def look(
    ledger: Ledger, hours: range, *, least: int, tenant: str | None = None
) -> list[tuple[str, str, Anomaly]]:
    """(tenant, model, anomaly) of the hours that cost too much."""
    series = await ledger.hourly(hours.start - HISTORY, hours.stop, tenant)
    return [
        (*name, found) for name, costs in sorted(series.items()) for found in anomaly.find(costs, hours, least=least)
    ]


class CostWatch:
    """Looks once an hour. Every process does so; the first one reports them. ``least`` is in nano-US-dollars."""

    def __init__(self, ledger: Ledger, events: EventLog, metrics: Metrics, *, least: int) -> None:
        self._ledger = ledger
        self._events = events
        self._metrics = metrics
        self._least = least
        self._series: Series = {}
        self._known_until = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look at each hour from now on, until ``close``."""
        self._task = asyncio.create_task(self._run(), name="watch costs")

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        await asyncio.sleep(PATIENCE_S)
        while True:
            try:
                await self.look(int((time.time() - PATIENCE_S) // HOUR) - 1)
            except MainspringError as error:
                _log.warning("costs could not be looked at: %s", error)
            await asyncio.sleep(HOUR - (time.time() - PATIENCE_S) % HOUR)

    async def look(self, hour: int) -> int:
        """Judge the hours that have ended since the last check, up to ``hour``; returns how many were reported here."""
        first = max(self._known_until, hour + 1 - HISTORY)
        for name, costs in (await self._ledger.hourly(first, hour + 1)).items():
            self._series.setdefault(name, {}).update(costs)
        # At the first check, the hours before have been reported, or are too old to be news.
        judged = range(first if self._known_until else hour, hour + 1)
        self._known_until = hour + 1
        told = 0
        for (tenant, model), costs in self._series.items():
            for each in [each for each in costs if each < hour - HISTORY]:
                del costs[each]
            for found in anomaly.find(costs, judged, least=self._least):
                told += await self._tell(tenant, model, found)
        return told

    async def _tell(self, tenant: str, model: str, found: Anomaly) -> bool:
        facts = CostFacts(
            signal=ANOMALY,
            model=model,
            hour=time.strftime("%Y-%m-%dT%H:00Z", time.gmtime(found.hour * HOUR)),
            cost_nanousd=found.cost,
            expected_nanousd=found.expected,
            score=found.score,
        )
        digest = hashlib.sha256(f"{tenant}\0{model}\0{found.hour}".encode()).hexdigest()[:24]
        record = EventRecord(f"evt_cost_{digest}", time.time(), tenant, "", model, facts)
        try:
            await self._events.append(record)
        except Conflict:
            return False
        self._metrics.anomaly(model)
        _log.warning("%s of tenant %s cost %.1f times what such an hour costs", model, tenant, found.ratio)
        return True
