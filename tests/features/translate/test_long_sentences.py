"""What stays as it is in a sentence is found in time that grows with its length, and not with its square."""

from __future__ import annotations

from mainspring.features.translate.placeholders import mask
from tests.lengths import squares


def test_a_long_sentence_is_masked_in_linear_time() -> None:
    assert list(squares(lambda text: mask(text, {}, names=True))) == []
    assert mask("Use $a and $b of A380", {}, names=False).kept == ("$a", "$b", "A380")
