"""Estimates from a sample that takes the bad ones more often."""

from __future__ import annotations

import numpy as np
import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.statistics.sampling import Drawn, hajek, horvitz_thompson, stratified, wilson
from mainspring.statistics.significance import Estimate

SHARE = 0.1


def test_all_that_is_looked_at_in_full_has_no_error() -> None:
    found = hajek([Drawn.of([0.0, 1.0, 1.0], 1.0)])
    assert (found.value, found.low, found.high, found.n) == (2 / 3, 2 / 3, 2 / 3, 3)
    assert horvitz_thompson([Drawn.of([0.0, 1.0, 1.0], 1.0)], 3).value == pytest.approx(2 / 3)


def test_weights_undo_the_share() -> None:
    # Two bad ones were all taken, and two good ones stand for twenty.
    drawn = [Drawn.of([0.0, 0.0], 1.0), Drawn.of([1.0, 1.0], SHARE)]
    assert hajek(drawn).value == pytest.approx(20 / 22)
    assert horvitz_thompson(drawn, 22).value == pytest.approx(20 / 22)


def test_intervals_cover_where_the_plain_mean_never_does() -> None:
    draw = np.random.default_rng(5)
    bad = draw.random(4_000) < 0.08
    scores = np.where(bad, draw.beta(2, 5, 4_000), draw.beta(6, 2, 4_000))
    truth, chances = scores.mean(), np.where(bad, 1.0, SHARE)
    covered = {"hajek": 0, "horvitz": 0, "plain": 0}
    errors, runs = [], 1_000
    for _ in range(runs):
        taken = draw.random(4_000) < chances
        certain, rest = scores[taken & bad], scores[taken & ~bad]
        drawn = [Drawn.of(certain.tolist(), 1.0), Drawn.of(rest.tolist(), SHARE)]
        plain = scores[taken]
        half = 1.96 * plain.std(ddof=1) / np.sqrt(len(plain))
        for name, found in (
            ("hajek", hajek(drawn)),
            ("horvitz", horvitz_thompson(drawn, 4_000)),
            ("plain", Estimate(plain.mean(), plain.mean() - half, plain.mean() + half, len(plain))),
        ):
            covered[name] += found.low <= truth <= found.high
        errors.append(hajek(drawn).value - truth)
    assert 0.93 * runs <= covered["hajek"] <= 0.97 * runs
    assert 0.93 * runs <= covered["horvitz"] <= 0.97 * runs
    assert covered["plain"] == 0
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(runs)


def test_strata_weigh_as_many_as_they_are() -> None:
    found = stratified([(90.0, Estimate(1.0, 1.0, 1.0, 5)), (10.0, Estimate(0.5, 0.3, 0.7, 5))])
    assert found.value == pytest.approx(0.95)
    assert found.high - found.low == pytest.approx(0.04)
    assert found.n == 10


def test_wilson_is_as_published() -> None:
    # Newcombe (1998), method 3: 81 of 263.
    found = wilson(81, 263)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)


def test_what_cannot_be_estimated_is_refused() -> None:
    for wrong in ([], [Drawn(1, 1.0, 1.0, 0.0)], [Drawn(1, 1.0, 1.0, 1.5)]):
        with pytest.raises(InvalidRequest):
            hajek(wrong)
    with pytest.raises(InvalidRequest):
        horvitz_thompson([Drawn.of([1.0], 1.0)], 0)
    with pytest.raises(InvalidRequest):
        stratified([])
    with pytest.raises(InvalidRequest):
        wilson(0, 0)
