"""The comparison of all outcomes at once says what the sequential test says outcome by outcome."""

from __future__ import annotations

import numpy as np
import pytest

from mainspring.statistics.arm_comparison import compare_arms, units_needed
from mainspring.statistics.sequential import Arms, threshold


@pytest.mark.parametrize("dropping", [False, True])
@pytest.mark.parametrize("rates", [(0.7, 0.5), (0.8, 0.6, 0.6), (0.5, 0.5, 0.2)])
@pytest.mark.parametrize("seed", range(3))
def test_it_equals_the_test_one_by_one(rates: tuple[float, ...], dropping: bool, seed: int) -> None:
    draw = np.random.default_rng(seed)
    names = "abc"[: len(rates)]
    test = Arms(list(names), effect=0.2, dropping=dropping)
    outcomes: dict[str, list[bool]] = {name: [] for name in names}
    places: dict[str, list[int]] = {name: [] for name in names}
    best = ""
    for place in range(900):
        name = names[int(draw.integers(len(names)))]
        success = bool(draw.random() < rates["abc".index(name)])
        outcomes[name].append(success)
        places[name].append(place)
        best = test.add(name, success)
    found = compare_arms(outcomes, places, effect=0.2, alpha=0.05, dropping=dropping)
    assert (found.best, set(found.worse)) == (best, set(test.worse))
    assert all((value == 1) == (pair in test._crossed) for pair, value in found.evidence.items() if not dropping)


def test_arms_that_are_dropped_need_more_evidence_where_there_are_several() -> None:
    assert threshold(2, 0.05, dropping=True) == threshold(2, 0.05)
    assert threshold(4, 0.05, dropping=True) > threshold(4, 0.05)


def test_one_arm_and_no_outcomes_say_nothing() -> None:
    assert compare_arms({"a": [True]}, {"a": [0]}, effect=0.1, alpha=0.05).best == ""
    found = compare_arms({"a": [], "b": []}, {"a": [], "b": []}, effect=0.1, alpha=0.05)
    assert (found.best, dict(found.worse), set(found.evidence.values())) == ("", {}, {0.0})


def test_planning_says_how_many_units_a_fixed_test_needs() -> None:
    # (1.960 + .842)² x 2 x .25 / .05²
    assert units_needed(0.5, 0.05, 2, 0.05) == pytest.approx(1570, abs=2)
