"""Figures with their intervals."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from mainspring.statistics import curves
from mainspring.training.encoders import figures


@given(scores=some.lists(some.integers(0, 6), min_size=2, max_size=60), data=some.data())
def test_auroc_is_the_share_of_pairs(scores: list[int], data: some.DataObject) -> None:
    labels = data.draw(some.lists(some.booleans(), min_size=len(scores), max_size=len(scores)))
    values, positive = np.array(scores, float), np.array(labels)
    found = figures.auroc(values, positive)
    if positive.all() or not positive.any():
        assert np.isnan(found)
    else:
        pairs = [(a > b) + (a == b) / 2 for a in values[positive] for b in values[~positive]]
        assert found == pytest.approx(np.mean(pairs))
        assert found == pytest.approx(curves.area(values[positive].tolist(), values[~positive].tolist()))


def test_rankings_are_measured_by_group() -> None:
    scores = [3, 2, 1, 1, 2, 3, 5, 5]
    gains = [1, 0, 0, 1, 0, 0, 1, 1]
    groups = ["a"] * 3 + ["b"] * 3 + ["c"] * 2
    found = figures.ranking(scores, gains, groups)
    # Group c has no other rows: it says nothing about an order.
    assert found.counted == {"ndcg@10": 2, "mrr": 2, "hit@1": 2, "auroc": 8}
    assert found.values["mrr"] == pytest.approx((1 + 1 / 3) / 2)
    assert found.values["hit@1"] == 0.5
    assert found.values["ndcg@10"] == pytest.approx((1 + 1 / np.log2(4)) / 2)


def test_ties_are_read_in_the_worst_order() -> None:
    assert figures.reciprocal_rank(np.array([1.0, 1.0]), np.array([1.0, 0.0])) == 0.5
    assert figures.ndcg(np.array([1.0, 1.0]), np.array([1.0, 0.0])) == pytest.approx(1 / np.log2(3))


def test_a_paired_difference_is_tighter_than_two_figures() -> None:
    random = np.random.default_rng(1)
    labels = random.random(400) < 0.5
    theirs = labels + random.normal(0, 1, 400)
    ours = theirs + 0.3 * labels
    groups = [str(place) for place in range(400)]
    value, low, high = figures.paired(
        lambda at: figures.auroc(ours[at], labels[at]), lambda at: figures.auroc(theirs[at], labels[at]), groups
    )
    assert 0 < low < value < high
    alone = figures.interval(lambda at: figures.auroc(ours[at], labels[at]), groups)
    assert high - low < alone[1] - alone[0]


def test_rows_of_one_group_are_not_independent() -> None:
    values = np.repeat(np.random.default_rng(2).normal(0, 1, 20), 50)
    wide = figures.interval(lambda at: float(values[at].mean()), [str(place // 50) for place in range(1000)])
    narrow = figures.interval(lambda at: float(values[at].mean()), [str(place) for place in range(1000)])
    assert wide[1] - wide[0] > 3 * (narrow[1] - narrow[0])


def test_calibration_error_of_the_sure_and_wrong() -> None:
    assert figures.calibration_error(np.array([1.0, 1.0]), np.array([True, False])) == pytest.approx(0.5)
    assert figures.calibration_error(np.array([0.75] * 4), np.array([True, True, True, False])) == pytest.approx(0)


def test_the_interval_of_a_calibration_error_holds_the_true_one() -> None:
    """It is 0 for what is calibrated: there the quantiles of resamples never hold it."""
    draw = np.random.default_rng(3)
    held, plain = 0, 0
    for _ in range(4):
        confidence = draw.uniform(0.55, 1.0, 300)
        right = draw.random(300) < confidence
        found = figures.Figures()
        found.add_calibration(confidence, right, [str(each) for each in range(300)])
        low, high = found.intervals["calibration_error"]
        assert low <= found.values["calibration_error"] <= high
        held += low == 0
        at_places = partial(_error_at, confidence, right)
        resampled = figures.resampled(at_places, [str(n) for n in range(300)])
        plain += bool(np.quantile(resampled, 0.025) <= 1e-3)
    assert (held, plain) == (4, 0)


def _error_at(confidence: Any, right: Any, places: Any) -> float:
    return figures.calibration_error(confidence[places], right[places])
