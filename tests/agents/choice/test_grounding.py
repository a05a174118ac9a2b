"""What counts as said, and what as made up."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.agents.choice.grounding import grounded

SAID = (
    "Book two rooms in San Diego from March 5th, 2026 for order A-77, at most 15% off, for the European Union office, "
    "baked goods included, paid in dollars"
)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("San Diego", "city"),
        ("San Diego, CA", "location"),
        ("2026-03-05", "start_date"),
        (2, "rooms"),
        (0.15, "discount"),
        (15, "discount"),
        ("a77", "order_id"),
        ("EU", "region"),
        ("baking", "method"),
        ("USD", "currency"),
        (["San Diego"], "cities"),
        ({"city": "San Diego", "rooms": 2}, "wanted"),
        (True, "urgent"),
    ],
)
def test_what_the_conversation_says_is_grounded(value: Any, name: str) -> None:
    assert grounded(value, {}, name, SAID)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("Paris", "city"),
        ("", "city"),
        ("2025-11-30", "start_date"),
        (37, "rooms"),
        ("A-78", "order_id"),
        ("12345", "order_id"),
        (["San Diego", "Paris"], "cities"),
        ({"city": "Paris"}, "wanted"),
    ],
)
def test_what_it_does_not_say_is_not(value: Any, name: str) -> None:
    assert not grounded(value, {"type": "string"} if isinstance(value, str) else {}, name, SAID)
