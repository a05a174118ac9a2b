"""Numbers as they are written, and names that are none."""

from __future__ import annotations

import pytest

from mainspring.rag.answer.write.numbers import identifiers, numbers


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("1,000 items", [(1000.0,)]),
        ("thirty days", [(30.0,)]),
        ("twenty-five percent", [(25.0,)]),
        ("two thousand three hundred", [(2300.0,)]),
        ("one hundred and five", [(105.0,)]),
        ("3.2 million", [(3_200_000.0,)]),
        ("a 30-day trial", [(30.0,)]),
        ("10-15 working days", [(10.0,), (15.0,)]),
        ("the 1990s and the 21st", [(1990.0,), (21.0,)]),
        ("two or three", [(2.0,), (3.0,)]),
        ("nineteen ninety", [(19.0,), (90.0,)]),
        # Metres or millions: both are what it may say.
        ("$5m", [(5.0, 5_000_000.0)]),
        ("750ml, 1.25% and 10°C", [(750.0,), (1.25,), (10.0,)]),
        ("nobody is anyone", []),
    ],
)
def test_amounts(text: str, amounts: list[tuple[float, ...]]) -> None:
    assert [number.amounts for number in numbers(text)] == amounts


@pytest.mark.parametrize(
    ("text", "names", "amounts"),
    [
        ("CS19-0400 to CS19-1275", ["cs19-0400", "cs19-1275"], []),
        ("KG-02: £34", ["kg-02"], [(34.0,)]),
        ("v2.1 is out", ["v2.1"], []),
        ("TP-75 (750 ml)", ["tp-75"], [(750.0,)]),
        ("30kg, 30-day, 10-to-15", [], [(30.0,), (30.0,), (10.0,), (15.0,)]),
    ],
)
def test_a_number_within_a_name_is_no_amount(text: str, names: list[str], amounts: list[tuple[float, ...]]) -> None:
    assert identifiers(text) == names
    assert [number.amounts for number in numbers(text)] == amounts
