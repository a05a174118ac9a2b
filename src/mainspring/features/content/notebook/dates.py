"""Dates in sentences: what a timeline is made of. English only."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_YEAR = r"(?P<year>1[0-9]\d\d|20\d\d)"
_FORMS = (
    re.compile(r"\b(?P<year>1[0-9]\d\d|20\d\d)-(?P<number>0[1-9]|1[0-2])(?:-(?P<day>[0-2]\d|3[01]))?\b"),
    re.compile(rf"\b(?P<day>[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?(?: of)? {_MONTH}\.?,? {_YEAR}\b", re.IGNORECASE),
    re.compile(rf"\b{_MONTH}\.? (?P<day>[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?,? {_YEAR}\b", re.IGNORECASE),
    re.compile(rf"\b{_MONTH}\.?,? {_YEAR}\b", re.IGNORECASE),
    re.compile(
        r"\b(?:in|since|by|from|until|during|of|after|before|around|circa|year|early|late|mid|between|and|to)"
        rf"[ -](?:the )?(?:early |late |mid-?)?{_YEAR}(?P<decade>s)?\b",
        re.IGNORECASE,
    ),
)


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """A date: ``month`` and ``day`` are 0 where they are not told. ``text`` is its spelling."""

    year: int
    month: int
    day: int
    text: str = ""


def moment(sentence: str) -> Moment | None:
    """The first, most exact date of ``sentence``; None if it has none with a year."""
    for form in _FORMS:
        if match := form.search(sentence):
            parts = match.groupdict()
            name = (parts.get("month") or "")[:3].lower()
            month = next((at for at, each in enumerate(_MONTHS, 1) if name and each.startswith(name)), 0)
            month = month or int(parts.get("number") or 0)
            day = int(parts.get("day") or 0)
            text = f"{parts['year']}s" if parts.get("decade") else _written(int(parts["year"]), month, day)
            return Moment(int(parts["year"]), month, day, text)
    return None


def _written(year: int, month: int, day: int) -> str:
    if not month:
        return str(year)
    name = _MONTHS[month - 1].capitalize()
    return f"{day} {name} {year}" if day else f"{name} {year}"
