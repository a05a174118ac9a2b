"""What it costs that acknowledged facts survive the loss of power: settlements a second with each commit synced to
disk against synced by the system's own time, on the same disk, rounds alternating, one at a time and 32 side by side.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Literal

from _report import Figure, report
from mainspring import stores
from mainspring.core.facts.registry import read
from mainspring.core.settings import Settings, StoresSettings
from mainspring.core.types import EventRecord
from mainspring.stores.sql import ids

ROUNDS = 7
COUNT = {1: 60, 32: 960}
Durability = Literal["power", "process"]


def fact() -> EventRecord:
    return EventRecord(
        ids.new("evt_"), time.time(), "acme", "t", "", read("answer", {"model": "m", "tokens": 80}), '"text"'
    )


async def seconds(opened: stores.Stores, streams: int) -> float:
    """Of one round: ``streams`` callers, each settles one after the other."""

    async def caller() -> None:
        for _ in range(COUNT[streams] // streams):
            await opened.events.append(fact())

    begun = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(streams)))
    return time.perf_counter() - begun


async def measure(folder: Path) -> dict[str, Figure]:
    kinds: tuple[Durability, Durability] = ("power", "process")
    figures: dict[str, Figure] = {}
    for streams in COUNT:
        taken: dict[str, list[float]] = {kind: [] for kind in kinds}
        for number in range(ROUNDS):
            for kind in kinds if number % 2 else kinds[::-1]:
                home = folder / f"{streams}-{number}-{kind}"
                async with stores.open(Settings(home=home, stores=StoresSettings(durability=kind))) as opened:
                    await opened.events.append(fact())
                    taken[kind].append(await seconds(opened, streams))
        ratios = [a / b for a, b in zip(taken["power"], taken["process"], strict=True)]
        against = f"{ROUNDS} pairs on this disk, {min(ratios):.2f}-{max(ratios):.2f}"
        each = statistics.median(taken["power"]) / COUNT[streams] * streams * 1e3
        figures[f"time synced / not, {streams} at once"] = Figure(
            statistics.median(ratios), "x", "lower", None, None, against
        )
        figures[f"a synced settlement, {streams} at once"] = Figure(each, "ms", "lower", None, None, "on this disk")
    return figures


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(Path(folder)))
    report("durable_commits", figures)


if __name__ == "__main__":
    main()
