"""Windows of an answer are the same for pieces of any size."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.guards.rewrite.windows import LONGEST, Window, Windows

TEXTS = st.lists(
    st.sampled_from(
        ["It rains", " and", " pours. ", "Well?! ", '"No." ', "\n", "wait...", " e.g. this ", "x" * 90, " "]
    ),
    max_size=30,
).map("".join)


def windows(pieces: list[str], *, steps: bool) -> list[Window]:
    made = Windows(steps=steps)
    found = [window for piece in pieces for window in made.push(piece)]
    return found + made.flush()


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, cuts=st.lists(st.integers(0, 2000), max_size=20), steps=st.booleans())
def test_windows_do_not_depend_on_the_pieces(text: str, cuts: list[int], steps: bool) -> None:
    points = sorted({cut % (len(text) + 1) for cut in cuts} | {0, len(text)})
    whole = windows([text], steps=steps)
    assert windows([text[a:b] for a, b in itertools.pairwise(points)], steps=steps) == whole
    assert windows(list(text), steps=steps) == whole


@settings(max_examples=200, deadline=None)
@given(text=TEXTS)
def test_sentences_cover_the_text_and_are_bounded(text: str) -> None:
    found = windows([text], steps=False)
    assert [window.start for window in found[1:]] == [window.end for window in found[:-1]]
    assert (found[-1].end if found else 0) == len(text)
    assert all(window.end - window.start <= LONGEST for window in found)
    assert all(window.text == text[window.start : window.end].strip() for window in found if window.text)


def test_a_sentence_is_a_window() -> None:
    found = windows(["One is. Two is! Three is? Four is."], steps=True)
    assert [window.text for window in found] == ["One is.", "Two is!", "Three is?", "Four is."]


def test_a_long_sentence_is_read_while_it_is_said() -> None:
    found = windows(["word " * 30], steps=True)
    assert [(window.end, window.whole) for window in found] == [(65, False), (130, False), (150, True)]
