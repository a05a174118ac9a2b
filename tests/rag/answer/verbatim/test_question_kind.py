"""What is asked for beyond a question's words, and which sentences have it."""

from __future__ import annotations

import pytest

from mainspring.rag.answer.verbatim import question_kind
from mainspring.rag.text import terms


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Why is the greenhouse closed on Mondays?", "reason"),
        ("What caused the flood in the cellar?", "reason"),
        ("How long is the voucher valid?", "value"),
        ("When does the ferry leave?", "value"),
        ("By what time must I pay so that it goes out today?", "value"),
        ("Which option turns the colours off?", "identifier"),
        ("What name must the log file have?", "identifier"),
        ("Can two ovens share one flue?", "polarity"),
        ("Who keeps the keys?", "name"),
        ("Which bakery delivers the bread?", "name"),
        ("How do I clean the grate?", "anything"),
    ],
)
def test_what_a_question_wants(question: str, kind: str) -> None:
    assert question_kind.wanted(question) == kind


@pytest.mark.parametrize(
    ("question", "repeats", "answers"),
    [
        (
            "Why is the greenhouse closed on Mondays?",
            "The greenhouse is closed on Mondays.",
            "We water then, because the hoses would trip visitors.",
        ),
        ("How long is the voucher valid?", "The voucher is valid in both shops.", "It runs out after 18 months."),
        (
            "Which option turns the colours off?",
            "An option turns the colours of the output off.",
            "Give `--plain` for that.",
        ),
        (
            "Can two ovens share one flue?",
            "Two ovens in one room share one flue.",
            "No, they may not: the draught fails.",
        ),
        ("Which bakery delivers the bread?", "The bread is delivered by a bakery.", "It comes from Hartmann each day."),
    ],
)
def test_what_answers_has_what_is_wanted_and_what_repeats_has_not(question: str, repeats: str, answers: str) -> None:
    kind, asked = question_kind.wanted(question), terms.content(question)
    assert question_kind.has(kind, answers, question, asked) == 1
    assert question_kind.has(kind, repeats, question, asked) == 0


def test_a_value_of_the_question_itself_answers_nothing() -> None:
    question = "How many guests may sleep in room 12?"
    asked = terms.content(question)
    assert question_kind.has("value", "Guests of room 12 sleep on the second floor.", question, asked) == 0
    assert question_kind.has("value", "It sleeps 3 guests.", question, asked) == 1


@pytest.mark.parametrize(
    ("follow_up", "itself"),
    [
        ("How are they elected?", True),
        ("And why is that?", True),
        ("And how long do they serve?", True),
        ("And in winter?", False),
        ("What about Ireland?", False),
    ],
)
def test_what_a_follow_up_asks_for_itself(follow_up: str, itself: bool) -> None:
    question = f"How many people are on the council?\n{follow_up}"
    assert question_kind.latest(question) == (follow_up if itself else question)


def test_a_heading_that_asks() -> None:
    assert question_kind.asks("Usage > Can I bring a dog?")
    assert not question_kind.asks("Dogs and other animals")


def test_since_is_a_reason_only_where_a_clause_follows() -> None:
    question = "Why is the greenhouse closed on Mondays?"
    asked = terms.content(question)
    assert question_kind.has("reason", "It has been closed since our opening ten years ago.", question, asked) == 0
    assert question_kind.has("reason", "It is closed since we water then.", question, asked) == 1


@pytest.mark.parametrize(
    ("question", "text", "share"),
    [
        ("What does DIA stand for?", "DIA - Duration of insulin action, in hours.", 1.0),
        ("What does DIA mean?", "**dia:** how long insulin lasts.", 1.0),
        ("What is a bolus?", "Bolus - extra insulin given by a pump.", 1.0),
        ("What does DIA stand for?", "IOB - insulin on board.", 0.0),
        ("What does DIA stand for?", "With dia set at 3 hours, much is left.", 0.0),
        ("How long is the DIA?", "DIA - Duration of insulin action.", 0.0),
    ],
)
def test_a_line_that_explains_the_term_whose_meaning_is_asked_for(question: str, text: str, share: float) -> None:
    assert question_kind.defined(text, question, terms.content(question)) == share
