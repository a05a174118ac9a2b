"""Numbers in a text, in any notation: ``1,000`` is 1000, ``thirty`` is 30, ``3.2 million`` is 3200000.

A number inside an identifier (``CS19-0400``, ``v2.1``) is part of that name and no amount.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_UNITS = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen".split()
    )
}
_TENS = {
    word: 10 * number for number, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
_ORDINALS = {
    word: number
    for number, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split(), 1
    )
}
_OTHERS = {"dozen": 12.0, "half": 0.5, "quarter": 0.25, "twice": 2.0}
_SCALES = {
    "hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "k": 1e3, "m": 1e6, "mn": 1e6,
    "bn": 1e9,
}  # fmt: skip
_DIGITS = r"\d{1,3}(?:[,\u202f\u00a0]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_SPELT = "|".join([*_UNITS, *_TENS, *_ORDINALS, *_OTHERS, "hundred", "thousand", "million", "billion"])
_NUMBER = re.compile(
    rf"(?<![\w.])(?P<digits>{_DIGITS})(?:st|nd|rd|th)?"
    r"(?:(?:[\s-]?(?P<scale>hundred|thousand|million|billion|trillion|mn|bn)|(?P<letter>[km]))(?!\w))?"
    rf"|(?<![\w-])(?P<words>(?:{_SPELT})(?:[\s-](?:and\s)?(?:{_SPELT}))*)(?!\w)",
    re.IGNORECASE,
)
_IDENTIFIER = re.compile(
    r"(?<!\w)(?=[\w./-]{0,200}\d)(?=[\w./-]{0,200}[A-Za-z])[A-Za-z0-9]+(?:[-_/.][A-Za-z0-9]+)*(?!\w)", re.ASCII
)
# Digits with these behind them are an amount: an ordinal, a scale, a unit, an hour.
_MEASURED = re.compile(
    r"\d+(?:[.,]\d+)*(?:st|nd|rd|th|s|k|m|mn|bn|mm|cm|km|kg|mg|ml|g|l|kw|w|v|mb|gb|tb|am|pm|x|c|f|h)\Z", re.IGNORECASE
)
_BETWEEN = re.compile(r"[\s-]+(?:and\s+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Number:
    """Possible meanings of ``text[start:end]``: one amount, or two for ``5m``, which may be metres or millions.
    ``scale`` is the word that multiplies it (empty: none), ``word`` is true if the number is spelt out."""

    amounts: tuple[float, ...]
    start: int
    end: int
    scale: str = ""
    word: bool = False


def numbers(text: str) -> list[Number]:
    """The numbers of ``text`` in order, those of identifiers left out."""
    return list(_numbers(text))


def identifiers(text: str) -> list[str]:
    """Names that mix letters and digits, in lower case."""
    return [text[start:end].lower() for start, end in _named(text)]


def _named(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in _IDENTIFIER.finditer(text) if not _is_amount(match.group())]


def _is_amount(text: str) -> bool:
    """Whether an apparent identifier is an amount: ``30kg``, ``30-day``, ``10-to-15``."""
    parts = re.split(r"[-_/.]", text)
    if _MEASURED.match(text):
        return True
    spelt = all(part.isdigit() or part.isalpha() or _MEASURED.match(part) for part in parts)
    return spelt and parts[0].isdigit() and any(part.isalpha() and part.islower() for part in parts)


def _numbers(text: str) -> Iterator[Number]:
    named = bytearray(len(text))
    for start, end in _named(text):
        named[start:end] = b"\1" * (end - start)
    for match in _NUMBER.finditer(text):
        if named[match.start()]:
            continue
        if not match["digits"]:
            for amount in _said(match["words"].lower()):
                yield Number((amount,), *match.span(), word=True)
            continue
        amount = float(re.sub(r"[,\u202f\u00a0]", "", match["digits"]))
        scale = (match["scale"] or match["letter"] or "").lower()
        scaled = (round(amount * _SCALES[scale], 6),) if scale else (amount,)
        yield Number((amount, *scaled) if match["letter"] else scaled, *match.span(), scale)


def _said(words: str) -> Iterator[float]:
    """The amounts in spelt-out ``words``: one, except for words that form several numbers."""
    total = current = 0.0
    begun = False
    for word in _BETWEEN.split(words):
        if word in _SCALES:
            current = (current or 1.0) * _SCALES[word]
            if word != "hundred":
                total, current = total + current, 0.0
            begun = True
            continue
        amount = _UNITS.get(word) or _TENS.get(word) or _ORDINALS.get(word) or _OTHERS.get(word) or 0
        tens, hundreds = current % 100, current % 1000
        room = not begun or not current or (amount < 10 and tens >= 20 and tens % 10 == 0) or (hundreds and not tens)
        if not room:
            yield total + current
            total = current = 0.0
        current, begun = current + amount, True
    if begun:
        yield total + current
