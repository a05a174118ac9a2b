"""The score from which people approve."""

from __future__ import annotations

import numpy as np
import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.statistics.thresholds import bins, threshold

WANTED = 0.9


def drawn(draw: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    scores = draw.random(n)
    return scores, draw.random(n) < chance(scores)


def chance(scores: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-10 * (scores - 0.4)))


def true_threshold() -> float:
    grid = np.linspace(1, 0, 100_001)
    above = np.cumsum(chance(grid)) / np.arange(1, len(grid) + 1)
    return float(grid[np.flatnonzero(above >= WANTED)[-1]])


def test_a_threshold_is_the_lowest_score_with_the_wanted_approval_above() -> None:
    scores = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    found = threshold(scores, [False, False, False, True, True, True], 1.0, least=2)
    assert (found.value, found.approval, found.coverage) == (0.4, 1.0, 0.5)
    # Equal scores are taken together, so the last approved one is not enough.
    assert threshold([0.5, 0.5, 0.4], [True, False, True], 0.9, least=1).value is None
    assert threshold(scores, [True] * 6, 0.9).n == 6
    assert threshold(scores, [True] * 6, 0.9).value is None, "six labels are too few"


def test_weights_count_what_was_sampled_for() -> None:
    # One disapproved answer stands for itself, each approved one for ten.
    scores, approved = [0.9, 0.8, 0.7], [True, False, True]
    assert threshold(scores, approved, 0.9, least=1).value == 0.9
    assert threshold(scores, approved, 0.9, [10.0, 1.0, 10.0], least=1).value == 0.7


def test_the_interval_covers_the_true_threshold() -> None:
    draw, truth = np.random.default_rng(3), true_threshold()
    runs, covered = 100, 0
    for run in range(runs):
        scores, approved = drawn(draw, 200)
        found = threshold(scores.tolist(), approved.tolist(), WANTED, resamples=200, seed=run)
        assert found.low is not None
        covered += found.low <= truth <= (1.0 if found.high is None else found.high)
    assert covered >= 0.9 * runs


def test_bins_tell_the_approval_by_score_with_intervals() -> None:
    draw = np.random.default_rng(4)
    scores, approved = drawn(draw, 1_000)
    found = bins(scores.tolist(), approved.tolist())
    assert len(found) == 10
    assert sum(each.approval.n for each in found) == 1_000
    assert found[0].approval.value < 0.2 < 0.9 < found[-1].approval.value
    inside = sum(each.approval.low <= chance(np.array([each.mean]))[0] <= each.approval.high for each in found)
    assert inside >= 8
    assert [each.approval.n for each in bins([0.5] * 7, [True] * 7)] == [7]
    assert bins([], []) == []


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        threshold([0.5], [True], 0.0)
    with pytest.raises(InvalidRequest):
        threshold([0.5], [True, False], 0.5)
