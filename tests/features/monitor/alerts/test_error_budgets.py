"""Error budgets that are kept by the hour equal the counts of the whole time."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.features.monitor.alerts import slo
from mainspring.features.monitor.alerts.error_budgets import LATE, ErrorBudgets
from mainspring.features.monitor.alerts.slo import ObjectiveBudget
from mainspring.features.monitor.settings import Objective
from mainspring.features.monitor.store.tallies import Tallies, TallyRow
from mainspring.features.monitor.traffic.series import Series
from mainspring.features.monitor.traffic.tally import Tally
from mainspring.stores import Stores

HOUR, FINE = 3600, 60
OBJECTIVES = {
    "availability": Objective(target=0.99),
    "fast": Objective(kind="latency", under_s=1.0, measure="ttft", applications=("shop",)),
    "liked": Objective(kind="quality", target=0.8),
}
NOW = 1_800_000_000.0 + 1234


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path / "home")) as each:
        yield each


def tally(chosen: random.Random) -> Tally:
    made = Tally()
    made.counts.update(ok=chosen.randrange(50), failed=chosen.randrange(3), up=chosen.randrange(3), down=1)
    for _ in range(5):
        made._value("ttft", chosen.expovariate(1.0))
    return made


async def fill(kept: Tallies, begin: float, end: float, span: int, seed: int) -> None:
    chosen = random.Random(seed)
    rows = [
        TallyRow("acme", application, span, at, tally(chosen).plain())
        for at in range(int(begin // span) * span, int(end), span)
        for application in ("shop", "desk")
        if chosen.random() < 0.3
    ]
    await kept.write(rows, "test", 1, None)


async def summed(kept: Tallies, now: float) -> list[ObjectiveBudget]:
    """From the sums over all counts."""
    series = Series(kept, FINE)
    await series.open(now, "acme")
    found = []
    for application in ("shop", "desk"):
        for name, objective in slo.of(OBJECTIVES, application):

            async def since(begin: float, key: tuple[str, str], of: Objective) -> tuple[int, int]:
                return slo.count_requests(of, await series.sum(key, begin, now + FINE, now))

            key = ("acme", application)
            total, bad = await since(now - slo.PERIOD_STEPS * FINE, key, objective)
            burn = {each: slo.rate(objective, *await since(now - each, key, objective)) for each in slo.windows(FINE)}
            found.append(ObjectiveBudget(name, *key, objective, total, bad, burn))
    return found


async def test_they_are_the_sums_of_the_whole_time_now_and_later(opened: Stores) -> None:
    kept = Tallies(opened.database)
    await fill(kept, NOW - 33 * 24 * HOUR, NOW, HOUR, 1)
    await fill(kept, NOW - 3 * HOUR, NOW, FINE, 2)
    budgets = ErrorBudgets(kept, OBJECTIVES, FINE)
    first = await budgets.spent("acme", ["shop", "desk"], NOW)
    assert first == await summed(kept, NOW)
    assert {each.name for each in first if each.application == "desk"} == {"availability", "liked"}
    assert all(each.total > 100 and each.bad for each in first)
    # What comes later, and what comes late, counts; what is older than the period does no more.
    for hours in (1, 2, 5):
        now = NOW + hours * HOUR
        await fill(kept, now - LATE * HOUR, now, HOUR, 10 + hours)
        await fill(kept, now - 2 * HOUR, now, FINE, 20 + hours)
        assert await budgets.spent("acme", ["shop", "desk"], now) == await summed(kept, now)
    assert await budgets.spent("other", ["shop"], NOW) == [
        replace(each, tenant="other", total=0, bad=0, burn=dict.fromkeys(each.burn, 0.0))
        for each in first
        if each.application == "shop"
    ]


async def test_hours_that_are_over_are_read_once(opened: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Tallies(opened.database)
    await fill(kept, NOW - 20 * 24 * HOUR, NOW, HOUR, 1)
    read: list[int] = []
    plain = Tallies.rows

    async def counting(self: Tallies, *arguments: float, **named: str) -> object:
        found = await plain(self, *arguments, **named)  # type: ignore[arg-type]
        read.append(len(found))
        return found

    monkeypatch.setattr(Tallies, "rows", counting)
    budgets = ErrorBudgets(kept, OBJECTIVES, FINE)
    await budgets.spent("acme", ["shop"], NOW)
    first = sum(read)
    read.clear()
    await budgets.spent("acme", ["shop"], NOW + 60)
    assert sum(read) < first / 20
