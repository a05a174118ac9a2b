"""Confidence sequences equal a published implementation's, and hold the truth at all times."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.statistics.confidence_sequences import (
    asymptotic_difference,
    betting,
    looks,
    mismatch,
    normal_mixture_bound,
)

# From ``confseq.betting.betting_cs`` (gostevehoward/confseq, commit of 2024) with a grid of 2,000 means and the running
# intersection, which widens each interval to its grid: by number of values, the lowest and the highest mean.
GRID = 1 / 2000
PUBLISHED = {
    "rare": {10: (0.0, 0.472), 50: (0.0, 0.1825), 100: (0.0, 0.0965), 300: (0.006, 0.066)},
    "half": {10: (0.173, 0.9055), 50: (0.3975, 0.7855), 100: (0.4185, 0.706), 300: (0.45, 0.6485)},
    "beta": {10: (0.351, 0.836), 50: (0.631, 0.78), 100: (0.666, 0.7665), 300: (0.694, 0.7475)},
}


def values() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(3)
    return {
        "rare": (draw.random(300) < 0.05) * 1.0,
        "half": (draw.random(300) < 0.5) * 1.0,
        "beta": draw.beta(5, 2, 300),
    }


@pytest.mark.parametrize("name", PUBLISHED)
def test_betting_equals_the_published_implementation(name: str) -> None:
    found = betting(values()[name], range(1, 301))
    for n, (low, high) in PUBLISHED[name].items():
        assert found[n - 1].low == pytest.approx(low, abs=1.01 * GRID)
        assert found[n - 1].high == pytest.approx(high, abs=1.01 * GRID)


@pytest.mark.parametrize(
    ("variance", "alpha", "best", "bound"),
    [
        # From ``confseq.boundaries.normal_mixture_bound`` with is_one_sided=False.
        (1, 0.05, 100, 9.08437943731),
        (100, 0.05, 100, 30.3520899038),
        (12345.6, 0.05, 100, 398.962568612),
        (10, 0.01, 500, 26.1368581392),
        (1000, 0.01, 500, 113.111965733),
    ],
)
def test_the_normal_mixture_equals_the_published_implementation(
    variance: float, alpha: float, best: float, bound: float
) -> None:
    assert float(normal_mixture_bound(variance, alpha, best)) == pytest.approx(bound, rel=1e-11)


def test_an_interval_fails_at_any_time_in_few_runs() -> None:
    draw = np.random.default_rng(5)
    missed = 0
    for _ in range(200):
        found = betting((draw.random(400) < 0.1) * 1.0, looks(400, 20), alpha=0.2)
        missed += any(not each.low <= 0.1 <= each.high for each in found)
    # At most 20 %; three standard errors beyond it are 28 %.
    assert missed <= 0.28 * 200


def test_differences_and_other_bounds_are_scaled() -> None:
    raw = values()["half"]
    plain, wide = betting(raw, [300])[0], betting(2 * raw - 1, [300], low=-1.0)[0]
    assert (wide.low, wide.high) == pytest.approx((2 * plain.low - 1, 2 * plain.high - 1))
    with pytest.raises(InvalidRequest):
        betting([2.0], [1])


def test_an_asymptotic_difference_narrows_around_the_truth() -> None:
    draw = np.random.default_rng(7)
    ours, theirs = draw.lognormal(1.0, 1.0, 20_000), draw.lognormal(1.2, 1.0, 20_000)
    truth = math.exp(1.5) - math.exp(1.7)
    early, late = (asymptotic_difference(ours[:n], theirs[:n]) for n in (200, 20_000))
    assert early.low < truth < early.high
    assert late.low < truth < late.high
    assert late.high - late.low < 0.2 * (early.high - early.low)
    assert asymptotic_difference([1.0], [2.0]).high == math.inf


def test_counts_that_do_not_follow_their_shares_are_found_and_others_are_not() -> None:
    draw = np.random.default_rng(9)
    shares = [0.9, 0.1]
    alarms = 0
    for _ in range(200):
        arms = np.cumsum(draw.random(2000) < shares[1])
        alarms += any(mismatch([n - int(arms[n - 1]), int(arms[n - 1])], shares) < 0.05 for n in range(50, 2001, 50))
    assert alarms <= 0.1 * 200
    assert mismatch([8600, 1400], shares) < 1e-6
    with pytest.raises(InvalidRequest):
        mismatch([1], [0.5, 0.5])


def test_looks_end_with_the_last_value() -> None:
    assert looks(0) == []
    assert looks(3) == [1, 2, 3]
    assert (looks(10_000)[-1], len(looks(10_000)) <= 40) == (10_000, True)
