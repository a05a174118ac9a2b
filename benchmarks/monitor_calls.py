"""What a call of /v1/slos, /v1/drift and /v1/quality costs beside 300,000 events of four weeks, and the look at costs.

The events are of 100,000 requests of twenty applications; their counts by the hour and, for the last two hours, by the
minute are what the watcher makes of them. Measured is the wall time of a call, the longest time for which it kept the
event loop from anything else (whoever streams an answer waits for that), and the time that the database's threads were
busy. ``first`` is the first call of a process, ``next`` one right after it, ``later`` one when what is kept has to be
made anew.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from _report import Figure, report
from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord
from mainspring.features.monitor.service import Monitor
from mainspring.features.monitor.settings import MonitorSettings
from mainspring.features.monitor.store.tallies import TallyRow
from mainspring.features.monitor.traffic.tally import KINDS, Tally, ended_at
from mainspring.serving.money.cost_watch import CostWatch
from mainspring.stores import Stores
from mainspring.stores.events.feed import Fact
from mainspring.telemetry.metrics import Metrics
from monitor_cost import HOUR, request

REQUESTS, APPLICATIONS, DAYS = 100_000, 20, 28
FINE, COARSE = 60, 3600
TICK_S = 0.002
ROUNDS = 3


def fill(path: Path, now: float) -> list[TallyRow]:
    """Put the events into the database as they are settled, a commit each hundred; the counts of them."""
    chosen, counted = random.Random(1), dict[tuple[str, int, int], Tally]()
    names = ("id", "at", "tenant", "trace_id", "kind", "subject", "facts", "settled")
    insert = (
        f"INSERT INTO events ({', '.join(names)}, version, consent, retention) "
        f"VALUES ({', '.join('?' * len(names))}, 1, 0, 'default')"
    )
    recent = (int(now // COARSE) - 1) * COARSE
    with closing(sqlite3.connect(path)) as database:
        for first in range(0, REQUESTS, 100):
            rows: list[tuple[Any, ...]] = []
            for number in range(first, first + 100):
                # Two thousand of them in the last two hours.
                within = 2 * HOUR if number % 50 == 0 else DAYS * 24 * HOUR
                at = now - within * (1 - number / REQUESTS)
                application = f"app-{number % APPLICATIONS}"
                for each in request(chosen, application, at):
                    rows.append(_row(each, number))
                    if each.kind in KINDS:
                        _count(counted, application, each, recent)
            database.executemany(insert, rows)
            database.commit()
    return [
        TallyRow("acme", application, span, at, tally.plain()) for (application, span, at), tally in counted.items()
    ]


def _row(record: EventRecord, number: int) -> tuple[Any, ...]:
    import orjson

    facts = orjson.dumps(record.facts.plain()).decode()
    settled = int(record.at * 1e6) + number % 100
    return record.id, record.at, record.tenant, record.trace_id, record.kind, record.subject, facts, settled


def _count(counted: dict[tuple[str, int, int], Tally], application: str, record: EventRecord, recent: int) -> None:
    fact = Fact(0, record.at, record.tenant, record.id, record.trace_id, record.subject, record.facts, None)
    when = ended_at(fact)
    for span in (FINE, COARSE) if when >= recent else (COARSE,):
        counted.setdefault((application, span, int(when // span) * span), Tally()).add(fact)


class Counts(Metrics):
    """Counts nothing."""

    def anomaly(self, model: str) -> None: ...


class Meter:
    """The longest gap of the event loop, and the busy time of the database's threads."""

    def __init__(self, opened: Stores) -> None:
        self._database = opened.database
        self._plain = opened.database._transact  # type: ignore[attr-defined]
        self._lock = threading.Lock()
        self.busy = 0.0
        opened.database._transact = self._timed  # type: ignore[attr-defined]

    def _timed(self, *arguments: Any) -> Any:
        begun = time.thread_time()
        try:
            return self._plain(*arguments)
        finally:
            with self._lock:
                self.busy += time.thread_time() - begun

    async def of(self, call: Callable[[], Awaitable[Any]]) -> tuple[float, float, float]:
        """(wall, longest gap, database) of a call, in milliseconds."""
        gap, last, running = 0.0, time.perf_counter(), True

        async def tick() -> None:
            nonlocal gap, last
            while running:
                await asyncio.sleep(TICK_S)
                now = time.perf_counter()
                gap, last = max(gap, now - last - TICK_S), now

        ticking = asyncio.create_task(tick())
        await asyncio.sleep(5 * TICK_S)
        gap, self.busy, begun = 0.0, 0.0, time.perf_counter()
        await call()
        wall = time.perf_counter() - begun
        await asyncio.sleep(2 * TICK_S)
        running = False
        await ticking
        return 1e3 * wall, 1e3 * gap, 1e3 * self.busy


def shown(name: str, measured: list[tuple[float, float, float]], said: str) -> dict[str, Figure]:
    wall, gap, busy = (statistics.median(each) for each in zip(*measured, strict=True))
    return {
        f"{name}: wall": Figure(wall, "ms", "lower", against=said),
        f"{name}: event loop held": Figure(gap, "ms", "lower", 100, 20, said),
        f"{name}: database": Figure(busy, "CPU ms", "lower", against=said),
    }


async def measure(settings: Settings, now: float) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    clock = [now]

    def monitor(opened: Stores) -> Monitor:
        return Monitor(settings.section(MonitorSettings), opened.database, opened.jobs, clock=lambda: clock[0])

    async with stores.open(settings) as opened:
        meter = Meter(opened)
        calls: dict[str, Callable[[Monitor], Awaitable[Any]]] = {
            "slos": lambda watching: watching.slos("acme"),
            "drift": lambda watching: watching.drift("acme"),
            "quality": lambda watching: watching.quality("acme", now - 7 * 24 * HOUR, now, 3600),
        }
        said = f"{APPLICATIONS} applications, {DAYS} days"
        for name, call in calls.items():
            first, following, later = [], [], []
            for _ in range(ROUNDS):
                again = partial(call, monitor(opened))
                first.append(await meter.of(again))
                following.append(await meter.of(again))
                clock[0] = now + 90
                later.append(await meter.of(again))
                clock[0] = now
            for when, measured in (("first", first), ("next", following), ("later", later)):
                figures |= shown(f"{name}, {when}", measured, said)
        hour = int(now // 3600) - 1
        said = f"{REQUESTS} model calls of {DAYS} days"
        for when in ("the first of this database", "of the next process"):
            watch = CostWatch(opened.ledger, opened.events, Counts(), least=10**15)
            figures |= shown(f"costs, {when}", [await meter.of(partial(watch.look, hour - 1))], said)
        figures |= shown("costs, an hour later", [await meter.of(partial(watch.look, hour))], said)
    return figures


async def main() -> None:
    now = (time.time() // HOUR) * HOUR + 1800.0
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home")
        async with stores.open(settings) as opened:
            pass
        rows = fill(settings.home / "mainspring.db", now)
        async with stores.open(settings) as opened:
            monitor = Monitor(settings.section(MonitorSettings), opened.database, opened.jobs)
            await monitor._tallies.write(rows, "monitor", 1, None)
        report("monitor_calls", await measure(settings, now))


if __name__ == "__main__":
    asyncio.run(main())
