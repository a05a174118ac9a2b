"""Long questions are read in a time that grows with their length, and not with its square: while one is read, no other
request of any tenant goes on."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from mainspring.rag.answer import small_talk
from mainspring.rag.answer.evidence import exact_names, missing_topics, missing_values
from mainspring.rag.answer.evidence.values import negative, values
from mainspring.rag.answer.verbatim import question_kind
from mainspring.rag.answer.write import arithmetic, claims, numbers
from mainspring.rag.query import complexity, condense, decompose
from mainspring.rag.text import terms
from tests.test_expressions import PIECES

SHORT, LONG, MOST = 2_000, 16_000, 20
"""Eight times the text may take twenty times as long; a square takes sixty-four times."""
FAST_S = 0.02
"""What takes less for the long text has no square that anybody would feel."""


def _gives(text: str) -> None:
    for asks, value, row in missing_values._DIMENSIONS:
        for pattern in (asks, value, row):
            pattern.search(text)
    for asks, value in missing_values._CONTACTS:
        asks.search(text)
        value.search(text)
    missing_values._ASKS_VALUE.search(text)
    missing_values._COUNTED.search(text)


READERS: dict[str, Callable[[str], object]] = {
    "small talk": small_talk.talk,
    "courtesy": small_talk.without_courtesy,
    "parts": decompose.by_rules,
    "clauses": decompose.clauses,
    "leans": condense.leans,
    "complexity": lambda text: complexity.passages(text, 5),
    "wanted": question_kind.wanted,
    "defined": lambda text: question_kind.defined("DIA: a time", text, terms.content(text)),
    "answering": lambda text: question_kind.answering(text, "How much does it cost?"),
    "names": exact_names.named.__wrapped__,
    "values": values,
    "negative": negative,
    "missing values": _gives,
    "impersonal": missing_topics.impersonal,
    "nouns": lambda text: missing_topics._nouns(text, missing_topics._BEFORE_NOUNS),
    "numbers": numbers.numbers,
    "identifiers": numbers.identifiers,
    "clauses of a sentence": claims.clauses,
    "calculation": arithmetic.calculation,
}
OPENINGS = ("", "What are ", "Thanks. ")
MORE = (
    "hi. ",
    "What ",
    "how much more ",
    ", thanks ",
    "1,111,",
    "1,,",
    "??",
    "v1a-",
    "-a",
    "Ab ",
    "$1",
    "this ",
    "12 kg ",
)


def seconds(reads: Callable[[str], object], text: str) -> float:
    began = time.process_time()
    reads(text)
    return time.process_time() - began


def text(opening: str, piece: str, size: int) -> str:
    # What does not match at the end makes an expression try all that it can.
    return f"{opening}{piece * (size // len(piece))}~a"


def slow(reads: Callable[[str], object]) -> list[tuple[str, str]]:
    """The openings and pieces that take more than their length."""
    found = []
    for opening in OPENINGS:
        for piece in (*PIECES, *MORE):
            taken = seconds(reads, text(opening, piece, LONG))
            if taken < FAST_S:
                continue
            short = min(seconds(reads, text(opening, piece, SHORT)) for _ in range(3))
            taken = min(taken, seconds(reads, text(opening, piece, LONG)))
            if taken > MOST * short:
                found.append((opening, piece))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_a_long_question_takes_no_square(name: str) -> None:
    assert slow(READERS[name]) == []


def test_a_square_is_found() -> None:
    assert slow(lambda text: [text[at:].count("b") for at in range(len(text))])


@pytest.mark.parametrize("opening", ["How", "What are ", "How do a, a and ", "Difference between ", "Compare "])
@pytest.mark.parametrize("piece", [" ", "a, ", "a,  ", "a ", "how ", "a and ", "compare a and "])
def test_a_question_that_is_split_is_read_at_once(opening: str, piece: str) -> None:
    question = text(opening, piece, 900)
    assert seconds(decompose.by_rules, question) < 1


def test_the_sides_of_a_list_are_its_words() -> None:
    assert decompose.by_rules("How do leave, pay, and travel interact?") == ["leave", "pay", "travel"]
    assert decompose.by_rules("How does  leave ,  pay  and travel interact?") == ["leave", "pay", "travel"]
