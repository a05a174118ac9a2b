"""Significance: known values, and the rate of false alarms without a difference."""

from __future__ import annotations

import numpy as np
import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.statistics.significance import clustered, clustered_share, compare, holm, interval, permutation


def test_all_pairs_in_one_direction_have_the_exact_probability() -> None:
    # Of the 2^5 sign patterns two are as extreme as five equal gains.
    assert permutation([1, 1, 1, 1, 1], [0, 0, 0, 0, 0]) == pytest.approx(2 / 32)


def test_the_exact_value_of_a_small_example() -> None:
    # Differences 3, 1, -1: |sum| = 3. Sums over the eight patterns: 5 3 3 1 -1 -3 -3 -5, of which six reach 3.
    assert permutation([3, 1, 0], [0, 0, 1]) == pytest.approx(6 / 8)


def test_no_difference_is_no_evidence() -> None:
    assert permutation([0.2, 0.5, 0.9], [0.2, 0.5, 0.9]) == 1
    assert permutation([0.2, 0.5, 0.9], [0.2, 0.5, 0.0]) == 1


def test_a_drawn_test_agrees_with_the_normal_approximation() -> None:
    differences = np.random.default_rng(3).normal(0.15, 1, 200)
    z = abs(differences.sum()) / np.sqrt((differences**2).sum())
    from scipy.stats import norm

    assert permutation(differences.tolist(), [0.0] * 200) == pytest.approx(2 * norm.sf(z), abs=0.01)


def test_false_alarms_come_as_often_as_promised() -> None:
    generator = np.random.default_rng(11)
    runs = 400
    alarms = sum(permutation(*generator.beta(0.4, 0.6, (2, 9)).tolist()) <= 0.05 for _ in range(runs))
    # 20 expected; a rate of 5 % leaves 8 to 34 with probability 0.999.
    assert 8 <= alarms <= 34


def test_correction_keeps_the_chance_of_even_one_false_alarm() -> None:
    generator = np.random.default_rng(5)
    runs, plain, corrected = 100, 0, 0
    for _ in range(runs):
        p_values = [permutation(*generator.normal(0, 1, (2, 8)).tolist()) for _ in range(8)]
        plain += min(p_values) <= 0.05
        corrected += min(holm(p_values)) <= 0.05
    assert plain >= 0.2 * runs
    assert corrected <= 0.12 * runs


def test_holm_steps_down() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []
    with pytest.raises(InvalidRequest):
        holm([1.2])


def test_an_interval_covers_the_mean_as_often_as_promised() -> None:
    generator = np.random.default_rng(8)
    covered = 0
    for _ in range(60):
        found = interval(generator.beta(2, 5, 60).tolist())
        assert found.low < found.value < found.high
        covered += found.low <= 2 / 7 <= found.high
    assert covered >= 50


def test_an_interval_is_that_of_the_normal_approximation_where_that_holds() -> None:
    values = np.random.default_rng(1).normal(0.5, 0.1, 400)
    found = interval(values.tolist())
    half = 1.96 * values.std(ddof=1) / np.sqrt(400)
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.001)
    assert found.n == 400


@pytest.mark.parametrize("values", [[0.25], [1.0, 1.0, 1.0]])
def test_without_spread_the_interval_is_the_value(values: list[float]) -> None:
    found = interval(values)
    assert (found.low, found.value, found.high) == (values[0],) * 3


def test_systems_are_compared_with_the_baseline_and_corrected_together() -> None:
    generator = np.random.default_rng(4)
    base = dict(enumerate(generator.uniform(0, 0.5, 40)))
    systems = {
        "base": {str(key): float(value) for key, value in base.items()},
        "better": {str(key): float(value) + 0.3 for key, value in base.items()},
        "same": {str(key): float(value) for key, value in base.items()},
    }
    found = compare(systems, "base")
    assert found.keys() == {"better", "same"}
    assert found["better"].difference.value == pytest.approx(0.3)
    assert (found["better"].won, found["better"].lost) == (40, 0)
    assert found["better"].p < 0.001
    assert found["better"].corrected == pytest.approx(2 * found["better"].p)
    assert (found["same"].p, found["same"].won, found["same"].lost) == (1, 0, 0)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no system nobody to compare with"):
        compare({"a": {"q": 1.0}}, "nobody")
    with pytest.raises(InvalidRequest, match="different queries"):
        compare({"a": {"q": 1.0}, "b": {"r": 1.0}}, "a")
    with pytest.raises(InvalidRequest, match="a pair is incomplete"):
        permutation([1.0, 2.0], [1.0])
    with pytest.raises(InvalidRequest, match="no values"):
        interval([])


def test_values_of_one_cluster_depend_on_each_other() -> None:
    values = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    alone = clustered(values, [""] * 12)
    together = clustered(values, [str(number // 3) for number in range(12)])
    assert alone.value == together.value == 0.5
    # Twelve values of variance 3/11, and Student's t of 11 degrees of freedom.
    assert alone.high - alone.value == pytest.approx(2.200985 * (3 / 11 / 12) ** 0.5, rel=1e-5)
    # Four means of 0 or 1: variance 1/3, three degrees of freedom.
    assert together.high - together.value == pytest.approx(3.182446 * (1 / 3 / 4) ** 0.5, rel=1e-5)


def test_one_cluster_says_nothing_about_others() -> None:
    found = clustered([0.0, 1.0], ["a", "a"])
    assert (found.low, found.high) == (0.5, 0.5)
    with pytest.raises(InvalidRequest):
        clustered([0.0, 1.0], ["a"])


def test_a_share_has_an_interval_even_if_all_are_equal() -> None:
    none = clustered_share([0.0] * 12, [""] * 12)
    # Wilson's interval of 0 of 12.
    assert (none.low, none.high) == pytest.approx((0.0, 0.242494), abs=1e-6)
    few = clustered_share([0.0] * 12, [str(number // 3) for number in range(12)])
    assert few.high == pytest.approx(0.489895, abs=1e-5)
    values = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    alone, together = (clustered_share(values, clusters) for clusters in ([""] * 12, [str(n // 3) for n in range(12)]))
    assert 0 < together.low < alone.low < 0.5 < alone.high < together.high < 1
    with pytest.raises(InvalidRequest, match="0 or 1"):
        clustered_share([0.5], [""])
