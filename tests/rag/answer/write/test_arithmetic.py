"""Calculations that a model names and code does."""

from __future__ import annotations

import pytest

from mainspring.rag.answer.write.arithmetic import calculation


@pytest.mark.parametrize(
    ("reply", "working"),
    [
        ("42 - 22", "42 − 22 = 20"),
        ("£42.50 + £3 = 99", "42.50 + 3 = 45.5"),
        ("The calculation is 12 × 3.5", "12 × 3.5 = 42"),
        ("1,200 / 3", "1,200 ÷ 3 = 400"),
        ("5 - 2 * 2", "5 − 2 × 2 = 1"),
        ("10 / 3", "10 ÷ 3 = 3.33"),
    ],
)
def test_code_does_the_sum_whatever_the_model_says_it_makes(reply: str, working: str) -> None:
    found = calculation(reply)
    assert found is not None
    assert found.working == working


@pytest.mark.parametrize(
    "reply", ["Nothing", "10 / 0", "10-15 working days", "42", "1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1"]
)
def test_no_calculation(reply: str) -> None:
    assert calculation(reply) is None
