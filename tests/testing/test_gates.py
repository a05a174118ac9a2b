"""The gate for tests fails for a worse candidate, and where the examples do not suffice."""

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.testing import assert_not_worse


def test_a_candidate_that_is_as_good_passes() -> None:
    assert_not_worse([1.0, 0.0] * 300, [1.0, 0.0] * 300)


def test_a_worse_candidate_fails_with_its_figures() -> None:
    with pytest.raises(AssertionError, match=r"is worse: -0\.500 over 200 examples"):
        assert_not_worse([1.0, 0.0] * 100, [1.0, 1.0] * 100)


def test_too_few_examples_fail() -> None:
    with pytest.raises(AssertionError, match="not shown to be"):
        assert_not_worse([1.0] * 3, [1.0] * 3)


def test_examples_of_one_source_count_once() -> None:
    with pytest.raises(AssertionError, match="over 2 examples"):
        assert_not_worse([1.0] * 600, [1.0] * 600, sources=["a"] * 300 + ["b"] * 300)


def test_unequal_numbers_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        assert_not_worse([1.0], [1.0, 0.0])
