"""What counts as proven, found and refused when the handbook is asked."""

from __future__ import annotations

from handbook import Outcome, Question, uncovered
from mainspring.core.types import Citation


def cited(quote: str) -> Citation:
    return Citation(1, "doc", "returns.pdf", quote, 0, len(quote))


def outcome(text: str, *sources: str) -> Outcome:
    question = Question("How long?", "answerable", frozenset({"returns.pdf"}), ("30 days",))
    return Outcome(question, sources, text, (), 0.0)


def test_quotes_and_markers_are_covered() -> None:
    quotes = [cited("Within 30 days."), cited("Items must be unused.")]
    assert uncovered("Within 30 days. [1] Items must be unused. [2]", quotes) == []


def test_words_beside_the_quotes_are_not() -> None:
    assert uncovered("Sure! Within 30 days. [1]", [cited("Within 30 days.")]) == ["Sure!"]
    assert uncovered("Within 31 days. [1]", [cited("Within 30 days.")]) == ["Within 31 days."]


def test_a_note_on_a_missing_part_needs_the_part() -> None:
    text = "Within 30 days. [1]\n\nThe documents do not say: how fast?"
    assert uncovered(text, [cited("Within 30 days.")], ["The documents do not say: how fast?"]) == []
    assert uncovered(text, [cited("Within 30 days.")], ["The documents do not say: how"]) != []


def test_a_quote_inside_another_does_not_hide_it() -> None:
    assert uncovered("Within 30 days. [1]", [cited("30 days"), cited("Within 30 days.")]) == []


def test_the_right_source_first_is_more_than_among_the_citations() -> None:
    second = outcome("Within 30 days. [1]", "warranty.pdf", "returns.pdf")
    assert (second.right_first, second.right_any) == (False, True)
    assert outcome("Within 30 days. [1]", "returns.pdf").right_first


def test_the_answer_counts_at_word_boundaries_only() -> None:
    assert outcome("Within 30 Days. [1]", "returns.pdf").holds_answer
    assert not outcome("Within 130 days. [1]", "returns.pdf").holds_answer


def test_a_value_in_bold_and_cells_of_a_row_are_quoted() -> None:
    row = "What was bought: Grinders | Online, UK: 45 days | In a shop: 40 days"
    assert uncovered("Within **30 days**. [1]", [cited("Within 30 days.")]) == []
    assert uncovered("Grinders: In a shop **40 days** [1]", [cited(row)]) == []
    assert uncovered("Grinders: In a shop **45 weeks** [1]", [cited(row)]) == ["Grinders: In a shop 45 weeks"]
    table = "| What was bought | Online, UK |  |\n| --- | --- | --- |\n| Grinders | 45 days | [1] |"
    assert uncovered(table, [cited(row)]) == []


def test_a_line_that_leads_in_to_a_quote_must_stand_in_the_document() -> None:
    text = "It cannot pay for: gift cards [1]"
    quotes = [cited("gift cards")]
    assert uncovered(text, quotes, texts=["It cannot\npay for:\n\n- gift cards"]) == []
    assert uncovered(text, quotes, texts=["It may pay for:\n\n- gift cards"]) == ["It cannot pay for:"]


def test_a_sentence_that_its_source_wraps_is_covered() -> None:
    assert uncovered("Within 30 days of the order. [1]", [cited("Within 30 days\nof the order.")]) == []
