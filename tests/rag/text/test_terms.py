"""Words of questions looked for in passages: the quick way finds what cutting all of the passage into words finds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.rag.text import terms

_LETTERS = st.text("abstyirhednfgl'’.,:3 9_-ßéÉ²½İΣσς\n", max_size=40)


@given(_LETTERS, _LETTERS, st.integers(0, 30))
def test_words_among_a_text_are_those_of_its_content(question: str, text: str, end: int) -> None:
    asked = terms.content(question) | terms.content(text[:end])
    assert terms.among(asked, text) == terms.content(text) & asked


@pytest.mark.parametrize(
    ("question", "text", "found"),
    [
        ("studies of running shoes", "He studied; she runs. Shoeless.", {"study", "run"}),
        ("the price of 1,000 seats", "11,000 seat covers, 1,000 each", {"1,000", "seat"}),
        ("O'Brien's brien", "brienne o’brien", {"o'brien"}),
        ("CAFÉ", "the cafés and a café", {"café"}),
    ],
)
def test_words_are_found_in_their_forms(question: str, text: str, found: set[str]) -> None:
    assert terms.among(terms.content(question), text) == found


def test_ordinals_are_found_as_words_and_as_numbers() -> None:
    assert terms.content("a fee for the 3rd attempt, the 21st") == {"fee", "3", "third", "attempt", "21"}
    assert terms.words("the 3rd attempt of St Paul on the 21st") == ["3", "third", "attempt", "st", "paul", "21"]
    assert terms.among(terms.content("the third time"), "for the 3rd attempt") == {"third"}
    assert terms.offers("date", "Salaries are paid on the 1st of each month.", frozenset()) > 0
