from __future__ import annotations

import itertools
import time

import pytest

from mainspring.guards.detect.quoted_text import LEAST, spans

LONG = "The harvest was good this year, and the mill ran every day until the frost came and the river froze over. " * 2
MAIL = f"Subject: Harvest\nFrom: ana@example.org\n\n{LONG}"


def pasted(text: str) -> list[str]:
    return [text[start:end].strip() for start, end in spans(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"What is wrong here?\n```\n{LONG}\n```\nThanks", [LONG.strip()]),
        (f"He wrote:\n> {LONG}\n> {LONG}\nIs that so?", [f"> {LONG}\n> {LONG}".strip()]),
        (f"Is this spam?\n{MAIL}", [MAIL.strip()]),
        (f"Answer this.\n<email>{LONG}</email> Be short.", [LONG.strip()]),
        (f"Summarise the following text.\n\n{LONG}", [LONG.strip()]),
        (f"What does the e-mail say?\n\n{LONG}\n\nAnd more: {LONG}", [f"{LONG}\n\nAnd more: {LONG}".strip()]),
        (f"Please proofread:\n\n{LONG}", [LONG.strip()]),
    ],
)
def test_what_others_wrote(text: str, found: list[str]) -> None:
    assert pasted(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "How are you?",
        LONG,
        f"I have two wishes.\n\n{LONG}",
        "He said:\n> no\nReally?",
        "Summarise the following text.\n\nIt rains.",
        "From: here to there is far.",
        "x" * (LEAST * 2),
    ],
)
def test_what_a_user_says(text: str) -> None:
    assert spans(text) == []


def test_spans_do_not_overlap_and_time_is_linear() -> None:
    both = f"See below:\n\n{MAIL}\n```\n{LONG}\n```\n> {LONG}"
    found = spans(both)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(found))
    for hostile in ("> \n" * 50_000, "```\n" * 50_000, "<text>" * 30_000, "subject:\n" * 20_000, "\n \n" * 50_000):
        begin = time.thread_time()
        spans(hostile)
        spent = time.thread_time() - begin
        begin = time.thread_time()
        spans(hostile * 4)
        assert time.thread_time() - begin < 16 * spent + 1
