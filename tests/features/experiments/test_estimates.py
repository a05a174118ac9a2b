"""Intervals of means, as reports tell them."""

from __future__ import annotations

import numpy as np
import pytest

from mainspring.features.experiments.work.estimates import estimate

ALONE = [""] * 60


def test_a_share_stays_between_nothing_and_all() -> None:
    values = np.array([1.0] * 57 + [0.0] * 3)
    found = estimate(values, ALONE, scores=True)
    # Wilson's interval of 57 of 60.
    assert (found["low"], found["high"]) == (pytest.approx(0.863, abs=2e-3), pytest.approx(0.983, abs=2e-3))
    grouped = estimate(values, [str(number // 3) for number in range(60)], scores=True)
    assert 0 < grouped["low"] < found["low"]
    assert found["high"] <= grouped["high"] < 1


def test_other_scores_and_differences_have_the_interval_of_a_mean() -> None:
    halves = np.array([0.5] + [1.0] * 59)
    assert estimate(halves, ALONE, scores=True) == estimate(halves, ALONE)
    worse = np.array([-1.0] + [0.0] * 59)
    assert estimate(worse, ALONE)["high"] > 0
    assert estimate(np.array([]), [], scores=True)["mean"] is None
