"""Messages are as long as their writers like: what reads them must not take the square of their length."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Callable, Iterator

import pytest

from mainspring.features.support.dialogue import hearing, intents
from mainspring.features.support.dialogue.options import meant
from mainspring.features.support.dialogue.script import Option
from mainspring.features.support.plans.variants import wanted
from mainspring.features.support.script import patterns, readers
from tests.lengths import squares

HOSTILE = ("where complain ", "if what is ", "send back ", "not used ", "order LS-2 ", "never touched ", "a, ")
"""Pieces that patterns begin with, or end with, again and again."""
SHORT, LONG = 10_000, 80_000


def expressions() -> Iterator[tuple[str, re.Pattern[str]]]:
    for module in (hearing, intents, readers):
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern):
                yield f"{module.__name__.rpartition('.')[2]}.{name}", value
    for name, value in vars(patterns).items():
        if name.isupper():
            texts = value if isinstance(value, tuple) else (value,)
            for number, text in enumerate(texts):
                if isinstance(text, str):
                    yield f"patterns.{name}[{number}]", re.compile(text, re.IGNORECASE)


def seconds(expression: re.Pattern[str], text: str) -> float:
    began = time.process_time()
    for _ in expression.finditer(text):
        pass
    return time.process_time() - began


def test_eight_times_the_text_takes_no_thirty_times_as_long() -> None:
    slow = []
    for name, expression in expressions():
        for piece in HOSTILE:
            short = max(seconds(expression, piece * (SHORT // len(piece))) for _ in range(2))
            # What is fast has no square in it, which would be sixty-four times.
            if short > 0.002 and (long := seconds(expression, piece * (LONG // len(piece)))) > 30 * short:
                slow.append((name, piece, short, long))
    assert slow == []


@pytest.mark.slow
def test_what_reads_a_message_takes_time_that_grows_with_its_length() -> None:
    """Functions with several expressions, and those that are written within a function."""
    functions: dict[str, Callable[[str], object]] = {
        f"{module.__name__.rpartition('.')[2]}.{name}": function
        for module in (hearing, readers)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
    }
    options = [Option("LS-20001", "LS-20001 of May", "grinder"), Option("LS-20002", "LS-20002 of June", "press")]
    functions["meant"] = lambda text: meant(options, text, answering=True)
    functions["wanted"] = lambda text: wanted(text, {"size": ("S", "M"), "color": ("red", "blue")})
    functions["clauses"] = intents._CLAUSES.split
    found = {name: piece for name, each in functions.items() for piece in squares(each)}
    assert found == {}


def test_a_number_of_too_many_digits_is_no_price() -> None:
    assert readers.price("it costs 12.50 there") == 12.5
    assert readers.price("9" * 2000 + " pounds") is None
