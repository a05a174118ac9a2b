"""What traffic says: whether a canary grows, wins or goes, and whether a promotion holds. Functions of counts alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mainspring.features.improve.policy.policy import After, Canary, Shadow
from mainspring.statistics.sampling import wilson
from mainspring.training.stages import OnlineVerdict

CURRENT, CANDIDATE = "current", "candidate"
_BETS = (0.05, 0.1, 0.2, 0.4, 0.7)


@dataclass(frozen=True, slots=True)
class Call:
    """What follows: it stays as it is, its share grows, it wins, or it goes."""

    action: Literal["wait", "grow", "win", "go"]
    reason: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


def canary(wanted: Canary, verdict: OnlineVerdict, step: int, step_since: float, since: float, now: float) -> Call:
    """``step`` is the number of the share that it has since ``step_since``; ``since`` is when the canary began."""
    figures = canary_figures(verdict)
    if not verdict.sound:
        return Call("go", "units do not fall to the arms as they should: no figure can be trusted", figures)
    if verdict.broken:
        return Call("go", f"it breaks the guard on {', '.join(verdict.broken)}", figures)
    shown = _shown(verdict)
    if verdict.best == CURRENT:
        return Call("go", f"what is current was shown better: {shown}", figures)
    if verdict.best == CANDIDATE:
        return Call("win", f"shown better: {shown}", figures)
    least = min((verdict.units.get(arm, 0) for arm in (CURRENT, CANDIDATE)), default=0)
    if wanted.units is not None and least >= wanted.units:
        return Call("go", f"not decided after {least} units of each: {shown}", figures)
    if now - since >= wanted.longest_s:
        return Call("go", f"not decided after {wanted.longest_s:.0f} s: {shown}", figures)
    if step + 1 < len(wanted.steps) and now - step_since >= wanted.step_s and least:
        return Call("grow", f"no guard is broken: {shown}", figures)
    return Call("wait")


def canary_figures(verdict: OnlineVerdict) -> dict[str, float]:
    """Those of a verdict by their names."""
    figures: dict[str, float] = {"low": verdict.low, "high": verdict.high, "needed": float(verdict.needed)}
    for arm in (CURRENT, CANDIDATE):
        figures[f"units {arm}"] = float(verdict.units.get(arm, 0))
        rate = verdict.rates.get(arm)
        if rate is not None:
            figures[f"rate {arm}"] = rate
    return figures


def _shown(verdict: OnlineVerdict) -> str:
    told = []
    for arm in (CANDIDATE, CURRENT):
        rate = verdict.rates.get(arm)
        told.append(f"{arm} {'-' if rate is None else f'{rate:.3f}'} (n = {verdict.units.get(arm, 0)})")
    return " against ".join(told)


def shadow(wanted: Shadow, copies: int, failed: int, since: float, now: float) -> Call:
    """Of copies whose answers nobody saw."""
    figures = {"copies": float(copies), "failed": float(failed)}
    if worse_than(copies - failed, copies, 1.0 - wanted.failed, 0.05):
        return Call("go", f"{failed} of {copies} copies failed, for at most {wanted.failed:.0%}", figures)
    if now - since < wanted.seconds:
        return Call("wait")
    return Call("win", f"{failed} of {copies} copies failed", figures)


@dataclass(frozen=True, slots=True)
class Counted:
    """Sums over the answers that one variant gave."""

    answers: int = 0
    failed: int = 0
    refused: int = 0
    ups: int = 0
    downs: int = 0

    def since(self, before: Counted) -> Counted:
        return Counted(*(max(0, getattr(self, each) - getattr(before, each)) for each in self.__slots__))


def after(wanted: After, before: Counted, now: Counted) -> Call:
    """Whether what was promoted is worse than what was there before, beyond doubt however often one looks.

    ``before`` are all answers of the earlier one; the low end of an interval of its rate is compared with. Shares of
    successes are compared: thumbs up, answers that did not fail, answers that did not refuse.
    """
    measures: Sequence[tuple[str, float, tuple[int, int], tuple[int, int]]] = (
        ("thumbs up", wanted.thumbs, _thumbs(before), _thumbs(now)),
        ("answers that do not fail", wanted.failed, _without(before, "failed"), _without(now, "failed")),
        ("answers that do not refuse", wanted.refused, _without(before, "refused"), _without(now, "refused")),
    )
    figures: dict[str, float] = {"answers": float(now.answers)}
    for name, worse_by, (good, n), (good_now, n_now) in measures:
        if not n or not n_now:
            continue
        # What was measured on few answers is known badly: the low end of its interval is the floor.
        floor = wilson(good, n, confidence=1 - wanted.alpha).low - worse_by
        figures |= {f"{name} before": good / n, name: good_now / n_now}
        if worse_than(good_now, n_now, floor, wanted.alpha / len(measures)):
            reason = f"{name}: {good_now / n_now:.3f} (n = {n_now}) against {good / n:.3f} (n = {n}) before"
            return Call("go", reason, figures)
    return Call("wait", "", figures)


def worse_than(good: int, n: int, floor: float, alpha: float) -> bool:
    """Whether the rate of ``good`` among ``n`` lies below ``floor``, valid however often one looks.

    A mixture of fixed bets against "the rate is at least ``floor``" (Waudby-Smith and Ramdas 2024, with constant
    bets): it depends on the counts alone, and exceeds ``1 / alpha`` with a chance of at most ``alpha``.
    """
    if n <= 0 or floor <= 0:
        return False
    floor = min(floor, 1.0)
    logs = []
    for share in _BETS:
        # The stake is a share of the largest that a success cannot ruin.
        stake = share / max(1.0 - floor, 1e-3) if floor < 1 else share * 1e3
        stake = min(stake, 0.99 / max(1.0 - floor, 1e-9))
        logs.append(good * math.log1p(-stake * (1.0 - floor)) + (n - good) * math.log1p(stake * floor))
    most = max(logs)
    total = most + math.log(sum(math.exp(each - most) for each in logs) / len(logs))
    return total >= math.log(1.0 / alpha)


def _thumbs(found: Counted) -> tuple[int, int]:
    return found.ups, found.ups + found.downs


def _without(found: Counted, name: str) -> tuple[int, int]:
    return found.answers - int(getattr(found, name)), found.answers
