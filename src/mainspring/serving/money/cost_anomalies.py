"""Finds hours that cost far more than comparable hours: a robust signal over the hourly costs of a tenant's models.

An hour is compared with the same hour of other days (and its neighbours), those of its weekday once three weeks are
known. Costs are compared by their square roots, whose noise is the same in busy and in quiet hours where requests come
by chance. The middle is a median, and the spread the median difference between an hour and that of a week before:
earlier spikes move neither. An hour is reported if its cost is many spreads above the expected cost, at least twice as
high, and higher by a sum that matters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

HOUR = 3600
DAY = 24
WEEK = 7 * DAY
# Spreads above the middle; four weeks of hours; hours that must be known.
SPREADS = 5.5
HISTORY = 4 * WEEK
FEWEST = 9
RATIO = 2.0
# The median of the differences of two normal variables, to their standard deviation.
MAD = 1.4826 / math.sqrt(2)
# Busy hours differ by more than chance: by this share of their square root at least.
SMALLEST_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Anomaly:
    """An hour that cost too much: ``hour`` counts from 1970, money is in nano-US-dollars, ``score`` in spreads."""

    hour: int
    cost: int
    expected: int
    score: float

    @property
    def ratio(self) -> float:
        """The factor over the expected cost."""
        return self.cost / max(self.expected, 1)


def judge(series: Mapping[int, int], hour: int, *, least: int = 0, begun: int | None = None) -> Anomaly | None:
    """Whether ``hour`` of ``series`` (nano-US-dollars by hours since 1970; an absent hour cost nothing) is an anomaly.

    ``begun`` is the first hour that counts (None: the first of the series), ``least`` the excess below which nothing is
    reported. None, too, if too little is known.
    """
    cost = series.get(hour, 0)
    first = min(series, default=hour) if begun is None else begun
    past = _comparable(hour, max(first, hour - HISTORY))
    if not cost or len(past) < FEWEST:
        return None
    middle = _median(sorted(math.sqrt(series.get(each, 0)) for each in past))
    spread = max(_spread(series, hour, first), SMALLEST_SHARE * middle)
    expected = round(middle * middle)
    score = (math.sqrt(cost) - middle) / max(spread, 1.0)
    if score < SPREADS or cost < RATIO * expected or cost - expected < least:
        return None
    return Anomaly(hour, cost, expected, round(score, 1))


def find(series: Mapping[int, int], hours: Sequence[int], *, least: int = 0) -> list[Anomaly]:
    """The anomalies among ``hours``."""
    return [found for hour in hours if (found := judge(series, hour, least=least))]


def _comparable(hour: int, first: int) -> list[int]:
    """Earlier hours like this one."""
    weekly = [hour - WEEK * weeks + by for weeks in range(1, 5) for by in (-1, 0, 1)]
    known = [each for each in weekly if each >= first]
    if len(known) >= FEWEST:
        return known
    daily = (hour - DAY * days + by for days in range(1, 15) for by in (-1, 0, 1))
    return [each for each in daily if first <= each < hour]


def _spread(series: Mapping[int, int], hour: int, first: int) -> float:
    """The noise of square roots of costs, over the week before ``hour``."""
    apart = WEEK if hour - first >= 2 * WEEK else DAY
    hours = range(max(first + apart, hour - WEEK), hour)
    roots = [(math.sqrt(series.get(each, 0)), math.sqrt(series.get(each - apart, 0))) for each in hours]
    if not roots:
        return 0.0
    spread = MAD * _median(sorted(abs(now - then) for now, then in roots))
    costs = sorted(now for now, _ in roots if now)
    if len(costs) > 0.8 * len(roots) or not costs:
        return spread
    # Most differences are between zero and zero: then the noise is that of a single request.
    return max(spread, 0.5 * _median(costs))


def _median(values: Sequence[float]) -> float:
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2
