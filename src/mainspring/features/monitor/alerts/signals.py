"""The signals of alerts: each compares the traffic of a window with a limit, or with earlier traffic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mainspring.features.monitor.judging.score_means import ScoreSums, below
from mainspring.features.monitor.settings import (
    CostRule,
    ErrorsRule,
    LatencyRule,
    QualityRule,
    RuleName,
    SafetyRule,
)
from mainspring.features.monitor.traffic.sketch import Sketch, middle
from mainspring.features.monitor.traffic.statistics import proportions
from mainspring.features.monitor.traffic.tally import Tally

CLEAR = 0.8
"""A condition that fires at a limit clears below this share of that limit."""
SPREADS = 3.0
"""The number of standard errors that chance does not exceed."""
SCORE_SPREADS, SCORE_LEAST = 4.0, 2
"""For means of scores: several are tested repeatedly, and scores are far from normally distributed. The second value is
the multiple of ``least`` that they need."""
FEWEST = 3
"""Fewer requests than these raise nothing, whatever their share."""
NANO = 10**9


@dataclass(frozen=True, slots=True)
class Signal:
    """A number against its limit: ``wrong`` raises, ``right`` (which is more than not wrong) clears. ``before`` is its
    value in the earlier period (None: it is compared only with a limit); ``samples`` is the number behind it."""

    name: str
    value: float
    limit: float
    unit: str
    samples: int
    wrong: bool
    right: bool
    before: float | None = None
    examples: Sequence[str] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Condition:
    """The subject of one alert: a rule on one application, with its signals; it is wrong when one of them is. ``for_s``
    and ``clear_s`` are how long it must be wrong or right (None: as the settings say)."""

    rule: RuleName
    tenant: str
    application: str
    severity: str
    signals: Sequence[Signal]
    name: str = ""
    for_s: float | None = None
    clear_s: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.tenant, self.rule, self.application, self.name

    @property
    def wrong(self) -> bool:
        return any(signal.wrong for signal in self.signals)

    @property
    def right(self) -> bool:
        return all(signal.right for signal in self.signals)


def latency(now: Tally, before: Tally, rule: LatencyRule, least: int, baseline_least: int) -> list[Signal]:
    """p95 of both times."""
    found = []
    for name, limit in (("ttft", rule.ttft_s), ("total", rule.total_s)):
        sketch, past = now.sketch(name), before.sketch(name)
        usual = past.quantile(0.95) if past.total >= baseline_least else None
        limits = [] if limit is None else [limit]
        if usual is not None and rule.ratio:
            limits.append(max(rule.ratio * usual, usual + rule.least_s))
        value = sketch.quantile(0.95)
        if not limits or value is None:
            continue
        chosen = min(limits)
        wrong = sketch.total >= least and value > chosen and sketch.above(chosen) >= FEWEST
        traces = _traces(now, name)
        found.append(Signal(name, value, chosen, "s", sketch.total, wrong, value <= CLEAR * chosen, usual, traces))
    return found


def errors(now: Tally, rule: ErrorsRule, least: int) -> list[Signal]:
    """The share of failures by the server's fault."""
    failed, requests = now.counts["failed"], now.requests
    share = failed / requests if requests else 0.0
    wrong = requests >= least and failed >= FEWEST and share >= rule.share
    examples = now.examples.get("failed", ())
    return [Signal("share", share, rule.share, "", requests, wrong, share < CLEAR * rule.share, None, examples)]


def cost(now: Tally, before: Tally, hour: Tally, rule: CostRule, least: int, baseline_least: int) -> list[Signal]:
    """The cost of a request, and reported hours of anomalous cost."""
    found = []
    sketch, past = now.sketch("cost"), before.sketch("cost")
    usual, value = past.mean(), sketch.mean()
    if usual is not None and value is not None and past.total >= baseline_least:
        limit = rule.ratio * usual
        excess = (value - usual) * sketch.total / NANO
        # A few dear requests do not make all dear.
        far = value - usual >= SPREADS * _error(sketch, value)
        wrong = sketch.total >= least and value >= limit > 0 and excess >= rule.least_usd and far
        right = value < max(CLEAR * rule.ratio, 1.0) * usual or excess < CLEAR * rule.least_usd
        traces = _traces(now, "cost")
        found.append(
            Signal("request", value / NANO, limit / NANO, "usd", sketch.total, wrong, right, usual / NANO, traces)
        )
    hours = hour.counts["dear_hours"]
    if hours:
        found.append(Signal("hour", hours, 1, "hours", hours, True, False))
    return found


def quality(now: Tally, before: Tally, rule: QualityRule, least: int, baseline_least: int) -> list[Signal]:
    """Thumbs down, questions that the documents do not answer, sentences without support, and what judged answers
    score."""
    shares = (
        ("feedback", "down", now.counts["down"] + now.counts["up"], before.counts["down"] + before.counts["up"], 2),
        ("unanswered", "unanswered", now.counts["retrievals"], before.counts["retrievals"], 1),
        ("unsupported", "unsupported", now.counts["sentences"], before.counts["sentences"], 1),
    )
    found = [
        _share(name, now, before, counted, n, n0, rule.more, least // scarce, baseline_least // (4 * scarce))
        for name, counted, n, n0, scarce in shares
        if n and n0 >= baseline_least // (4 * scarce)
    ]
    for (measure, judge), scores in sorted(now.scores.items()):
        # Another judge's earlier scores are not comparable.
        usual = before.scores.get((measure, judge), ScoreSums())
        floor = rule.floors.get(measure)
        if usual.count >= baseline_least // 4 or floor is not None:
            found.append(_scored(measure, now, scores, usual, rule, floor, least, baseline_least // 4))
    return found


def _scored(
    measure: str,
    tally: Tally,
    now: ScoreSums,
    before: ScoreSums,
    rule: QualityRule,
    floor: float | None,
    least: int,
    baseline_least: int,
) -> Signal:
    """A mean that fell by ``rule.less``, beyond chance, or that lies below its floor, beyond chance."""
    known = before.count >= baseline_least
    limits = ([before.mean - rule.less] if known else []) + ([] if floor is None else [floor])
    limit = max(limits)
    fell = known and now.mean <= before.mean - rule.less and below(now, before) >= SCORE_SPREADS
    # Number of standard errors of the mean.
    short = floor is not None and (floor - now.mean) * math.sqrt(now.count) >= SCORE_SPREADS * math.sqrt(now.variance)
    right = now.mean > limit + (1 - CLEAR) * rule.less
    wrong = now.count >= max(SCORE_LEAST * least, FEWEST) and (fell or (short and now.mean < (floor or 0.0)))
    traces = _traces(tally, f"low {measure}")
    return Signal(measure, now.mean, limit, "", now.count, wrong, right, before.mean if known else None, traces)


def safety(now: Tally, before: Tally, rule: SafetyRule, least: int, baseline_least: int) -> list[Signal]:
    """Leaks that were stopped, and how many requests guards refuse."""
    leaks, refused = now.counts["leaks"], now.counts["guard_refused"]
    found = [
        Signal(
            "leaks", leaks, rule.leaks, "", now.requests, leaks >= rule.leaks, not leaks, None, _traces(now, "leaks")
        )
    ]
    n, n0 = now.requests + refused, before.requests + before.counts["guard_refused"]
    if n and n0 >= baseline_least:
        found.append(_share("refused", now, before, "guard_refused", n, n0, rule.more, least, baseline_least))
    return found


def _share(
    name: str, now: Tally, before: Tally, counted: str, n: int, n0: int, more: float, least: int, baseline_least: int
) -> Signal:
    """A share that rose by ``more``, beyond chance."""
    k, k0 = now.counts[counted], before.counts[counted]
    value, usual = k / n, k0 / n0
    beyond = proportions(k, n, k0, n0) >= SPREADS
    enough = n >= max(least, FEWEST) and n0 >= baseline_least and k >= FEWEST
    wrong = enough and value - usual >= more and beyond
    right = value - usual < CLEAR * more
    return Signal(name, value, usual + more, "", n, wrong, right, usual, _traces(now, counted))


def _traces(tally: Tally, name: str) -> Sequence[str]:
    return tally.examples.get(name, ())


def _error(sketch: Sketch, mean: float) -> float:
    """The standard error of a sketch's mean."""
    squares = sum(middle(step) ** 2 * count for step, count in sketch.counts.items()) / sketch.total
    return math.sqrt(max(squares - mean * mean, 0.0) / sketch.total)
