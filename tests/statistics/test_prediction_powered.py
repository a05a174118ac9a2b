"""Estimates from a judge and some labels equal those of ppi-python 0.2.3, and cover the truth."""

from typing import Any

import numpy as np
import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.statistics.prediction_powered import mean


def population(seed: int = 5, size: int = 600, labelled: int = 100) -> tuple[Any, Any, Any]:
    draw = np.random.default_rng(seed)
    truth = draw.random(size) < 0.7
    judge = np.clip(np.where(truth, 0.75, 0.45) + draw.normal(0, 0.2, size), 0, 1)
    return truth[:labelled].astype(float), judge[:labelled], judge[labelled:]


# `ppi_mean_pointestimate` and `ppi_mean_ci` of the same arrays; it divides variances by n, not by n - 1.
@pytest.mark.parametrize(
    ("weight", "value", "low", "high"),
    [
        (None, 0.6956334, 0.62275976, 0.76850704),
        (1.0, 0.6956334, 0.62275976, 0.76850704),
        (0.5, 0.6828167, 0.60392628, 0.76170712),
    ],
)
def test_it_gives_what_the_reference_gives(weight: float | None, value: float, low: float, high: float) -> None:
    found = mean(*population(), weight=weight)
    assert found.estimate.value == pytest.approx(value, abs=1e-7)
    assert found.estimate.high - found.estimate.low == pytest.approx(high - low, rel=0.006)


def test_a_judge_that_says_nothing_is_not_followed() -> None:
    labels, _, _ = population()
    draw = np.random.default_rng(1)
    found = mean(labels, draw.random(100), draw.random(500))
    assert found.weight < 0.2
    assert found.gain > -0.02


def test_a_judge_that_is_always_too_kind_biases_nothing() -> None:
    labels, judged, others = population()
    assert mean(labels, judged + 0.2, others + 0.2).estimate.value == pytest.approx(
        mean(labels, judged, others).estimate.value
    )


def test_intervals_cover_the_truth_and_are_narrower() -> None:
    draw = np.random.default_rng(2)
    covered, gains = [], []
    for _ in range(1000):
        truth = draw.random(800) < 0.7
        judge = np.where(truth, 0.75, 0.4) + draw.normal(0, 0.15, 800)
        found = mean(truth[:80].astype(float), judge[:80], judge[80:])
        covered.append(found.estimate.low <= 0.7 <= found.estimate.high)
        gains.append(found.gain)
    assert 0.93 <= np.mean(covered) <= 0.97
    assert np.mean(gains) > 0.2


def test_without_other_scores_it_is_the_mean_of_the_labels() -> None:
    labels, judged, _ = population()
    found = mean(labels, judged, [])
    assert found.estimate == found.labels_alone


@pytest.mark.parametrize(
    ("labels", "judged", "others"), [([1.0], [1.0], []), ([1.0, 0.0], [1.0], []), ([1.0, float("nan")], [1, 0], [])]
)
def test_what_cannot_be_estimated_is_refused(labels: list[float], judged: list[float], others: list[float]) -> None:
    with pytest.raises(InvalidRequest):
        mean(labels, judged, others)
