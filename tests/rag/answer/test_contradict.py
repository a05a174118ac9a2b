"""Disagreements that are found and those that are none: on constructed pairs, and what counts as a value."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from mainspring.rag.answer.contradict import disagreements
from mainspring.rag.answer.evidence.values import negative, values
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.search.hit import Hit
from tests.conftest import ROOT

PAIRS = yaml.safe_load((ROOT / "samples" / "contradictions.yaml").read_text(encoding="utf-8"))["pairs"]


def passage(document: str, text: str, heading: str = "Handbook") -> Passage:
    hit = Hit(document, document, "c", document, text, 0, len(text), None, heading, 1, 0.5, None, 1, None, "blob")
    return Passage(hit, text, 0, len(text), "sentence", heading, 1.0, 0.5)


def fires(pair: dict[str, Any]) -> bool:
    one = passage("a", pair["one"], pair.get("heading", "Handbook"))
    other = passage("b", pair["other"], pair.get("heading2", "Handbook"))
    there = disagreements(pair["question"], [one], [one, other])
    back = disagreements(pair["question"], [other], [one, other])
    assert bool(there) == bool(back)
    return bool(there)


def rates(pairs: list[dict[str, Any]]) -> tuple[int, int, int]:
    """(found, false alarms, conflicts in all)."""
    fired = [(pair["conflict"], fires(pair)) for pair in pairs]
    return sum(a and b for a, b in fired), sum(b and not a for a, b in fired), sum(a for a, _ in fired)


def test_the_development_pairs() -> None:
    found, false, conflicts = rates(PAIRS[::2])
    assert false == 0
    assert found / conflicts >= 0.75


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("It costs £1,200.50 a year.", [("money", "gbp", "1200.5")]),
        ("It costs 20 pounds.", [("money", "gbp", "20")]),
        ("Two weeks or 10 working days", [("duration", "day", "14"), ("duration", "working day", "10")]),
        ("Open from 9am to 17:30.", [("time", "", "09:00"), ("time", "", "17:30")]),
        ("On 3 March 2024, and on March 4th", [("date", "", "03-03 2024"), ("date", "", "03-04")]),
        ("2024-03-03", [("date", "", "03-03 2024")]),
        ("A 180 mm pot", [("measure", "mm", "180")]),
        ("since 1998", [("year", "", "1998")]),
        ("12 people, 34%", [("count", "peopl", "12"), ("percent", "%", "34")]),
        ("$3 million", [("money", "usd", "3e+06")]),
        ("nothing here", []),
    ],
)
def test_values(sentence: str, expected: list[tuple[str, str, str]]) -> None:
    found = values(sentence)
    assert [(value.kind, value.unit, value.amount) for value in found] == expected
    assert all(sentence[value.start : value.end] == value.text for value in found)


def test_negations_are_counted() -> None:
    assert negative("Dogs are not allowed.")
    assert negative("It isn't free.")
    assert not negative("Dogs are never not allowed.")
    assert not negative("Notable nothings")


def test_one_document_does_not_contradict_itself() -> None:
    one, other = passage("a", "Staff get 25 days of holiday."), passage("a", "Staff get 28 days of holiday.")
    assert disagreements("holiday days of staff", [one], [one, other]) == []


def test_what_is_not_asked_is_not_shown() -> None:
    one, other = passage("a", "Staff get 25 days of holiday."), passage("b", "Staff get 28 days of holiday.")
    assert disagreements("Who repairs grinders?", [one], [one, other]) == []
    (found,) = disagreements("How long is our holiday?", [one], [other])
    assert (found.values, found.about) == (("25 days", "28 days"), "Staff holiday")
