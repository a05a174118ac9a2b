"""Alerts, drift, objectives and quality as JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from mainspring.core.errors import UnfitAnswer
from mainspring.evaluation import realtime
from mainspring.features.monitor.alerts.notices import runbook
from mainspring.features.monitor.alerts.slo import ObjectiveBudget
from mainspring.features.monitor.store.alerts import Alert, Silence
from mainspring.features.monitor.store.tallies import TallyRow
from mainspring.features.monitor.traffic.drift import Feature
from mainspring.features.monitor.traffic.tally import Tally, merged
from mainspring.statistics.sampling import Drawn, hajek

_COUNTS = (
    *("ok", "failed", "refused", "cancelled", "cached", "up", "down", "edited", "retrievals", "unanswered"),
    *("sentences", "unsupported", "guard_refused", "leaks", "judged", "not_in_documents"),
)


def alert(found: Alert, silences: Sequence[Silence], now: float, runbooks: str) -> dict[str, Any]:
    """An alert."""
    return {
        "object": "alert",
        **{
            name: value for name, value in asdict(found).items() if name not in ("tenant", "details", "told", "told_at")
        },
        "created_at": found.raised_at,
        "signals": found.details.get("signals", []),
        "silenced": found.state == "firing" and any(each.covers(found, now) for each in silences),
        "runbook": runbook(runbooks, found.rule),
    }


def silence(found: Silence) -> dict[str, Any]:
    """A silence."""
    return {"object": "silence", **{name: value for name, value in asdict(found).items() if name != "tenant"}}


def drift(application: str, features: Sequence[Feature], accepted: float, raised: float | None) -> dict[str, Any]:
    """The drift of an application: ``learning`` if there is not enough to compare."""
    state = "drifted" if raised is not None else "learning" if not features else "stable"
    return {
        "object": "drift",
        "application": application,
        "state": state,
        "raised_at": raised,
        "accepted_at": accepted or None,
        "features": [
            {**asdict(each), "value": round(each.value, 4), "limit": round(each.limit, 4), "drifted": each.drifted}
            for each in features
        ],
    }


def slo(found: ObjectiveBudget) -> dict[str, Any]:
    """An objective of an application and its error budget. ``burn_rates`` are by window in seconds."""
    return {
        "object": "slo",
        "name": found.name,
        "application": found.application,
        "kind": found.objective.kind,
        "target": found.objective.target,
        "under_s": found.objective.under_s,
        "requests": found.total,
        "bad": found.bad,
        "reached": None if found.reached is None else round(found.reached, 6),
        "budget_left": round(found.left, 4),
        "burn_rates": {str(window): round(rate, 3) for window, rate in found.burn.items()},
    }


def quality(
    rows: Iterable[TallyRow],
    since: float,
    until: float,
    step: int,
    checked: Collection[str] = realtime.MEASURES,
) -> dict[str, Any]:
    """Counts by steps of time, and in all; examples are trace ids. ``rows`` are the oldest first, ``checked`` the
    measures that some policy looks at in every answer."""
    by_step: dict[int, Tally] = {}
    applications: set[str] = set()
    for row in rows:
        applications.add(row.application)
        by_step.setdefault(row.at // step * step, Tally()).merge(Tally.of(row.counted, ()))
    whole = merged(by_step.values())
    return {
        "object": "quality",
        "since": since,
        "until": until,
        "step_s": step,
        "applications": sorted(applications),
        "total": _counted(whole, checked),
        "examples": {name: whole.examples[name] for name in sorted(whole.examples)},
        "data": [{"at": at, **_counted(tally, checked)} for at, tally in by_step.items()],
    }


def _counted(tally: Tally, checked: Collection[str]) -> dict[str, Any]:
    guards = []
    for name, count in sorted(tally.named("guard|").items()):
        guard, action, kind, stage, dry = (*name.split("|"), "", "", "", "")[:5]
        told = {"guard": guard, "action": action, "kind": kind, "stage": stage, "dry_run": dry == "dry"}
        guards.append({**told, "count": count})
    scores = [
        {"metric": measure, "judge": judge, "count": scored.count, "mean": round(scored.mean, 4)}
        for (measure, judge), scored in sorted(tally.scores.items())
    ]
    estimates = [
        {"metric": measure, "judge": judge, **_estimate(tally, measure, judge)}
        for measure, judge in sorted({group[:2] for group, moments in tally.drawn.items() if moments.count > 0})
    ]
    counts = {name: max(0, tally.counts[name]) for name in _COUNTS}
    return {**counts, "errors": tally.named("error|"), "guards": guards, "realtime": _realtime(tally, checked)} | {
        "scores": scores,
        "estimates": estimates,
    }


def _realtime(tally: Tally, checked: Collection[str]) -> dict[str, float | None]:
    """The shares of answers in which nothing was found, by what is looked at in every answer; None where nothing looks
    and nothing was found."""
    answers = tally.counts["ok"] + tally.counts[f"error|{UnfitAnswer.code}"]
    if answers <= 0:
        return dict.fromkeys(realtime.MEASURES, None)
    found = {name: tally.counts[f"found {name}"] for name in realtime.MEASURES}
    return {
        name: round(max(0.0, 1 - count / answers), 4) if count or name in checked else None
        for name, count in found.items()
    }


def _estimate(tally: Tally, measure: str, judge: str) -> dict[str, Any]:
    """The mean of a score over all answers, by the probability with which each was judged."""
    groups = {key[2:]: moments for key, moments in tally.drawn.items() if key[:2] == (measure, judge)}
    found = hajek(
        Drawn(moments.count, moments.sum, moments.sum_of_squares, probability)
        for (_, probability), moments in groups.items()
        if moments.count > 0
    )
    strata: dict[str, int] = {}
    for (stratum, _), moments in groups.items():
        strata[stratum] = strata.get(stratum, 0) + moments.count
    rounded = {name: round(value, 4) for name, value in asdict(found).items() if name != "n"}
    return {**rounded, "n": found.n, "strata": strata}
