"""What the rules of a trial decide, and the events of decisions."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import mainspring.stores.sql.ids as ids
from mainspring.core.facts.trials import TrialFacts
from mainspring.core.types import EventRecord
from mainspring.features.trials.analysis.verdicts import GUARD, Verdict
from mainspring.features.trials.units.folding import Running

Action = Literal["started", "dropped", "promoted", "ended"]


@dataclass(frozen=True, slots=True)
class Decision:
    """``weights`` are those of the arms from then on."""

    action: Action
    arm: str = ""
    reason: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)


def decide(trial: Running, dropped: Mapping[str, str], verdict: Verdict) -> Iterator[Decision]:
    """The decisions that a trial's definition leaves to the rule, one after the other. None while units do not fall to
    arms as they should.

    An arm is dropped that was shown worse, or that breaks a guard; the last one left, or the best, gets all traffic.
    The chance of losing the best arm so is at most ``alpha``, since the test allows any allocation of traffic
    (``sequential.Arms``).
    """
    definition = trial.definition
    if not verdict.sound or not definition.decides:
        return
    weights = {name: 0.0 if name in dropped else weight for name, weight in trial.weights.items()}
    out = dict(dropped)
    reasons = {name: f"{GUARD}{arm.broken}" for name, arm in verdict.arms.items() if arm.broken}
    if definition.adaptive:
        reasons |= {name: f"worse than {better}" for name, better in verdict.compared.worse.items()}
    for name, reason in reasons.items():
        left = [each for each in weights if each not in out and each != name]
        if name in out or not left:
            continue
        out[name] = reason
        weights = {each: 0.0 if each in out else weight for each, weight in weights.items()}
        yield Decision("dropped", name, reason, weights)
    best = verdict.compared.best
    if definition.promote and best and best not in out:
        yield Decision("promoted", best, "shown better than all others", weights_without(trial.weights, best))


def weights_without(weights: Mapping[str, float], only: str) -> dict[str, float]:
    """All traffic for one arm."""
    return {name: 1.0 if name == only else 0.0 for name in weights}


def event(
    tenant: str, name: str, route: str, decision: Decision, by: str, verdict: Verdict | None = None
) -> EventRecord:
    """The record of a decision; it is about the trial."""
    arms = {} if verdict is None else verdict.arms
    facts = TrialFacts(
        trial=name,
        route=route,
        action=decision.action,
        arm=decision.arm,
        reason=decision.reason,
        by=by,
        weights=dict(decision.weights),
        units={each.name: each.units for each in arms.values()} or None,
        rates={each.name: round(each.rate, 6) for each in arms.values() if each.rate is not None} or None,
    )
    event_id = ids.new("evt_")
    return EventRecord(event_id, time.time(), tenant, "", name, facts)
