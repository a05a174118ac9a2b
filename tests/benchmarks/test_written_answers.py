"""What counts as contained, refused and supported in written answers."""

from __future__ import annotations

import json
from dataclasses import asdict

from mainspring.rag.answer.generate import REFUSAL
from written_answers import Outcome, figures, handbook, holds, kept_outcome, marks


def outcome(written: str, *unsupported: str, answers: tuple[str, ...] = ("45 days",)) -> Outcome:
    return Outcome("How long?", answers, written, "Within 45 days. [1]", ("Within 45 days.",), unsupported, 0, 1.0, 2.0)


def test_shares_are_of_the_questions_that_have_an_answer() -> None:
    found = [outcome("You have **45 days**. [1]"), outcome(REFUSAL), outcome(REFUSAL, answers=())]
    made = figures("set", found, "m")
    assert made["set: written, gold answer contained"].value == 0.5
    assert made["set: verbatim, gold answer contained"].value == 1.0
    assert made["set: written, answerable refused"].value == 0.5
    assert made["set: written, unanswerable refused"].value == 1.0
    assert made["set: first words, p50"].value == 1.0
    assert "set: first words, p50" not in figures("set", found, "m", busy=True)


def test_a_number_of_no_source_is_counted() -> None:
    made = figures("set", [outcome("You have 46 days.", "46"), outcome("You have 45 days.")], "m")
    assert made["set: written answers with a number of no source"].value == 1


def test_gold_answers_are_found_at_the_borders_of_words() -> None:
    assert holds("It takes **45 Days**.", ("45 days",))
    assert not holds("It takes 145 days.", ("45 days",))
    assert marks("Within 45 days. [1][2] Yes. [3]") == "Within 45 days. Yes."


def test_an_outcome_is_kept_and_read_again() -> None:
    one = outcome("You have 45 days.", "7")
    assert kept_outcome(json.loads(json.dumps(asdict(one)))) == one


def test_development_questions_leave_out_what_is_only_reported() -> None:
    _, development = handbook(development=True)
    _, reported = handbook(development=False)
    assert development
    assert reported
    assert not {each.text for each in development} & {each.text for each in reported}
