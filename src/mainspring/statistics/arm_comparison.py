"""The comparison of arms by all of their outcomes at once: the same verdict as ``sequential.Arms`` gives one by one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mainspring.statistics.sequential import SCALES, better_factor, mixed, seen_rate, threshold


@dataclass(frozen=True, slots=True)
class Compared:
    """``best`` is the arm that is shown better than all others (empty: none yet), ``worse`` by arm the one that was
    shown better than it first. ``evidence`` is how far each pair (better, worse) is: 1 is shown, 0 nothing."""

    best: str
    worse: Mapping[str, str]
    evidence: Mapping[tuple[str, str], float]


def compare_arms(
    outcomes: Mapping[str, Any],
    places: Mapping[str, Any],
    *,
    effect: float,
    alpha: float,
    dropping: bool = False,
    began_with: int = 0,
) -> Compared:
    """``outcomes`` are the successes of each arm in order, ``places`` the place of each among those of all arms. If
    there were more arms, which left for another reason, the comparison ``began_with`` so many."""
    if len(outcomes) < 2:
        return Compared("", {}, {})
    most = threshold(max(began_with, len(outcomes)), alpha, dropping=dropping)
    shown: list[tuple[int, str, str]] = []
    evidence: dict[tuple[str, str], float] = {}
    for one, other in itertools.combinations(outcomes, 2):
        n = min(len(outcomes[one]), len(outcomes[other]))
        first, second = np.asarray(outcomes[one][:n], bool), np.asarray(outcomes[other][:n], bool)
        before = np.cumsum(first) + np.cumsum(second) - first - second
        rate = seen_rate(before, np.arange(n))
        when = np.maximum(np.asarray(places[one][:n]), np.asarray(places[other][:n]))
        for better, worse, up, down in ((one, other, first, second), (other, one, second, first)):
            steps = [better_factor(up, down, rate, scale * effect) for scale in SCALES]
            logs = mixed(np.cumsum(np.stack(steps, axis=-1), axis=0)) if n else np.zeros(0)
            evidence[better, worse] = float(np.clip(logs.max() / most, 0, 1)) if n else 0.0
            over = logs >= most
            if over.any():
                shown.append((int(when[over.argmax()]), better, worse))
    return _decided(sorted(shown), list(outcomes), evidence, dropping)


def _decided(
    shown: list[tuple[int, str, str]], names: list[str], evidence: Mapping[tuple[str, str], float], dropping: bool
) -> Compared:
    worse: dict[str, str] = {}
    pairs: set[tuple[str, str]] = set()
    for _, better, lost in shown:
        if dropping and (better in worse or lost in worse):
            # Neither gets traffic any more.
            continue
        worse.setdefault(lost, better)
        pairs.add((better, lost))
    if dropping:
        left = [name for name in names if name not in worse]
        return Compared(left[0] if len(left) == 1 else "", worse, evidence)
    best = [name for name in names if all((name, other) in pairs for other in names if other != name)]
    return Compared(best[0] if best else "", worse, evidence)


def units_needed(rate: float, effect: float, arms: int, alpha: float, power: float = 0.8) -> int:
    """Units of each arm that a test of a fixed size would need: for planning. About 1.2 times as many are enough for
    half of all comparisons of four arms, .85 times as many for two (``benchmarks/sequential_tests.py``)."""
    from mainspring.statistics.sequential import fixed_size

    middle = min(max(rate, 0.01), 0.99)
    return math.ceil(fixed_size(effect, 2 * middle * (1 - middle), alpha=alpha / arms, power=power))
