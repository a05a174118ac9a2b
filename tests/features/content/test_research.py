"""Pages of the web as notes, sections and their headings, dates of timelines."""

from __future__ import annotations

import pytest

from mainspring.features.content.notebook.dates import moment
from mainspring.features.content.text.article import Findings, Note, Source
from mainspring.features.content.write.draft import Assembler
from mainspring.features.content.write.research import web_notes
from mainspring.rag.websearch.base import FoundPage


def test_sentences_of_a_page_keep_their_places_and_what_they_lean_on() -> None:
    page = FoundPage(
        "Frames", "https://example.org/f", "Steel frames last thirty years. They rust if nobody oils them. See here."
    )
    found = web_notes(page)
    assert [each.text for each in found] == ["Steel frames last thirty years.", "They rust if nobody oils them."]
    assert [each.lead for each in found] == ["", "Steel frames last thirty years."]
    assert all(page.text[each.start : each.end] == each.text for each in found)


def test_a_section_is_filled_from_below_its_own_heading() -> None:
    source = Source("document", "d", "bikes.md")
    own = "The frames of all our bicycles are welded by hand in the small workshop behind the old railway station."
    more = "Each of the frames is painted three times and then dried for two days before anything is mounted "
    more += "on it by the people there."
    other = "Tyres of bicycles are pumped up to four bars by the people who sell them."
    notes = (
        Note(source, other, 300, 300 + len(other), heading="Bikes > Tyres", score=2.5),
        Note(source, own, 0, len(own), heading="Bikes > 1. Frames", score=1.2),
        Note(source, more, 110, 110 + len(more), heading="Bikes > 1. Frames", score=1.1),
    )
    made = Assembler().section("Frames", [Findings("bikes: Frames", notes, 1.0)], 140, 0.3)
    assert [each.text for part in made.paragraphs for each in part.statements] == [own, more]


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("It opened on 12 March 2020.", "12 March 2020"),
        ("It was told on March 12, 2020 in Rome.", "12 March 2020"),
        ("The version of 2020-03-12 is out.", "12 March 2020"),
        ("In May 1891 it was patented.", "May 1891"),
        ("It was built in the 1920s.", "1920s"),
        ("It has 2000 seats.", None),
    ],
)
def test_dates_are_found_with_their_years(sentence: str, told: str | None) -> None:
    found = moment(sentence)
    assert (found.text if found else None) == told
