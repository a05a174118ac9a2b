"""Checks that the expressions of users cost a bounded number of steps at each position of a text.

Unbounded repetition, nested repetition, back references and lookaround are refused: the work at one position is then at
most the product of the choices, which is bounded too. Matches longer than ``WIDEST`` are refused, because a stream
cannot wait for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from mainspring.core.errors import SettingsError

# Typeshed does not know it.
_parser: Any = import_module("re._parser")

WIDEST = 100
STEPS = 10_000
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
_REFUSED = {
    "GROUPREF": "a reference to a group",
    "GROUPREF_EXISTS": "a reference to a group",
    "EMPTY": "a repetition of nothing",
    "ASSERT": "looking ahead or behind",
    "ASSERT_NOT": "looking ahead or behind",
}


def checked(source: str, where: str) -> tuple[re.Pattern[str], int]:
    """The expression, which ignores case, and the longest text that it matches. Raises ``SettingsError`` for an
    expression that is malformed, could take long, or matches the empty text."""
    try:
        parsed = _parser.parse(source, re.IGNORECASE)
        pattern = re.compile(source, re.IGNORECASE)
    except (re.error, RecursionError, OverflowError) as error:
        raise SettingsError(f"{where}: {source!r} is not an expression: {error}", remedy="Correct it") from None
    least, most = parsed.getwidth()
    problem = ""
    if least == 0:
        problem = "it matches the empty text"
    elif most > WIDEST:
        problem = f"it may match more than {WIDEST} characters"
    else:
        problem = _problem(parsed)
    if problem:
        raise SettingsError(
            f"{where}: {source!r} is refused: {problem}",
            remedy="Bound each repetition ({1,20} in place of +), none within another, and no (?=...) or \\1",
        )
    return pattern, int(most)


def _problem(parsed: Any) -> str:
    steps = 1
    for name, choices, nested in _walk(parsed, nested=False):
        if name in _REFUSED:
            return f"it holds {_REFUSED[name]}"
        if nested and choices > 1:
            return "it holds a repetition within a repetition"
        steps *= choices
        if steps > STEPS:
            return f"it may take more than {STEPS} steps at one place"
    return ""


def _walk(parsed: Any, *, nested: bool) -> Iterator[tuple[str, int, bool]]:
    """(name, choices, whether it is within a repetition) of each part of a parsed expression."""
    for operation, value in parsed:
        name = str(operation)
        if name in _REPEATS:
            least, most, inner = value
            # A repeated expression that matches only the empty text would run as often as its bound says.
            if inner.getwidth()[1] == 0 and int(most) > 1:
                yield "EMPTY", 1, nested
            choices = int(most) - int(least) + 1
            yield name, choices, nested
            yield from _walk(inner, nested=nested or int(most) > 1)
        elif name == "BRANCH":
            yield name, len(value[1]), nested
            for inner in value[1]:
                yield from _walk(inner, nested=nested)
        elif name == "SUBPATTERN":
            yield from _walk(value[3], nested=nested)
        elif name == "ATOMIC_GROUP":
            yield from _walk(value, nested=nested)
        else:
            yield name, 1, nested
