"""Sums over fine steps: as exact as one over all of them, and of far fewer merges."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mainspring.features.monitor.traffic.series import Key, Series
from mainspring.features.monitor.traffic.tally import Tally, merged

KEY: Key = ("acme", "support")
BEGIN = 1_800_000_000
FINE = 60


class Nothing:
    """A table of counts in which nothing is."""

    async def load(self, *_: Any, **__: Any) -> list[Any]:
        return []


def count(series: Series, at: float, times: int = 1) -> None:
    tally = series.at(FINE, at, KEY)
    for _ in range(times):
        tally.counts["ok"] += 1
        tally._value("total", 1.0 + at % 7, f"t{at}")


def by_steps(series: Series, since: float, until: float, without: str = "") -> Tally:
    steps = series._kept[FINE]
    found = [steps[at][KEY] for at in sorted(steps) if at + FINE > since and at < until and KEY in steps[at]]
    return merged(each for each in found if not each.counts[without])


def test_a_sum_is_that_of_its_steps_whatever_changes_between() -> None:
    series, draw = Series(Nothing(), FINE), random.Random(1)  # type: ignore[arg-type]
    assert series.recent(KEY, BEGIN, BEGIN + 3600).plain() == {"n": {}}
    for _ in range(300):
        count(series, BEGIN + draw.uniform(0, 7200))
        if draw.random() < 0.05:
            series.mark(KEY, BEGIN + draw.uniform(0, 7200), "odd")
        since = BEGIN + draw.choice((draw.uniform(-600, 7200), 60 * draw.randrange(120)))
        until = since + draw.choice((30, 600, 3600, 90_000))
        for without in ("", "odd"):
            found, wanted = series.recent(KEY, since, until, without), by_steps(series, since, until, without)
            assert found.counts == wanted.counts
            assert found.sketch("total").plain() == wanted.sketch("total").plain()


def test_what_was_written_and_is_too_old_is_in_no_sum() -> None:
    series = Series(Nothing(), FINE)  # type: ignore[arg-type]
    for minute in range(180):
        count(series, BEGIN + 60 * minute)
    now = BEGIN + 3 * 3600
    assert series.recent(KEY, BEGIN, now).counts["ok"] == 180
    series.written(now)
    assert series.recent(KEY, BEGIN, now).counts["ok"] == (now - series.fine_start(now)) // 60


def test_a_sum_of_an_hour_merges_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    series = Series(Nothing(), FINE)  # type: ignore[arg-type]
    for minute in range(120):
        count(series, BEGIN + 60 * minute)
    merges: list[Tally] = []
    merge = Tally.merge

    def counted(self: Tally, other: Tally) -> None:
        merges.append(other)
        merge(self, other)

    monkeypatch.setattr(Tally, "merge", counted)
    series.recent(KEY, BEGIN, BEGIN + 7200)
    merges.clear()
    count(series, BEGIN + 60 * 61)
    assert series.recent(KEY, BEGIN, BEGIN + 7200).counts["ok"] == 121
    # The twelve blocks, and the ten steps of the one that changed.
    assert len(merges) == 12 + 10
