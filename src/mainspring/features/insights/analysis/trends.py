"""Counts over days or weeks, and days that stand out."""

from __future__ import annotations

import datetime
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Step = Literal["day", "week"]
DAYS: dict[Step, int] = {"day": 1, "week": 7}
_BASELINE = 14
"""Steps before a step that say what is usual."""
_FEWEST = 5


@dataclass(frozen=True, slots=True)
class Point:
    """A step: its first day (UTC), what was counted in it, and whether that is a spike."""

    day: datetime.date
    count: int
    spike: bool


def series(times: Iterable[float], step: Step, since: float, until: float, deviations: float) -> list[Point]:
    """Counts of ``times`` (Unix seconds) in each step of the interval; steps of none are 0.

    A spike has at least five, and is above the mean of up to 14 steps before it by ``deviations`` standard deviations;
    a count's own chance (Poisson) is the least deviation.
    """
    counted = Counter(_start(each, step) for each in times if since <= each <= until)
    day, last = _start(since, step), _start(until, step)
    points: list[Point] = []
    while day <= last:
        # Before the first one there may have been nothing to count.
        begun = next((place for place, point in enumerate(points) if point.count), len(points))
        before = [point.count for point in points[begun:][-_BASELINE:]]
        points.append(Point(day, counted[day], _spike(counted[day], before, deviations)))
        day += datetime.timedelta(days=DAYS[step])
    return points


def _spike(count: int, before: list[int], deviations: float) -> bool:
    if count < _FEWEST or len(before) < 3:
        return False
    usual = sum(before) / len(before)
    spread = math.sqrt(sum((each - usual) ** 2 for each in before) / len(before))
    return count > usual + deviations * max(spread, math.sqrt(max(usual, 1.0)))


def _start(at: float, step: Step) -> datetime.date:
    day = datetime.datetime.fromtimestamp(at, datetime.UTC).date()
    return day if step == "day" else day - datetime.timedelta(days=day.weekday())
