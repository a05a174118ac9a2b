"""What is remembered of a message is found in time that grows with its length, and not with its square."""

from __future__ import annotations

from mainspring.features.memory import extract
from tests.lengths import squares


def test_facts_of_a_long_message_are_found_in_linear_time() -> None:
    assert list(squares(extract._parts)) == []
    assert list(squares(lambda text: list(extract.facts_of(text)))) == []
