"""Questions are read for the semantic cache in time that grows with their length, and not with its square."""

from __future__ import annotations

from mainspring.serving.cache.semantic.reading import read
from tests.lengths import squares


def test_a_long_question_is_read_in_linear_time() -> None:
    assert list(squares(read)) == []
