"""When a campaign begins: enough feedback, an alarm, a schedule, or an erasure that asks for a new one."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.features.improve.policy.policy import Budget, Watch
from mainspring.features.improve.policy.store import Watched

DRIFT = "drift"


def reason(watch: Watch, watched: Watched, alarms: Sequence[str], now: float) -> str:
    """Why a campaign begins now; empty: none does."""
    if watched.due:
        return watched.due
    if now < watched.rest_until:
        return ""
    if watch.feedback is not None and watched.fresh >= watch.feedback:
        return f"{watched.fresh} pieces of feedback since the last"
    if watch.drift and DRIFT in alarms:
        return "an alert of drift fires"
    if watch.every_s is not None and now - watched.begun_at >= watch.every_s:
        return f"{(now - watched.begun_at) / 3600:.0f} hours since the last"
    return ""


def left(budget: Budget, spent_s: float, usd_per_hour: float) -> float | None:
    """The seconds of training that a budget leaves this month; None: it has no end."""
    bounds = []
    if budget.seconds is not None:
        bounds.append(budget.seconds - spent_s)
    if budget.usd is not None and usd_per_hour > 0:
        bounds.append(budget.usd / usd_per_hour * 3600.0 - spent_s)
    return max(0.0, min(bounds)) if bounds else None
