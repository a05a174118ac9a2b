"""The cost of monitoring: settling events with and without the number of their commit, counting them, and a check of
everything.

Settling is a hundred requests at a time, each with a call, an answer, a retrieval and feedback now and then, as the
server settles them; the two sides take turns, and what counts is the time of the processor, all threads together.
Counting is what the watcher takes of it for one request, in the process that watches. A look compares fifty
applications with their past and keeps their objectives.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from _report import Figure, report
from mainspring import stores
from mainspring.core.facts.registry import read
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord
from mainspring.features.monitor.service import Monitor
from mainspring.features.monitor.settings import MonitorSettings
from mainspring.stores import Stores
from mainspring.stores.events import commit_numbers
from mainspring.stores.schema import events
from mainspring.stores.sql import ids

PAIRS, ROUNDS, AT_ONCE = 15, 12, 100
REQUESTS, APPLICATIONS = 6000, 50
HOUR = 3600.0


def request(chosen: random.Random, application: str, at: float) -> list[EventRecord]:
    """The events of one request."""
    answer, trace = ids.new("ans_"), ids.new("t")
    tokens = {"prompt_tokens": chosen.randint(20, 900), "completion_tokens": chosen.randint(5, 300)}
    spent = {"cost_nanousd": chosen.randint(10_000, 900_000), "duration_s": chosen.lognormvariate(0, 0.5)}
    common = {"key_id": "key_1", "model": "big", "ttft_s": chosen.lognormvariate(-2, 0.5), **tokens, **spent}
    call = {"application": application, "provider": "here", "operation": "chat", "finish": ["stop"], **common}
    facts = {"requested": application, "status": "completed", "cache": "", "finish": ["stop"], **common}
    hits = [{"chunk_id": "c", "document_id": "d", "score": 0.5, "dense": chosen.random()} for _ in range(8)]
    found = {"evidence": chosen.random(), "refused": chosen.random() < 0.05, "hits": hits, "collections": ["vs"]}
    records = [
        EventRecord(ids.new("evt_"), at, "acme", trace, answer, read("call", call)),
        EventRecord(ids.new("evt_"), at, "acme", trace, answer, read("retrieval", found)),
        EventRecord(answer, at, "acme", trace, answer, read("answer", facts), f"text {answer}"),
    ]
    if chosen.random() < 0.05:
        rated = {"rating": chosen.choice(("up", "down"))}
        records.append(EventRecord(ids.new("evt_"), at, "acme", trace, answer, read("feedback", rated)))
    return records


async def settled(opened: Stores, chosen: random.Random) -> float:
    """CPU seconds a request, of all threads."""
    batches = [[request(chosen, "support", time.time()) for _ in range(AT_ONCE)] for _ in range(ROUNDS)]
    begun = time.process_time()
    for batch in batches:
        await asyncio.gather(*(opened.events.settle(records) for records in batch))
    return (time.process_time() - begun) / (ROUNDS * AT_ONCE)


def unnumbered(connection: sa.Connection, new: Iterable[dict[str, Any]]) -> sa.Insert:  # noqa: ARG001
    """As it was before events had a number."""
    return sa.insert(events)


async def settling(folder: Path) -> Figure:
    """Both sides, pair by pair."""
    numbered = commit_numbers.numbered
    ratios: list[float] = []
    async with (
        stores.open(Settings(home=folder / "with")) as one,
        stores.open(Settings(home=folder / "without")) as two,
    ):
        await two.database.write(
            lambda connection: connection.execute(sa.text("DROP INDEX ix_events_settled")) and None
        )
        for pair in range(-1, PAIRS):
            chosen = random.Random(pair)
            commit_numbers.numbered = numbered
            watched = await settled(one, chosen)
            commit_numbers.numbered = unnumbered
            plain = await settled(two, chosen)
            if pair >= 0:
                ratios.append(watched / plain)
    commit_numbers.numbered = numbered
    against = f"the same without; {PAIRS} pairs, {min(ratios):.2f}-{max(ratios):.2f}"
    return Figure(statistics.median(ratios), "x CPU", "lower", 1.05, 1.02, against)


async def counting(folder: Path) -> dict[str, Figure]:
    """The watcher over a day of requests of many applications."""
    now = time.time()
    figures: dict[str, Figure] = {}
    settings = Settings(home=folder / "counted")
    monitor = settings.section(MonitorSettings)
    async with stores.open(settings) as opened:
        chosen = random.Random(1)
        for at in range(0, REQUESTS, AT_ONCE):
            records = [
                request(chosen, f"app-{number % APPLICATIONS}", now - 24 * HOUR * (1 - number / REQUESTS))
                for number in range(at, at + AT_ONCE)
            ]
            await asyncio.gather(*(opened.events.settle(each) for each in records))
        watcher = Monitor(monitor, opened.database, opened.jobs, clock=lambda: now).watcher()
        await watcher.open(now)
        begun = time.process_time()
        await watcher.look(now)
        counted = time.process_time() - begun
        said = "all a day old, minute by minute: after a day without a watcher"
        figures["catching up, a request"] = Figure(1e6 * counted / REQUESTS, "CPU us", "lower", against=said)
        for _ in range(REQUESTS // AT_ONCE // 2):
            fresh = [request(chosen, f"app-{chosen.randrange(APPLICATIONS)}", now) for _ in range(AT_ONCE)]
            await asyncio.gather(*(opened.events.settle(each) for each in fresh))
        begun = time.process_time()
        await watcher.look(now + 1)
        counted = time.process_time() - begun
        said = f"{REQUESTS // 2} of the last minute in one look"
        figures["counting a request"] = Figure(2e6 * counted / REQUESTS, "CPU us", "lower", against=said)
        looks: list[float] = []
        drifts: list[float] = []
        for step in range(1, 9):
            begun = time.process_time()
            await watcher.look(now + monitor.every_s * step)
            # Every fourth looks for drift as well.
            (drifts if step % 4 == 0 else looks).append(time.process_time() - begun)
        said = f"{APPLICATIONS} applications that are all in use, every {monitor.every_s:g} s"
        figures["a look"] = Figure(1e3 * statistics.median(looks), "CPU ms", "lower", against=said)
        figures["a look with drift"] = Figure(
            1e3 * statistics.median(drifts), "CPU ms", "lower", against="every minute"
        )
        share = (0.75 * statistics.median(looks) + 0.25 * statistics.median(drifts)) / monitor.every_s
        figures["of one core"] = Figure(share, "share", "lower", 0.02, against="both, without requests")
        hours = await watcher._tallies.load(3600, 0)
        size = sum(len(str(row.counted)) for row in hours) / len(hours)
        figures["kept of an application and hour"] = Figure(size, "bytes", "lower", against=f"{len(hours)} rows")
    return figures


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        figures = {"settling": await settling(Path(folder))}
        figures |= await counting(Path(folder))
    report("monitor_cost", figures)


if __name__ == "__main__":
    asyncio.run(main())
