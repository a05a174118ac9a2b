"""Sentences: their ends, their kinds and their offsets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.rag.sentences import split

PIECES = [
    "Mr. ",
    "3.14 ",
    "word ",
    "End. ",
    "Why? ",
    "\n",
    "\n\n",
    "# ",
    "- ",
    "| a | b |\n",
    "e.g. ",
    "(x) ",
    "é。",
    '"',
    "1. ",
]


def texts(text: str) -> list[str]:
    return [text[one.start : one.end] for one in split(text)]


@pytest.mark.parametrize(
    "text",
    [
        "Dr. Smith paid 3.14 dollars to J. R. Tolkien in the U.S. Army.",
        "See Fig. 3 and No. 5, e.g. Paris.",
        "Larkfield Supply Co. sells gear, etc. and more.",
        "Version 2.3.1 was released on www.example.org today.",
        "It costs £3.50 (incl. VAT) at 5 p.m. every day.",
    ],
)
def test_a_point_within_a_sentence_does_not_end_it(text: str) -> None:
    assert texts(text) == [text]


def test_ends_of_sentences() -> None:
    text = 'He left. "Really?" she asked. Stop! 5 came... Then more. (Aside.) Last'
    assert texts(text) == [
        "He left.",
        '"Really?" she asked.',
        "Stop!",
        "5 came...",
        "Then more.",
        "(Aside.)",
        "Last",
    ]


def test_wrapped_lines_are_one_sentence_and_blank_lines_separate() -> None:
    assert texts("one line\ngoes on.\n\nNext") == ["one line\ngoes on.", "Next"]


def test_kinds_and_leads() -> None:
    text = "## Title\n- item one: do it. Then rest.\n- two\n\n| A: 1 | B: 2 |\n|---|---|\nProse."
    found = [(text[one.start : one.end], one.kind, text[one.lead : one.start]) for one in split(text)]
    assert found == [
        ("Title", "heading", "## "),
        ("item one: do it.", "item", "- "),
        ("Then rest.", "item", ""),
        ("two", "item", "- "),
        ("A: 1 | B: 2", "row", "| "),
        ("Prose.", "sentence", ""),
    ]


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join) | st.text(max_size=200))
def test_sentences_are_ordered_trimmed_spans(text: str) -> None:
    end = 0
    for one in split(text):
        assert end <= one.lead <= one.start < one.end <= len(text)
        body = text[one.start : one.end]
        assert body == body.strip()
        end = one.end


def test_a_huge_line_is_split_in_linear_time() -> None:
    assert len(split("ab. " * 200_000 + "Bcd. " * 1000)) > 900
    assert len(split("x" * 3_000_000)) == 1
