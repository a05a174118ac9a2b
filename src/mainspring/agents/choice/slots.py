"""Values of arguments that can be read from what the user says, without a model: where only one reading is possible.

Patterns of identifiers, e-mail addresses, web addresses and ISO dates; the only number for the only numeric argument;
the one value of an enumeration that is named.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence, Set
from typing import Any

from mainspring.agents.choice.grounding import identifier
from mainspring.agents.choice.reading import NUMBER, kind, properties, stems, words
from mainspring.core.types import Tool
from mainspring.engines.grammar.validation import pattern

_EMAIL = re.compile(r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]++@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
_URL = re.compile(r"https?://[^\s\"'<>)]+[^\s\"'<>).,;!?]")
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_PHONE = re.compile(r"\+?\d[\d() -]{5,}\d")
# A word that is announced as an identifier, or has digits among its letters.
_TOLD = re.compile(
    r"(?:\b(?:id|ids|number|no|code|key|reference|ref|identifier|order|account|ticket|case|tracking)\b\.?[ :]*"
    r"(?:is |= ?|: ?)?[\"'#]*|#)([A-Za-z0-9][A-Za-z0-9_-]*[A-Za-z0-9]|[0-9])",
    re.IGNORECASE,
)
_MIXED = re.compile(r"(?<![#%$€£\w-])(?=[A-Za-z_-]*\d)(?=[\d_-]*[A-Za-z])([A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)*)(?![\w-])")
_DIGITS = re.compile(r"(?<![\w$€£.,-])(\d{4,})(?![\w%]|[.,]\d)")
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th|am|pm|km|kg|mg|g|m|cm|mm|h|s|d|x|k|gb|mb)$", re.IGNORECASE)
_YEAR = re.compile(r"(?:19|20)\d\d$")
_FEW_WORDS = 6
_KINDS = ("email", "url", "date", "phone")
_NUMERIC = ("integer", "number")


def found(tool: Tool, said: str) -> dict[str, Any]:
    """The arguments of ``tool`` that ``said`` states beyond doubt."""
    known = properties(tool)
    texts = {name: schema for name, schema in known.items() if kind(schema) in ("string", "")}
    numeric = [name for name, schema in known.items() if kind(schema) in _NUMERIC]
    identifiers = [name for name in texts if identifier(name)]
    counts = {what: sum(_is(what, name, schema) for name, schema in texts.items()) for what in _KINDS}
    alone = {what for what, count in counts.items() if count == 1} | (
        {"identifier"} if len(identifiers) == 1 else set()
    )
    values: dict[str, Any] = {}
    for name, schema in texts.items():
        value = _value(name, schema, said, alone)
        if value is not None:
            values[name] = value
    if len(numeric) == 1 and not identifiers:
        stated = set(NUMBER.findall(said))
        if len(stated) == 1 and numeric[0] in tool.parameters.get("required", ()):
            values[numeric[0]] = number(stated.pop(), known[numeric[0]])
    return {name: value for name, value in values.items() if value is not None}


def _value(name: str, schema: Mapping[str, Any], said: str, alone: Set[str]) -> Any:
    if "enum" in schema:
        return _named(schema["enum"], said)
    if isinstance(schema.get("pattern"), str):
        return _matching(schema["pattern"], said)
    patterns = [(_EMAIL, "email"), (_URL, "url"), (_DATE, "date"), (_PHONE, "phone")]
    for expression, what in patterns:
        if _is(what, name, schema):
            # One date does not tell which of two it is.
            text = _DATE.sub(" ", said) if what == "phone" else said
            return _only([each.strip() for each in expression.findall(text)]) if what in alone else None
    return _identifier(said) if "identifier" in alone and identifier(name) else None


def _is(what: str, name: str, schema: Mapping[str, Any]) -> bool:
    """Whether an argument is an e-mail address, a web address, a date or a telephone number."""
    titles = words(name).split()
    match what:
        case "email":
            return schema.get("format") == "email" or "email" in titles
        case "url":
            return schema.get("format") == "uri" or titles[-1:] in (["url"], ["link"])
        case "date":
            return schema.get("format") == "date" or titles[-1:] == ["date"]
        case _:
            return "phone" in titles


def _identifier(said: str) -> str | None:
    """The one identifier of a text: one that is announced, else one with letters and digits, else a long number; in a
    short answer any number."""
    text = _URL.sub(" ", _EMAIL.sub(" ", _DATE.sub(" ", said)))
    told = [each for each in _TOLD.findall(text) if any(letter.isdigit() or letter.isupper() for letter in each[1:])]
    told += [each for each in _TOLD.findall(text) if each.isdigit() and each not in told]
    mixed = [each for each in _MIXED.findall(text) if not _ORDINAL.fullmatch(each)]
    digits = [each for each in _DIGITS.findall(text) if not _YEAR.fullmatch(each)]
    few = len(text.split())
    short = [each for each in NUMBER.findall(text) if few <= _FEW_WORDS and (few <= 2 or not _YEAR.fullmatch(each))]
    for found in (told, mixed, digits, short):
        if found:
            return str(found[0]) if len(set(found)) == 1 and not _other(found[0], mixed) else None
    return None


def _other(found: str, mixed: Sequence[str]) -> bool:
    """Whether another word looks like an identifier as well."""
    return any(each != found for each in mixed)


def number(text: str, schema: Mapping[str, Any]) -> int | float | None:
    """``text`` as a value of a numeric argument; None if it is none of its type."""
    value = float(text.replace(",", ""))
    if not math.isfinite(value):
        # It has more digits than a number may have.
        return None
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
    words_said = [word.strip(".") for word in re.findall(r"[^\s,;!?\"'()]+", said)]
    found = [word for word in words_said if check(word)]
    return found[0] if len(set(found)) == 1 else None


def _only(values: Sequence[Any]) -> Any:
    different = list(dict.fromkeys(values))
    return different[0] if len(different) == 1 else None
