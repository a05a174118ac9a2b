"""Tables that answer as a whole: where nothing in a question tells one row from the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mainspring.rag.answer.verbatim import display, whole_table
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.search.hit import Hit

LEAVE = """# Leave

The leave year runs from 1 April to 31 March.

| Group: Office | Under 3 years: 25 days | 3 years or more: 27 days |
| Group: Shops | Under 3 years: 24 days | 3 years or more: 26 days |
| Group: Workshop | Under 3 years: 26 days | 3 years or more: 28 days |

Ask for it in time."""
QUESTION = "How much annual leave is there?"


def row(document: str, text: str) -> Passage:
    start = document.index(text)
    end = document.index(" |\n", start)
    hit = Hit("c", "d", "vs", "a.md", document, 0, len(document), None, "", 1.0, 0.5, 1.0, 1, 1, "blob")
    return Passage(hit, document[start:end], start, end, "row", "Leave", 1.0, 0.5)


def test_all_rows_are_shown_as_a_table() -> None:
    found = display.grown([row(LEAVE, "Group: Shops")], QUESTION, {"d": LEAVE}, 60)
    assert [each.text.split(" | ")[0] for each in found] == ["Group: Office", "Group: Shops", "Group: Workshop"]
    assert all(LEAVE[each.start : each.end] == each.text for each in found)
    (piece,) = display.pieces(found, QUESTION)
    assert piece.text.splitlines()[0] == "| Group | Under 3 years | 3 years or more |  |"
    assert "| Workshop | 26 days | 28 days | [3] |" in piece.text


def test_rows_that_are_chosen_beside_each_other_are_one_table() -> None:
    chosen = [row(LEAVE, "Group: Shops"), row(LEAVE, "Group: Office")]
    found = display.grown(chosen, QUESTION, {"d": LEAVE}, 60)
    assert [each.text.split(" | ")[0] for each in found] == ["Group: Office", "Group: Shops", "Group: Workshop"]


@pytest.mark.parametrize(
    "question",
    ["How much leave is there in the shops?", "How much leave is there after 3 years or more?"],
)
def test_a_question_that_tells_rows_or_columns_apart_gets_its_row(question: str) -> None:
    shops = row(LEAVE, "Group: Shops")
    assert display.grown([shops], question, {"d": LEAVE}, 60) == [shops]


def test_a_table_about_something_else_is_not_shown_whole() -> None:
    shops = row(LEAVE, "Group: Shops")
    assert display.grown([shops], "How long may I work from Spain?", {"d": LEAVE}, 60) == [shops]


def test_a_table_that_has_no_room_or_many_rows_is_not_shown_whole() -> None:
    shops = row(LEAVE, "Group: Shops")
    # Three keys, six values of two words, and the names of the columns.
    assert whole_table.words(whole_table.of(shops, QUESTION, LEAVE, 23)) == 23
    assert whole_table.of(shops, QUESTION, LEAVE, 22) == []
    more = "".join(f"| Group: Team {n} | Under 3 years: {n} days | 3 years or more: 40 days |\n" for n in "ABCDEF")
    longer = LEAVE.replace("\n\nAsk", f"\n{more}\nAsk")
    assert whole_table.of(row(longer, "Group: Shops"), QUESTION, longer, 500) == []


def test_rows_of_other_columns_and_what_goes_on_out_of_reach_are_no_part_of_it() -> None:
    other = LEAVE.replace("| Group: Workshop | Under 3 years: 26 days |", "| Site: Workshop | Room: 26 |")
    found = whole_table.of(row(other, "Group: Shops"), QUESTION, other, 60)
    assert [each.text.split(" | ")[0] for each in found] == ["Group: Office", "Group: Shops"]
    long = LEAVE.replace("Office", "Office " * 300)
    assert whole_table.of(row(long, "Group: Workshop"), QUESTION, long, 5_000) == []


def test_a_table_answers_alone_and_names_nobody() -> None:
    better = "The leave year runs from 1 April to 31 March."
    shops = row(LEAVE, "Group: Shops")
    start = LEAVE.index(better)
    first = replace(shops, text=better, start=start, end=start + len(better), kind="sentence")
    assert display.grown([first, shops], QUESTION, {"d": LEAVE}, 60) == [first, shops]
    assert display.grown([shops], "Who has annual leave?", {"d": LEAVE}, 60) == [shops]
