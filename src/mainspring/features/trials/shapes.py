"""Trials, verdicts and outcomes as JSON."""

from __future__ import annotations

import math
from typing import Any

from mainspring.core.facts.opinions import OutcomeFacts
from mainspring.core.types import EventRecord
from mainspring.features.trials.analysis.verdicts import ArmVerdict, GuardVerdict, Verdict, words
from mainspring.features.trials.service import State
from mainspring.statistics.confidence_sequences import Interval


def trial_body(state: State) -> dict[str, Any]:
    """A trial without its units. ``weights`` are those of its arms in the tenant's traffic."""
    trial = state.running
    return {
        "id": trial.name,
        "object": "trial",
        "created_at": state.created_at,
        "status": state.status,
        "winner": state.winner or None,
        "dropped": dict(state.dropped),
        "weights": dict(trial.weights),
        "unit": "answer" if trial.sticky == "request" else trial.sticky,
        "definition": trial.definition.model_dump(),
    }


def verdict_body(state: State, verdict: Verdict) -> dict[str, Any]:
    """A trial with what is known of its arms."""
    metric = state.running.definition.metric
    return {
        **trial_body(state),
        "verdict": words(state.running.definition, verdict),
        "best": verdict.compared.best or None,
        "metric": metric.shown,
        "mismatch": verdict.mismatch,
        "sound": verdict.sound,
        "waiting": verdict.waiting,
        "moved": verdict.moved,
        "needed": verdict.needed,
        "arms": [_arm(each, verdict) for each in verdict.arms.values()],
    }


def outcome_body(record: EventRecord) -> dict[str, Any]:
    """An outcome."""
    facts = OutcomeFacts.of(record.facts)
    return {
        "id": record.id,
        "object": "outcome",
        "created_at": record.at,
        "episode": facts.episode,
        "about": record.subject,
        "metric": facts.metric,
        "value": facts.value,
    }


def _arm(arm: ArmVerdict, verdict: Verdict) -> dict[str, Any]:
    return {
        "name": arm.name,
        "units": arm.units,
        "successes": arm.successes,
        "rate": arm.rate,
        "sequence": [{"at": at, **_interval(found)} for at, found in arm.sequence],
        "evidence": {
            other: round(value, 4) for (better, other), value in verdict.compared.evidence.items() if better == arm.name
        },
        "guards": [_guard(each) for each in arm.guards],
    }


def _guard(found: GuardVerdict) -> dict[str, Any]:
    return {
        "metric": found.guard.shown,
        "state": found.state,
        "worse_by": found.guard.worse_by,
        "relative": found.relative,
        "difference": _interval(found.difference),
    }


def _interval(found: Interval) -> dict[str, Any]:
    return {"n": found.n, "value": _number(found.mean), "low": _number(found.low), "high": _number(found.high)}


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
