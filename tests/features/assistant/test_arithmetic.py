"""Sums that are exact, and what is none."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.features.assistant.arithmetic import DividedByZero, NoSum, result, solved
from mainspring.features.assistant.languages import Language


@pytest.mark.parametrize(
    ("text", "language", "said"),
    [
        ("What is 17 * 23?", "en", "17 * 23 = 391"),
        ("How much is 1,234.50 + 5?", "en", "1234.50 + 5 = 1239.5"),
        ("17% of 340", "en", "17% * 340 = 57.8"),
        ("0.1 + 0.2", "en", "0.1 + 0.2 = 0.3"),
        ("square root of 144", "en", "√144 = 12"),
        ("square root of 2", "en", "√2 ≈ 1.4142135623731"),
        ("1/3", "en", "1 / 3 ≈ 0.333333333333333"),
        ("(2+3)*4 - -1", "en", "(2 + 3) * 4 - -1 = 21"),
        ("2 to the power of 10", "en", "2 ^ 10 = 1024"),
        ("9 x 7", "en", "9 * 7 = 63"),
        ("was ist 3,5 mal 2?", "de", "3.5 * 2 = 7"),
        ("1.234 + 1", "de", "1234 + 1 = 1235"),
        ("combien font 12 fois 12 ?", "fr", "12 * 12 = 144"),
        ("¿cuánto es 7 por 8?", "es", "7 * 8 = 56"),
        ("999999999999 * 999999999999", "en", "999999999999 * 999999999999 = 999999999998000000000001"),
    ],
)
def test_sums(text: str, language: Language, said: str) -> None:
    assert solved(text, language) == said


@pytest.mark.parametrize(
    "text",
    [
        *("what is 5", "2026-11-28", "28/11/2026", "555-1234", "call 555 - 1234", "2^99999", "9^9^9^9", "100 - 10%"),
        *("", "?", "1 +", "(1 + 2", "the sum of all", "what is love", "sqrt(-1)", "1" * 300 + " + 1"),
    ],
)
def test_no_sums(text: str) -> None:
    with pytest.raises(NoSum):
        solved(text)


def test_a_division_by_zero() -> None:
    with pytest.raises(DividedByZero):
        solved("5/0")


def test_a_sum_goes_on_from_the_last_result() -> None:
    first = solved("What is 17 * 3?")
    assert solved("and times 2?", "en", result(first)) == "51 * 2 = 102"
    assert result("It is 5.") == ""


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9), st.sampled_from("+-*"))
def test_it_is_exact(one: int, other: int, sign: str) -> None:
    text = f"{one} {sign} {other}"
    assert Fraction(result(solved(text))) == eval(text)
