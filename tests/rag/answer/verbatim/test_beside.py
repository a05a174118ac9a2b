"""What is shown beside the best passage, and what is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mainspring.rag.answer.verbatim import beside
from mainspring.rag.answer.verbatim.choice_weights import TERMS
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.search.hit import Hit
from mainspring.rag.text.sentences import Kind


def passages(kind: Kind, *texts: str, score: float = 1.0, step: float = 0.11, own: float = 0.7) -> list[Passage]:
    """Passages of one document under one heading, best first."""
    document = "\n\n".join(texts)
    hit = Hit("c", "d", "v", "a.md", document, 0, len(document), None, "Hours", 0.9, 0.5, 1, 1, 1, "b")
    found = []
    for number, text in enumerate(texts):
        start = document.index(text)
        place = (hit, text, start, start + len(text), kind, "Hours", score - step * number, 0.5)
        found.append(Passage(*place, terms=(own, *[0.0] * (len(TERMS) - 1))))
    return found


def left(chosen: list[Passage], question: str) -> list[str]:
    return [each.text for each in beside.without(chosen, question)]


DAYS = ("**Sunday:** 10:30 to 16:00", "**Saturday:** 10:30 to 18:00", "**Friday:** 9:00 to 18:00")
TICKETS = (
    "A day ticket costs €9.",
    "Tickets are sold at the gate of the garden.",
    "Children pay €4 for a ticket.",
)


@pytest.mark.parametrize(
    ("kind", "texts", "question", "expected"),
    [
        ("item", DAYS, "When is the museum open on Sunday?", DAYS[:1]),
        ("item", DAYS, "When is the museum open?", DAYS),
        ("item", DAYS, "What are the opening hours on Sunday?", DAYS),
        ("row", ("Ticket: full | Price: €9", "Ticket: reduced | Price: €4"), "What is the full price?", None),
        ("sentence", TICKETS, "How much does a ticket for a day cost?", (TICKETS[0], TICKETS[2])),
        ("sentence", TICKETS, "Who sells a ticket for a day?", TICKETS),
    ],
)
def test_siblings_and_sentences_without_a_value_are_left_out(
    kind: Kind, texts: tuple[str, ...], question: str, expected: tuple[str, ...] | None
) -> None:
    assert left(passages(kind, *texts), question) == list(expected or texts[:1])


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((1.0, 0.5, -0.5), (0, 1)),
        # The first one stays; what answers much better leads, without it or in front of it.
        ((-2.0, 1.0, -2.0), (1, 0)),
        ((0.5, 1.0, 0.9), (0, 1, 2)),
        # What was not read is further down than what was; where nothing was, nothing is said.
        ((1.0, None, 0.9), (0, 2)),
        ((None, None, None), (0, 1, 2)),
    ],
)
def test_what_a_reader_finds_less_likely_to_answer_is_left_out(
    answers: tuple[float | None, ...], expected: tuple[int, ...]
) -> None:
    texts = ("The gate is green.", "The gate opens at nine.", "The gate has two wings.")
    chosen = passages("sentence", *texts, own=0.2, step=0.02)
    read = [replace(each, answers=said) for each, said in zip(chosen, answers, strict=True)]
    assert left(read, "When does the gate open?") == [texts[place] for place in expected]


def test_what_leans_on_another_sentence_does_not_lead() -> None:
    texts = ("The gate is green.", "It opens at nine.")
    chosen = passages("sentence", *texts, own=0.2, step=0.02)
    read = [replace(each, answers=said) for each, said in zip(chosen, (-2.0, 1.0), strict=True)]
    assert left(read, "When does the gate open?") == list(texts)


def test_a_sentence_that_goes_on_is_left_out_later_and_never_leads() -> None:
    texts = ("The gate opens at nine.", "On Mondays it stays shut.")
    chosen = passages("sentence", *texts, own=0.2, step=0.02)
    start = chosen[0].end + 1
    following = replace(chosen[1], start=start, end=start + len(texts[1]))
    for said, expected in ((-0.4, texts), (-0.6, texts[:1]), (9.0, texts)):
        read = [replace(chosen[0], answers=1.0), replace(following, answers=said)]
        assert left(read, "When does the gate open?") == list(expected), said


@pytest.mark.parametrize("doubt", [{"own": 0.2}, {"step": 0.02}])
def test_what_is_not_sure_is_shown_beside_others(doubt: dict[str, float]) -> None:
    question = "How much does a ticket for a day cost?"
    assert left(passages("sentence", *TICKETS, **doubt), question) == list(TICKETS)


def test_behind_one_with_half_of_the_question_nothing_much_worse_is_shown() -> None:
    question = "Who sells a ticket for a day?"
    assert left(passages("sentence", *TICKETS, step=0.2), question) == list(TICKETS[:2])
    assert left(passages("sentence", *TICKETS, step=0.2, own=0.3), question) == list(TICKETS)


def test_changes_of_another_version_are_left_out() -> None:
    texts = ("Fix the start of 7.0.3 on old machines", "Register with the service", "Allow tracing")
    assert left(passages("item", *texts, step=0.01), "What was fixed in pm2 7.0.3?") == list(texts[:1])
    assert left(passages("item", *texts, step=0.01), "What was fixed in pm2?") == list(texts)


def test_rows_that_show_the_same_are_shown_once() -> None:
    texts = ("Person: Robin | Rent: $600", "Person: Robin | Rent: $600 | Share: 15%")
    chosen = passages("row", *texts, step=0.01, own=0.2)
    assert left(chosen, "How much rent does Robin pay?") == [texts[0]]
    assert left(chosen, "What share of the rent does Robin pay?") == list(texts)


def test_of_rows_for_the_same_that_with_the_column_that_is_asked_for_is_shown() -> None:
    texts = ("Person: Sam | Rent: $1,400", "Person: Sam | Rent: $1,400 | Total: $1,680")
    chosen = passages("row", *texts, step=0.01, own=0.2)
    assert left(chosen, "What does Sam pay in total?") == [texts[1]]
    assert left(chosen, "What does Sam pay?") == list(texts)
