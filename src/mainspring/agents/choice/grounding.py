"""Whether the value of an argument comes from the conversation, or was made up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mainspring.agents.choice.reading import NUMBER, kind, stems, words

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
)
_UNITS += " eighteen nineteen"
NUMBER_WORDS = {word: number for number, word in enumerate(_UNITS.split())} | {
    **{
        word: 10 * number
        for number, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
    },
    "a": 1,
    "an": 1,
    "single": 1,
    "once": 1,
    "couple": 2,
    "pair": 2,
    "twice": 2,
    "both": 2,
    "double": 2,
    "triple": 3,
    "dozen": 12,
    "half": 0.5,
    "quarter": 0.25,
    "hundred": 100,
    "thousand": 1000,
    "million": 1_000_000,
    "first": 1,
    "second": 2,
    "third": 3,
    "fourth": 4,
    "fifth": 5,
    "week": 7,
    "fortnight": 14,
}
_FACTORS = (1, 100, 0.01, 10, 0.1, 1000, 0.001, 1_000_000, 60, 1 / 60, 3600, 7, 12, 30, 365)
"""Percentages, units and words such as ``million``: a number may be written in another."""
_IDENTIFIER = re.compile(r"(?:^|_|\b)(?:id|number|no|code|key|reference|ref|sku|isbn|iban|token|email|phone|url)$")
_MONTHS = {
    name: number
    for number, names in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)
    for name in (names,)
}
_MONTH = re.compile(r"\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b", re.IGNORECASE)
_SHORTENED = {
    "usd": "dollar",
    "eur": "euro",
    "gbp": "pound",
    "jpy": "yen",
    "celsius": "centigrade",
    "ny": "york",
    "nyc": "york",
}
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_RELATIVE = re.compile(r"\b(today|tomorrow|yesterday|tonight|next|last|this|coming|\w+day)\b", re.IGNORECASE)


def identifier(name: str) -> bool:
    """Whether an argument of this name is copied letter by letter."""
    return _IDENTIFIER.search(words(name).replace(" ", "_")) is not None


def numbers(text: str) -> list[float]:
    """The numbers of a text, those in words among them."""
    found = [float(each.replace(",", "")) for each in NUMBER.findall(text) if each.strip("-,.")]
    return found + [float(NUMBER_WORDS[word]) for word in re.findall(r"[a-z]+", text.lower()) if word in NUMBER_WORDS]


def grounded(value: Any, schema: Mapping[str, Any], name: str, said: str) -> bool:
    """Whether ``value`` of the argument ``name`` can come from ``said``. What cannot be judged is taken to."""
    match value:
        case bool() | None:
            return True
        case int() | float():
            return _number(float(value), said)
        case str():
            return _text(value, schema, name, said)
        case list():
            items = schema.get("items", {})
            return all(grounded(each, items if isinstance(items, Mapping) else {}, name, said) for each in value)
        case Mapping():
            known = schema.get("properties", {})
            return all(grounded(each, known.get(key, {}), key, said) for key, each in value.items())
        case _:
            return True


def _number(value: float, said: str) -> bool:
    there = numbers(said)
    close = any(abs(value - each * factor) <= 1e-6 * max(1, abs(value)) for each in there for factor in _FACTORS)
    return close or any(abs(abs(value) - abs(each)) <= 1e-6 for each in there)


def _text(value: str, schema: Mapping[str, Any], name: str, said: str) -> bool:
    text, whole = value.strip(), said.lower()
    if not text:
        return False
    if "enum" in schema and value in schema["enum"]:
        return True
    if text.lower() in whole:
        return True
    if identifier(name) and any(letter.isdigit() for letter in text):
        return _squeezed(text) in _squeezed(said)
    if (date := _DATE.search(text)) is not None:
        return _date(date, said)
    if NUMBER.fullmatch(text):
        return _number(float(text.replace(",", "")), said)
    said_stems = stems(said) | {_SHORTENED.get(word, word) for word in stems(said)}
    own = {_SHORTENED.get(word, word) for word in stems(text)}
    return (
        any(_alike(word, other) for word in own for other in said_stems)
        or _initials(text, said)
        or kind(schema) not in ("string", "")
    )


def _alike(one: str, other: str) -> bool:
    """Whether two stems are forms of one word: ``bak`` and ``bake``, ``democracy`` and ``democratic``."""
    short = min(len(one), len(other))
    return (
        one == other
        or (short >= 3 and one[:6] == other[:6] and short >= 6)
        or (short >= 3 and abs(len(one) - len(other)) <= 1 and (one.startswith(other) or other.startswith(one)))
    )


def _squeezed(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _date(date: re.Match[str], said: str) -> bool:
    year, month, day = (int(each) for each in date.groups())
    there = set(numbers(said))
    months = {_MONTHS[each.lower()] for each in _MONTH.findall(said)} | there
    return (day in there and month in months) or (year in there and month in months) or bool(_RELATIVE.search(said))


def _initials(text: str, said: str) -> bool:
    """``EU`` for European Union, ``CA`` for California."""
    letters = re.sub(r"[^A-Z]", "", text)
    if not 2 <= len(letters) <= 5 or letters != re.sub(r"[^A-Za-z]", "", text):
        return False
    firsts = "".join(word[0] for word in re.findall(r"[A-Za-z]+", said)).upper()
    return letters in firsts or any(word.upper().startswith(letters) for word in re.findall(r"[A-Z][a-z]+", said))
