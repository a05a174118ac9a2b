"""Paired statistics: the order of runs, and the median of pairs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from _stats import Spread, alternate, differences, ratios

positive = st.floats(0.01, 1e6)


def test_the_sides_take_turns_in_going_first() -> None:
    order: list[str] = []

    def side(name: str, pair: int) -> str:
        order.append(f"{name}{pair}")
        return f"{name}{pair}"

    ours, theirs = alternate(lambda pair: side("a", pair), lambda pair: side("b", pair), 3)
    assert order == ["a0", "b0", "b1", "a1", "a2", "b2"]
    assert (ours, theirs) == (["a0", "a1", "a2"], ["b0", "b1", "b2"])


def test_ratios_are_taken_pair_by_pair() -> None:
    # The median of each side would say 1: every pair says 2 or 0.5.
    assert ratios([2.0, 1.0, 4.0], [1.0, 2.0, 2.0]) == Spread(2.0, 0.5, 2.0)


def test_differences_are_taken_pair_by_pair() -> None:
    assert differences([3.0, 10.0, 7.0], [1.0, 9.0, 2.0]) == Spread(2.0, 1.0, 5.0)


def test_an_incomplete_pair_is_an_error() -> None:
    with pytest.raises(ValueError, match="incomplete"):
        ratios([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="incomplete"):
        differences([1.0, 2.0], [1.0])


def test_a_ratio_to_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="positive"):
        ratios([1.0], [0.0])


def test_no_values_are_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        Spread.of([])


@given(st.lists(st.tuples(positive, positive), min_size=1))
def test_a_side_twice_as_fast_has_twice_the_ratio(pairs: list[tuple[float, float]]) -> None:
    ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    once, twice = ratios(ours, theirs), ratios([2 * value for value in ours], theirs)
    assert twice.median == pytest.approx(2 * once.median)
    assert once.low <= once.median <= once.high
