"""What a trial's units say: which arm is best, by how much, and which breaks a guard."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mainspring.features.trials.analysis.reading import Units
from mainspring.features.trials.definitions import Guard, Metric, Trial
from mainspring.statistics.arm_comparison import Compared, compare_arms, units_needed
from mainspring.statistics.confidence_sequences import Interval, asymptotic_difference, betting, looks, mismatch

GuardState = Literal["broken", "held", "open"]
GUARD = "guard: "
"""How the reason begins for which an arm was dropped that broke a guard."""
MISMATCH = 1e-3
"""The p-value from which the counts of units do not follow the weights."""
_POINTS = 40


@dataclass(frozen=True, slots=True)
class GuardVerdict:
    """``difference`` is the arm's less the control's in the direction that is worse, against ``worse_by``."""

    guard: Guard
    state: GuardState
    difference: Interval
    relative: bool


@dataclass(frozen=True, slots=True)
class ArmVerdict:
    """An arm: how many units count, their success rate, and for all but the control the difference to it over time."""

    name: str
    units: int
    successes: int
    sequence: Sequence[tuple[float, Interval]]
    """Unix seconds and the difference by then."""
    guards: Sequence[GuardVerdict]

    @property
    def rate(self) -> float | None:
        """The share of units that succeed; None without any."""
        return self.successes / self.units if self.units else None

    @property
    def broken(self) -> str:
        """The first guard that it breaks; empty: none."""
        return next((each.guard.shown for each in self.guards if each.state == "broken"), "")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of a whole trial. ``mismatch`` is the p-value of "units fall to arms as the weights say"; None: nothing tells it.
    ``needed`` are the units of each arm that a test of a fixed size would need."""

    arms: Mapping[str, ArmVerdict]
    compared: Compared
    mismatch: float | None
    waiting: int
    moved: int
    needed: int

    @property
    def sound(self) -> bool:
        """Whether units fall to arms as they should: if not, no verdict can be trusted."""
        return self.mismatch is None or self.mismatch >= MISMATCH


def judge(trial: Trial, units: Units, weights: Mapping[str, float], dropped: Mapping[str, str]) -> Verdict:
    """The verdict on the units as they are; looked at as often as one likes."""
    counted = {name: each.of(0) for name, each in units.arms.items()}
    # An arm that broke a guard gets no more traffic, whatever its success: nothing is shown better than it.
    within = [name for name in counted if not dropped.get(name, "").startswith(GUARD)]
    compared = compare_arms(
        {name: counted[name][0] for name in within},
        {name: counted[name][1] for name in within},
        began_with=len(counted),
        effect=trial.metric.effect,
        alpha=trial.alpha,
        dropping=trial.adaptive,
    )
    others = max(1, len(units.arms) - 1)
    arms = {
        name: ArmVerdict(
            name,
            len(seen),
            int(seen.sum()),
            () if name == trial.control else _sequence(trial, units, name, trial.alpha / others),
            () if name == trial.control else _guards(trial, units, name, trial.alpha / others),
        )
        for name, (seen, _) in counted.items()
    }
    control = arms[trial.control]
    shares = {name: weight for name, weight in weights.items() if weight > 0 and name not in dropped}
    given = [units.given.get(name, 0) for name in shares]
    told = mismatch(given, list(shares.values())) if len(shares) > 1 and any(given) else None
    needed = units_needed(control.rate or 0.5, trial.metric.effect, len(arms), trial.alpha)
    return Verdict(arms, compared, told, units.waiting, units.moved, needed)


def _sequence(trial: Trial, units: Units, name: str, alpha: float) -> list[tuple[float, Interval]]:
    """The k-th unit of the arm against the k-th of the control."""
    ours, theirs = units.arms[name], units.arms[trial.control]
    (one, places), (other, their_places) = ours.of(0), theirs.of(0)
    n = min(len(one), len(other))
    if not n:
        return []
    differences = one[:n].astype(float) - other[:n].astype(float)
    found = betting(differences, looks(n, _POINTS), low=-1.0, high=1.0, alpha=alpha)
    at = np.maximum(_times(ours, places)[:n], _times(theirs, their_places)[:n])
    return [(float(at[each.n - 1]), each) for each in found]


def _times(arm: Any, places: Any) -> Any:
    return arm.at[np.searchsorted(arm.places, places)]


def _guards(trial: Trial, units: Units, name: str, alpha: float) -> list[GuardVerdict]:
    found = []
    for place, guard in enumerate(trial.guards, 1):
        ours, theirs = units.arms[name], units.arms[trial.control]
        own = alpha / len(trial.guards)
        if guard.bounds == (None, None):
            found.append(_of_means(guard, ours.values[place], theirs.values[place], own))
            continue
        one, other = ours.of(place)[0], theirs.of(place)[0]
        n = min(len(one), len(other))
        if not n:
            found.append(GuardVerdict(guard, "open", Interval(0, 0.0, -1.0, 1.0), relative=False))
            continue
        worse = betting(other[:n] * 1.0 - one[:n], [n], low=-1.0, high=1.0, alpha=own)[0]
        found.append(GuardVerdict(guard, _state(worse, guard.worse_by), worse, relative=False))
    return found


def _of_means(guard: Guard, ours: Any, theirs: Any, alpha: float) -> GuardVerdict:
    one, other = ours[~np.isnan(ours)], theirs[~np.isnan(theirs)]
    found = asymptotic_difference(one, other, alpha=alpha)
    base = float(other.mean()) if len(other) else 0.0
    if not base or found.n < 2 or math.isinf(found.low):
        return GuardVerdict(guard, "open", Interval(found.n, 0.0, -math.inf, math.inf), relative=True)
    share = Interval(found.n, found.mean / base, found.low / base, found.high / base)
    return GuardVerdict(guard, _state(share, guard.worse_by), share, relative=True)


def _state(found: Interval, worse_by: float) -> GuardState:
    if found.low > worse_by:
        return "broken"
    return "held" if found.high <= worse_by else "open"


def words(trial: Trial, verdict: Verdict) -> str:
    """The verdict in one or two sentences."""
    if not verdict.sound:
        return (
            f"Do not trust the numbers: units do not fall to the arms as the weights say (p = {verdict.mismatch:.1g}). "
            "Look for requests of one arm that are lost."
        )
    broken = [f"{name} breaks the guard on {each.broken}" for name, each in verdict.arms.items() if each.broken]
    best = verdict.compared.best
    if best and not verdict.arms[best].broken:
        rest = ", ".join(f"{name} {_rate(each)}" for name, each in verdict.arms.items() if name != best)
        said = [
            f"{best} is best by {trial.metric.shown}: {_rate(verdict.arms[best])} against {rest}. The chance that a "
            f"wrong arm is named is at most {trial.alpha:.0%}, however often you look."
        ]
    else:
        said = [_undecided(trial, verdict.arms[name], verdict.needed) for name in verdict.arms if name != trial.control]
    return " ".join([*(f"{each}." for each in broken), *said])


def _undecided(trial: Trial, arm: ArmVerdict, needed: int) -> str:
    if not arm.sequence:
        return f"{arm.name}: nothing is known yet."
    last = arm.sequence[-1][1]
    metric: Metric = trial.metric
    return (
        f"{arm.name} is between {last.low:+.3f} and {last.high:+.3f} of {trial.control} by {metric.shown} after "
        f"{last.n:,} units of each: not decided. About {needed:,} of each show a difference of {metric.effect:g}."
    )


def _rate(arm: ArmVerdict) -> str:
    return f"{arm.rate:.3f} (n = {arm.units:,})" if arm.rate is not None else "(no units)"
