"""Which lines of a PDF are headings, where the size of letters does not tell."""

from __future__ import annotations

import pytest

from mainspring.rag.parse.pdf.headings import HeadingLevels, levels

BODY = [(f"Members keep their card for {number} years and show it at the desk.", 11.0) for number in range(20)]


@pytest.mark.parametrize(
    "title", ["VI. FEES", "2.1 FOOD & BEVERAGES", "EAST ROOM", "GIFTS, DONATIONS AND SPONSORSHIPS"]
)
def test_lines_in_capitals_are_headings_where_sizes_tell_none(title: str) -> None:
    found = levels([*BODY, (title, 11.0), ("I. PURPOSE", 11.0)])
    assert found.of(title, 11.0, 1, None) == 1
    assert found.of(title, 11.0, 2, None) == 0, "a paragraph in capitals is a warning"
    assert found.of(BODY[0][0], 11.0, 1, None) == 0
    # Below a title in large type.
    titled = levels([("Cards", 20.0), *BODY, (title, 11.0), ("I. PURPOSE", 11.0)])
    assert (titled.of("Cards", 20.0, 1, None), titled.of(title, 11.0, 1, None)) == (1, 2)


@pytest.mark.parametrize("line", ["NAME:", "PDF", "TEL 555 0199", "FEES ARE DUE,", "A", "Fees"])
def test_labels_and_short_names_in_capitals_are_none(line: str) -> None:
    assert levels([*BODY, ("I. PURPOSE", 11.0), ("II. FEES", 11.0)]).of(line, 11.0, 1, None) == 0


def test_capitals_are_none_in_posters_nor_where_sizes_tell() -> None:
    poster = [("FREE COFFEE", 11.0)] * 8 + BODY
    assert levels(poster).capitals == 0
    sized = [("Cards", 14.0), ("Rooms", 14.0), ("Fees", 14.0), *BODY, ("I. PURPOSE", 11.0), ("II. FEES", 11.0)]
    assert levels(sized).capitals == 0
    assert levels([*BODY, ("GRAND OPENING", 11.0)]).capitals == 0
    assert levels([]) == HeadingLevels()


def test_a_layout_model_decides_alone_where_it_read() -> None:
    found = levels([*BODY, ("I. PURPOSE", 11.0), ("II. FEES", 11.0)])
    assert found.of("I. PURPOSE", 11.0, 1, "text") == 0
    assert found.of("Opening hours", 11.0, 1, "title") == 1
    assert found.of("1.2 Opening hours", 11.0, 1, "title") == 2
