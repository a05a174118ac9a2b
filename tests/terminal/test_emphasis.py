"""Strong words on a terminal are shown the same however an answer is cut into pieces."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.terminal.emphasis import Strong, shown

BOLD, NORMAL = "\x1b[1m", "\x1b[22m"
TEXTS = [
    ("within **45 days** [1].", "within 45 days [1]."),
    ("**All** of it, **always**", "All of it, always"),
    ("2 ** 3 and a**b**c stay", "2 ** 3 and a**b**c stay"),
    ("call f(**options) here", "call f(**options) here"),
    ("one **never closed\nnext **strong** line", "one **never closed\nnext strong line"),
    ("```\n**code**\n```\n**text**", "```\n**code**\n```\ntext"),
    ("~~~py\nf(**a, **b)\n~~~", "~~~py\nf(**a, **b)\n~~~"),
    ("a list:\n* **first** one\n* second", "a list:\n* first one\n* second"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "plain"), TEXTS)
def test_marks_of_strong_words_are_not_shown(text: str, plain: str) -> None:
    assert shown(text, bold=False) == plain


def test_a_terminal_shows_them_bold() -> None:
    assert shown("within **45 days**.", bold=True) == f"within {BOLD}45 days{NORMAL}."


@pytest.mark.parametrize(("text", "plain"), TEXTS)
def test_single_characters_give_the_same(text: str, plain: str) -> None:
    strong = Strong(bold=False)
    assert "".join(strong.add(each) for each in text) + strong.rest() == plain


@settings(max_examples=60)
@given(st.lists(st.text(alphabet="a* \n`~", max_size=6), max_size=8))
def test_pieces_give_what_the_whole_gives(pieces: list[str]) -> None:
    strong = Strong(bold=True)
    given_in_pieces = "".join(map(strong.add, pieces)) + strong.rest()
    assert given_in_pieces == shown("".join(pieces), bold=True)


def test_words_before_a_mark_are_shown_at_once() -> None:
    strong = Strong(bold=False)
    assert strong.add("You have **45") == "You have "
    assert strong.add(" days** [1]") == "45 days [1]"
