"""Service level objectives: the rest of their error budgets, and their burn rates.

Alerts use several windows and rates, following the Google SRE workbook: a rate must be exceeded over a long window, so
that it matters, and over a short one, so that it is current.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mainspring.features.monitor.alerts.signals import FEWEST, Condition, Signal
from mainspring.features.monitor.settings import Objective
from mainspring.features.monitor.traffic.series import COARSE, Key, Series
from mainspring.features.monitor.traffic.tally import Tally

PERIOD_STEPS = 30 * 24 * COARSE
"""The period of a budget, in fine steps: thirty days of minutes."""


@dataclass(frozen=True, slots=True)
class Burning:
    """An alert on how fast a budget is spent: ``rate`` times what would just last the period, over both windows, which
    are in fine steps."""

    severity: str
    rate: float
    long: int
    short: int


BURNING = (
    Burning("page", 14.4, COARSE, 5),
    Burning("page", 6.0, 6 * COARSE, 30),
    Burning("ticket", 1.0, 3 * 24 * COARSE, 6 * COARSE),
)
_SEVERITY = {"page": "critical", "ticket": "warning"}
_LEAST = 20
"""Fewer requests in the long window than these burn nothing."""


@dataclass(frozen=True, slots=True)
class ObjectiveBudget:
    """An objective of one application over the period. ``left`` is the share of the budget that is left (negative: it
    is overspent), ``burn`` the rates by window in seconds."""

    name: str
    tenant: str
    application: str
    objective: Objective
    total: int
    bad: int
    burn: Mapping[int, float]

    @property
    def left(self) -> float:
        allowed = self.total * (1 - self.objective.target)
        return 1 - self.bad / allowed if allowed else 1.0

    @property
    def reached(self) -> float | None:
        """The share of good requests; None without requests."""
        return 1 - self.bad / self.total if self.total else None


def count_requests(objective: Objective, tally: Tally) -> tuple[int, int]:
    """(requests that count, bad ones among them)."""
    match objective.kind:
        case "availability":
            return tally.requests, tally.counts["failed"]
        case "quality":
            return tally.counts["up"] + tally.counts["down"], tally.counts["down"]
        case "latency":
            sketch = tally.sketch(objective.measure)
            assert objective.under_s is not None
            return sketch.total, sketch.above(objective.under_s)


def of(objectives: Mapping[str, Objective], application: str) -> Iterator[tuple[str, Objective]]:
    """The objectives of an application, with their names."""
    for name, objective in objectives.items():
        if "*" in objective.applications or application in objective.applications:
            yield name, objective


def windows(fine: int) -> list[int]:
    """The windows for reporting burn rates, in seconds, with steps of ``fine``."""
    return sorted({steps * fine for each in BURNING for steps in (each.long, each.short)})


def rate(objective: Objective, total: int, bad: int) -> float:
    """How fast a budget is spent: 1 lasts just its period."""
    return bad / total / (1 - objective.target) if total else 0.0


async def burning(series: Series, key: Key, name: str, objective: Objective, now: float) -> list[Condition]:
    """Conditions of both severities; each is wrong when one of its pairs of windows is."""
    fine = series.fine
    signals: dict[str, list[Signal]] = {}
    for each in BURNING:
        total, bad = count_requests(objective, await series.sum(key, now - each.long * fine, now + fine, now))
        still = count_requests(objective, await series.sum(key, now - each.short * fine, now + fine, now))
        burnt, lately = rate(objective, total, bad), rate(objective, *still)
        enough = total >= _LEAST and bad >= FEWEST
        wrong = enough and burnt >= each.rate and lately >= each.rate
        over = f"{_length(each.long * fine)}/{_length(each.short * fine)}"
        signal = Signal(over, burnt, each.rate, "x", total, wrong, lately < each.rate)
        signals.setdefault(each.severity, []).append(signal)
    return [
        Condition("slo", *key, _SEVERITY[severity], found, name=f"{name}/{severity}", for_s=0.0)
        for severity, found in signals.items()
    ]


def _length(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
