"""Values of arguments that can be read from what the user says, without a model: where only one reading is possible.

Patterns of identifiers, e-mail addresses, web addresses and ISO dates; the only number for the only numeric argument;
the one value of an enumeration that is named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.agents.choice.grounding import identifier
from mainspring.agents.choice.reading import NUMBER, kind, properties, stems, words
from mainspring.core.types import Tool
from mainspring.engines.grammar.validation import pattern

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
_URL = re.compile(r"https?://[^\s\"'<>)]+[^\s\"'<>).,;!?]")
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
# An identifier has a digit, or is set off by # or quotes.
_ID = re.compile(r"(?:#\s?|\b)(?=[A-Za-z0-9_-]*\d)([A-Za-z0-9][A-Za-z0-9_-]*)\b")
_QUOTED = re.compile(r"[\"“'‘]([^\"”'’]{1,80})[\"”'’](?!\w)")
_NUMERIC = ("integer", "number")


def found(tool: Tool, said: str) -> dict[str, Any]:
    """The arguments of ``tool`` that ``said`` states beyond doubt."""
    known = properties(tool)
    numeric = [name for name, schema in known.items() if kind(schema) in _NUMERIC]
    identifiers = [name for name, schema in known.items() if kind(schema) == "string" and identifier(name)]
    values: dict[str, Any] = {}
    for name, schema in known.items():
        value = _value(name, schema, said, alone=len(identifiers) == 1)
        if value is not None:
            values[name] = value
    if len(numeric) == 1 and not identifiers:
        stated = set(NUMBER.findall(said))
        if len(stated) == 1 and numeric[0] in tool.parameters.get("required", ()):
            values[numeric[0]] = number(stated.pop(), known[numeric[0]])
    return {name: value for name, value in values.items() if value is not None}


def _value(name: str, schema: Mapping[str, Any], said: str, *, alone: bool) -> Any:
    if kind(schema) not in ("string", ""):
        return None
    if "enum" in schema:
        return _named(schema["enum"], said)
    if isinstance(schema.get("pattern"), str):
        return _matching(schema["pattern"], said)
    title = words(name)
    if schema.get("format") == "email" or "email" in title.split():
        return _only(_EMAIL.findall(said))
    if schema.get("format") == "uri" or title.split()[-1:] == ["url"]:
        return _only(_URL.findall(said))
    if schema.get("format") == "date":
        return _only(_DATE.findall(said))
    if alone and identifier(name):
        without = _URL.sub(" ", _EMAIL.sub(" ", _DATE.sub(" ", said)))
        return _only(_ID.findall(without))
    return None


def number(text: str, schema: Mapping[str, Any]) -> int | float | None:
    """``text`` as a value of a numeric argument; None if it is none of its type."""
    value = float(text.replace(",", ""))
    if kind(schema) == "integer":
        return int(value) if value == int(value) else None
    return int(value) if value == int(value) else value


def _named(options: Sequence[Any], said: str) -> Any:
    """The one option that is said word by word; else the one that shares a word."""
    lower = f" {' '.join(re.findall(r'[a-z0-9]+', said.lower()))} "
    whole = [
        each
        for each in options
        if isinstance(each, str) and f" {' '.join(re.findall(r'[a-z0-9]+', each.lower()))} " in lower
    ]
    if whole:
        longest = max(whole, key=len)
        return longest if all(each == longest or each.lower() in longest.lower() for each in whole) else None
    there = stems(said)
    return _only([each for each in options if isinstance(each, str) and stems(words(each)) & there])


def _matching(source: str, said: str) -> str | None:
    check = pattern(source)
    found = [word for word in re.findall(r"[^\s,;!?\"'()]+", said) if check(word.strip("."))]
    return found[0] if len(set(found)) == 1 else None


def _only(values: Sequence[Any]) -> Any:
    different = list(dict.fromkeys(values))
    return different[0] if len(different) == 1 else None
