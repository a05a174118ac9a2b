"""AUROC and risk-coverage curves: values that can be counted by hand."""

from __future__ import annotations

import random

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.statistics.curves import auroc, risk_coverage


def test_auroc_counts_pairs_and_half_of_ties() -> None:
    # Pairs: 3 beats 2 and 1; 2 ties with 2 and beats 1.
    found = auroc([3.0, 2.0], [2.0, 1.0])
    assert found.value == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert found.n == 4


def test_auroc_at_its_ends_and_without_information() -> None:
    assert auroc([2.0, 3.0], [0.0, 1.0]).value == 1
    assert auroc([0.0, 1.0], [2.0, 3.0]).value == 0
    assert auroc([1.0] * 5, [1.0] * 9).value == pytest.approx(0.5)
    generator = random.Random(2)
    chance = auroc([generator.random() for _ in range(300)], [generator.random() for _ in range(300)])
    assert chance.low < 0.5 < chance.high
    assert 0.05 < chance.high - chance.low < 0.15


def test_the_curve_of_four_answers() -> None:
    curve = risk_coverage([0.9, 0.8, 0.6, 0.1], [True, False, True, False])
    assert [point.coverage for point in curve.points] == [0.25, 0.5, 0.75, 1.0]
    assert [point.risk for point in curve.points] == pytest.approx([0.0, 0.5, 1 / 3, 0.5])
    assert curve.aurc == pytest.approx((0 + 0.5 + 1 / 3 + 0.5) / 4)
    assert curve.best == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)
    assert curve.chance == pytest.approx(0.5)
    assert curve.at_coverage(0.6).threshold == 0.6
    found = curve.at_risk(0.4)
    assert found is not None
    assert found.coverage == 0.75


def test_a_perfect_order_reaches_the_best_area_and_a_constant_score_that_of_chance() -> None:
    right = [True] * 6 + [False] * 4
    assert risk_coverage([float(-place) for place in range(10)], right).aurc == pytest.approx(
        risk_coverage([0.0] * 10, right).best
    )
    constant = risk_coverage([0.5] * 10, right)
    assert len(constant.points) == 1
    assert constant.aurc == pytest.approx(constant.chance) == pytest.approx(0.4)


def test_no_threshold_reaches_a_risk_below_that_of_the_surest_answer() -> None:
    assert risk_coverage([1.0, 0.5], [False, True]).at_risk(0.4) is None


def test_what_has_no_curve_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        risk_coverage([], [])
    with pytest.raises(InvalidRequest, match="2 scores for 1 answers"):
        risk_coverage([0.1, 0.2], [True])
    with pytest.raises(InvalidRequest, match="positives and negatives"):
        auroc([], [1.0])
