"""The statistics agree with scipy's, and pass their limits by chance as rarely as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mainspring.features.monitor.traffic import statistics
from mainspring.features.monitor.traffic.sketch import Sketch


def test_quantiles_of_sketches_are_right_to_their_step() -> None:
    values = np.random.default_rng(1).lognormal(0, 2, 5000)
    sketch = Sketch.from_values(values)
    for share in (0.01, 0.5, 0.95, 0.999):
        assert sketch.quantile(share) == pytest.approx(float(np.quantile(values, share)), rel=0.06)
    assert sketch.mean() == pytest.approx(float(values.mean()), rel=0.05)
    assert Sketch.of(sketch.plain()).counts == sketch.counts
    assert Sketch().quantile(0.5) is None


def test_sketches_add_up() -> None:
    one, two = Sketch.from_values([0, 1, 2]), Sketch.from_values([2, 3, -1])
    one.merge(two)
    assert one.counts == Sketch.from_values([0, 1, 2, 2, 3, -1]).counts
    assert one.above(2.5) == 1
    assert one.above(0) == 4


def test_kolmogorov_smirnov_is_scipys() -> None:
    from scipy import stats

    chosen = np.random.default_rng(2)
    one, two = chosen.lognormal(3, 0.5, 800), chosen.lognormal(3.2, 0.5, 300)
    found = statistics.kolmogorov_smirnov(Sketch.from_values(one), Sketch.from_values(two), 0.01)
    # To the width of a step.
    assert found.value == pytest.approx(stats.ks_2samp(one, two).statistic, abs=0.03)


def test_chi_squared_is_scipys() -> None:
    from scipy import stats

    for share in (0.5, 0.99, 0.9999):
        for degrees in (1, 3, 9, 30):
            wanted = stats.chi2.ppf(share, degrees)
            # Far out it is too large by some percent with few degrees: it errs on the careful side.
            assert statistics.chi_squared(share, degrees) == pytest.approx(wanted, rel=0.08, abs=0.03)


def test_psi_and_ks_pass_their_limits_by_chance_as_rarely_as_they_say() -> None:
    chosen = np.random.default_rng(3)
    beyond = {"psi": 0, "ks": 0}
    for _ in range(600):
        one, two = (Sketch.from_values(chosen.lognormal(3, 0.6, count)) for count in (1000, 200))
        psi = statistics.psi(*statistics.binned(one, two), 0.05)
        ks = statistics.kolmogorov_smirnov(one, two, 0.05)
        beyond["psi"] += psi.value > psi.by_chance
        beyond["ks"] += ks.value > ks.by_chance
    # Steps of a sketch make ties, which make KS the more careful; PSI's limit is an approximation.
    assert 0.01 * 600 <= beyond["psi"] <= 0.09 * 600
    assert beyond["ks"] <= 0.07 * 600


def test_psi_by_hand() -> None:
    found = statistics.psi([500, 500], [50, 150], 0.001)
    before, after = (500.5 / 1001, 500.5 / 1001), (50.5 / 201, 150.5 / 201)
    wanted = sum((b - a) * math.log(b / a) for a, b in zip(before, after, strict=True))
    assert found.value == pytest.approx(wanted)
    assert found.value > found.by_chance
    assert statistics.psi([10], [10], 0.01).value == 0


def test_proportions() -> None:
    assert statistics.proportions(30, 100, 100, 1000) > 3
    assert statistics.proportions(2, 5, 100, 1000) < 2
    assert abs(statistics.proportions(10, 100, 100, 1000)) < 0.5
    assert statistics.proportions(0, 0, 1, 10) == 0


def test_a_shift_of_the_mean_is_seen_and_chance_is_not() -> None:
    chosen = np.random.default_rng(4)
    same = []
    for seed in range(40):
        rows = chosen.normal(size=(60, 32)).astype(np.float32)
        same.append(statistics.mean_shift(rows[:50], rows[50:], seed))
    assert max(same) < 6
    rows = chosen.normal(size=(60, 32)).astype(np.float32)
    rows[50:] += 1.0
    assert statistics.mean_shift(rows[:50], rows[50:]) > 20
    assert statistics.mean_shift(rows[:1], rows[1:]) == 0
