"""Typed values in a sentence: amounts, percentages, durations, measures, counts, dates, times, and yes or no.

English only. Values compare within their kind and unit: weeks are days, years are months, hours are minutes.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mainspring.rag.text import terms

_MOST_ASKED = 50
_WORDS = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
} | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "ninety": 90, "hundred": 100, "dozen": 12, "half": 0.5}
# It begins within a run of digits only where a comma groups the rest: to try each digit of a long run would take the
# square of its length. Nor are there more groups than an amount has.
_DIGITS = r"(?:(?<!\d)|(?=\d{1,3},\d))(?:\d{1,3}(?:,\d{3}){1,9}(?:\.\d+)?|\d+(?:\.\d+)?)"
_NUMBER = rf"(?:{_DIGITS}|\b(?:{'|'.join(_WORDS)})\b)"
_SCALE = r"(?:\s*(?P<scale>k|m|thousand|million|billion)\b)?"
_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = rf"(?:{'|'.join(_MONTHS)}|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)"
_CURRENCY = {"£": "gbp", "$": "usd", "€": "eur", "¥": "jpy", "pound": "gbp", "dollar": "usd", "euro": "eur"}
_DURATION = {
    "second": ("minute", 1 / 60),
    "minute": ("minute", 1.0),
    "hour": ("minute", 60.0),
    "day": ("day", 1.0),
    "night": ("night", 1.0),
    "week": ("day", 7.0),
    "month": ("month", 1.0),
    "year": ("month", 12.0),
}
_MEASURES = (
    "mm|cm|km|m|kg|g|mg|ml|l|litres?|liters?|kw|w|watts?|v|volts?|mb|gb|tb|inch(?:es)?|feet|miles?|metres?|meters?|"
    "[°º˚⁰] ?[cf]|degrees|grams?|kilograms?|bar|rpm|db|amps?"
)
# What stands for the sign of degrees where a keyboard lacks it.
_DEGREE = re.compile(r"[°º˚⁰] ?")
# "1st" is a place, and counts nothing.
_NO_ORDINAL = r"(?!\d|(?:st|nd|rd|th)\b)"
_PATTERNS = (
    ("money", re.compile(rf"(?P<unit>[£$€¥])\s?(?P<number>{_DIGITS}){_SCALE}", re.IGNORECASE)),
    ("money", re.compile(rf"(?P<number>{_NUMBER}){_SCALE}\s+(?P<unit>pound|dollar|euro)s?\b", re.IGNORECASE)),
    ("percent", re.compile(rf"(?P<number>{_NUMBER})\s?(?P<unit>%|percent\b|per cent\b)", re.IGNORECASE)),
    (
        "time",
        re.compile(r"\b(?P<hour>\d{1,2})(?:[:.](?P<minute>\d\d))?\s?(?P<half>[ap])(?:\.m\.|\.?m\b)", re.IGNORECASE),
    ),
    ("time", re.compile(r"\b(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)\b(?P<half>)")),
    ("date", re.compile(r"\b(?P<year>(?:19|20)\d\d)-(?P<month>\d\d)-(?P<day>\d\d)\b")),
    (
        "date",
        re.compile(
            rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<month>{_MONTH})\b\.?(?:,?\s+(?P<year>(?:19|20)\d\d))?",
            re.IGNORECASE,
        ),
    ),
    (
        "date",
        re.compile(
            rf"\b(?P<month>{_MONTH})\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(?P<year>(?:19|20)\d\d))?",
            re.IGNORECASE,
        ),
    ),
    (
        "date",
        re.compile(
            r"\b(?P<day>\d{1,2})(?:st|nd|rd|th)\s+(?:(?:working |business )?day\s+)?of\s+"
            r"(?:(?:the|each|every|this|next|following)\s+){0,2}(?P<month>month)\b(?P<year>)",
            re.IGNORECASE,
        ),
    ),
    (
        "duration",
        re.compile(
            rf"(?P<number>{_NUMBER})[\s-]+(?:(?P<kind>working|business|calendar|full|consecutive)\s+)?"
            rf"(?P<unit>{'|'.join(_DURATION)})s?\b",
            re.IGNORECASE,
        ),
    ),
    ("measure", re.compile(rf"(?P<number>{_NUMBER})\s?(?P<unit>{_MEASURES})\b", re.IGNORECASE)),
    ("year", re.compile(r"\b(?P<number>(?:1[5-9]|20)\d\d)\b(?P<unit>)")),
    ("count", re.compile(rf"(?P<number>{_NUMBER})\s+(?P<unit>[a-z][a-z-]{{2,}})", re.IGNORECASE)),
    ("count", re.compile(rf"(?P<number>{_NUMBER}|\d+){_NO_ORDINAL}(?P<unit>)", re.IGNORECASE)),
)
_NEGATIVE = re.compile(
    r"\b(?:not|no|never|cannot|forbidden|prohibited|banned|disallowed|neither|refused|unavailable)\b|n['’]t\b",
    re.IGNORECASE,
)
POLAR = terms.content(
    "allowed permitted forbidden prohibited banned disallowed possible accepted refused available unavailable never "
    "cannot neither required free"
)
"""Words that say yes or no by themselves."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value: ``kind`` and ``unit`` are compared, ``amount`` may differ, and ``text`` is its spelling."""

    kind: str
    unit: str
    amount: str
    text: str
    start: int
    end: int

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.unit


def values(sentence: str) -> list[Value]:
    """The values of ``sentence``, in order, none inside another."""
    found: list[Value] = []
    # A mark for each character of a value: to compare each with all others would take the square of their number.
    taken = bytearray(len(sentence))
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(sentence):
            if taken.find(1, *match.span()) < 0:
                for value in _value(kind, match):
                    found.append(value)
                    taken[value.start : value.end] = b"\1" * (value.end - value.start)
    return sorted(found, key=lambda value: value.start)


@functools.lru_cache(64)
def of_question(question: str) -> tuple[Value, ...]:
    """The first values of ``question``, which each sentence of the documents is compared with."""
    return tuple(values(question)[:_MOST_ASKED])


def negative(sentence: str) -> bool:
    """Whether a sentence says no: an odd number of negations."""
    return len(_NEGATIVE.findall(sentence)) % 2 == 1


def _value(kind: str, match: re.Match[str]) -> Iterator[Value]:
    text, start, end = match.group(), match.start(), match.end()
    parts = match.groupdict()
    if kind == "time":
        hour = int(parts["hour"]) % 12 + 12 * (parts["half"].lower() == "p") if parts["half"] else int(parts["hour"])
        if hour < 24:
            yield Value(kind, "", f"{hour:02}:{int(parts['minute'] or 0):02}", text, start, end)
    elif kind == "date":
        yield Value(kind, "", _date(parts), text, start, end)
    else:
        amount, unit = _amount(parts["number"], parts.get("scale")), parts["unit"].lower()
        if kind == "money":
            unit = _CURRENCY[unit]
        elif kind == "percent":
            unit = "%"
        elif kind == "duration":
            unit, factor = _DURATION[unit]
            amount *= factor
            unit = f"{parts['kind'].lower()} {unit}" if parts["kind"] in ("working", "business") else unit
            unit = unit.replace("business", "working")
        elif unit:
            # "five or six" is no count; the word after a count is not part of the value.
            unit = "" if terms.stops(unit) else terms.stem(_DEGREE.sub("°", unit))
        if kind == "count":
            text, end = parts["number"], start + len(parts["number"])
        yield Value(kind, unit, f"{amount:g}", text, start, end)


def _amount(number: str, scale: str | None) -> float:
    plain = number.replace(",", "").lower()
    amount = float(_WORDS[plain]) if plain in _WORDS else float(plain)
    factors = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "billion": 1e9}
    return amount * factors.get((scale or "").lower(), 1.0)


def _date(parts: dict[str, str | None]) -> str:
    month = (parts["month"] or "").lower()
    if month == "month":
        return f"each month {int(parts['day'] or 0):02}"
    number = int(month) if month.isdigit() else 1 + next(n for n, m in enumerate(_MONTHS) if m.startswith(month[:3]))
    return f"{number:02}-{int(parts['day'] or 0):02}" + (f" {parts['year']}" if parts["year"] else "")
