"""Tests that are looked at after every answer: their factors are fair, and they decide soon and rightly."""

import itertools
import math

import numpy as np
import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.statistics.sequential import (
    SCALES,
    Arms,
    Pairs,
    bets,
    better_factor,
    fixed_size,
    mixed,
    seen_rate,
)

RATES = (0.001, 0.03, 0.2, 0.5, 0.9, 0.97, 0.999)


@pytest.mark.parametrize("effect", [0.005, 0.05, 0.4])
@pytest.mark.parametrize("seen", RATES)
def test_no_factor_gains_while_the_first_is_not_better(effect: float, seen: float) -> None:
    for first, second in itertools.product(RATES, RATES):
        if first > second:
            continue
        gained = sum(
            (first if one else 1 - first)
            * (second if other else 1 - second)
            * math.exp(better_factor(one, other, seen, effect))
            for one, other in itertools.product((True, False), repeat=2)
        )
        assert gained <= 1 + 1e-9


def test_a_factor_gains_where_the_effect_is_there() -> None:
    gained = sum(
        (0.55 if one else 0.45) * (0.45 if other else 0.55) * better_factor(one, other, 0.5, 0.1)
        for one, other in itertools.product((True, False), repeat=2)
    )
    assert gained > 0


def test_arms_decide_as_the_arrays_do() -> None:
    draw = np.random.default_rng(3)
    first, second = draw.random(400) < 0.8, draw.random(400) < 0.55
    arms, decided = Arms(["a", "b"], effect=0.2), None
    for number, (one, other) in enumerate(zip(first, second, strict=True)):
        arms.add("b", bool(other))
        if arms.add("a", bool(one)) and decided is None:
            decided = number
    seen = np.cumsum(first.astype(int) + second) - first - second
    rate = seen_rate(seen, np.arange(400))
    logs = np.stack([np.cumsum(better_factor(first, second, rate, scale * 0.2)) for scale in SCALES], -1)
    assert decided == int((mixed(logs) >= arms.threshold).argmax())
    assert (arms.best, arms.worse) == ("a", frozenset({"b"}))


def test_equal_arms_are_hardly_ever_told_apart() -> None:
    wrong = 0
    for seed in range(150):
        draw = np.random.default_rng(seed)
        arms = Arms(["a", "b"], effect=0.3)
        outcomes = draw.random((120, 2)) < 0.5
        for row in outcomes:
            arms.add("a", bool(row[0]))
            wrong += bool(arms.add("b", bool(row[1])))
            if arms.best:
                break
    assert wrong / 150 <= 0.06


def test_an_arm_that_is_better_than_one_of_two_is_not_named_yet() -> None:
    arms = Arms(["a", "b", "c"], effect=0.4)
    for _ in range(60):
        arms.add("a", True)
        arms.add("b", True)
        arms.add("c", False)
    assert arms.best == ""
    assert arms.worse == {"c"}
    assert arms.counts()["c"] == (0, 60)


def test_arms_with_more_traffic_wait_for_the_others() -> None:
    arms = Arms(["a", "b"], effect=0.5)
    for _ in range(500):
        arms.add("a", True)
    assert arms.best == ""
    for _ in range(30):
        arms.add("b", False)
    assert arms.best == "a"


@pytest.mark.parametrize("names", [["a"], ["a", "a"]])
def test_one_arm_is_no_comparison(names: list[str]) -> None:
    with pytest.raises(InvalidRequest):
        Arms(names, effect=0.1)


def test_an_unknown_arm_is_named() -> None:
    with pytest.raises(InvalidRequest, match="no arm c"):
        Arms(["a", "b"], effect=0.1).add("c", True)


def test_a_drop_is_found_with_fewer_examples_than_at_a_fixed_size() -> None:
    used, found = [], 0
    for seed in range(60):
        draw = np.random.default_rng(seed)
        test = Pairs(0.03)
        for value in draw.choice([-1.0, 0.0, 1.0], 2000, p=[0.065, 0.9, 0.035]):
            if test.add(value) != "undecided":
                break
        used.append(test.pairs)
        found += test.verdict == "worse"
    assert found >= 50
    assert np.mean(used) < fixed_size(0.03, 0.1, alpha=0.05, power=0.9) == pytest.approx(951, abs=2)


def test_candidates_that_are_as_good_pass() -> None:
    verdicts = []
    for seed in range(60):
        draw = np.random.default_rng(1000 + seed)
        test = Pairs(0.03)
        for value in draw.choice([-1.0, 0.0, 1.0], 2000, p=[0.05, 0.9, 0.05]):
            if test.add(value) != "undecided":
                break
        verdicts.append(test.verdict)
    assert verdicts.count("worse") <= 5
    assert verdicts.count("not worse") >= 52


@pytest.mark.parametrize(("difference", "verdict"), [(-1.0, "worse"), (1.0, "not worse")])
def test_what_is_plain_is_seen_at_once(difference: float, verdict: str) -> None:
    test = Pairs(0.03)
    while test.verdict == "undecided":
        test.add(difference)
    assert test.verdict == verdict
    assert test.pairs <= 21


def test_a_verdict_is_final() -> None:
    test = Pairs(0.1)
    while test.verdict == "undecided":
        test.add(-1.0)
    for _ in range(1000):
        assert test.add(1.0) == "worse"


def test_a_stake_follows_only_what_was_seen_before() -> None:
    assert bets(0.0, 0, 0.03) == pytest.approx(0.15)
    assert bets(100.0, 1000, 0.03) == pytest.approx(0.03 / ((100 + 4) / 1020))


@pytest.mark.parametrize("difference", [1.5, -2.0, float("nan")])
def test_differences_are_of_scores_between_0_and_1(difference: float) -> None:
    with pytest.raises(InvalidRequest):
        Pairs(0.03).add(difference)
