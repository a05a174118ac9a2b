"""Acronyms that the documents explain ("Annual Percentage Rate (APR)"), and queries that use one or its meaning.

The long form is found as Schwartz and Hearst (2003) do: the letters of the short form, from the last to the first,
each in the words before it, the first at the beginning of a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from mainspring.rag.text import terms

_AFTER = re.compile(r"\(\s*([A-Z][A-Za-z0-9&.-]{1,9})\s*\)")
_BEFORE = re.compile(r"\b([A-Z][A-Z0-9&.-]{1,9})\s+\(([^()\n]{6,80})\)")
_CAPITALS = re.compile(r"\b[A-Z][A-Za-z0-9&]{1,9}\b")
_WORDS_BEFORE = re.compile(r"[^\s()]+")
_WINDOW = 120
_MOST = 3
# Long forms of up to this many words are searched in the query.
_LONGEST = 12


def explained(text: str) -> Iterator[tuple[str, str]]:
    """(short form, long form) of each acronym that ``text`` explains."""
    for match in _AFTER.finditer(text):
        short = _short(match[1])
        before = text[max(0, match.start() - _WINDOW) : match.start()].rsplit("\n\n", 1)[-1]
        words = _WORDS_BEFORE.findall(before)
        long = long_form(short, words[-min(len(short) + 5, 2 * len(short)) :]) if short else ""
        if long:
            yield short, long
    for match in _BEFORE.finditer(text):
        short = _short(match[1])
        long = long_form(short, match[2].split()) if short else ""
        if long:
            yield short, long


def long_form(short: str, words: Sequence[str]) -> str:
    """The part at the end of ``words`` that ``short`` abbreviates; empty if there is no such part."""
    text = " ".join(words)
    place = len(text)
    for index in range(len(short) - 1, -1, -1):
        letter = short[index].lower()
        if not letter.isalnum():
            continue
        place -= 1
        while place >= 0 and (
            text[place].lower() != letter or (index == 0 and place > 0 and text[place - 1].isalnum())
        ):
            place -= 1
        if place < 0:
            return ""
    found = text[place:].strip(" ,;:.\"'")
    parts = found.split()
    if short in parts or not 2 <= len(parts) <= len(short) + 5 or len(found) <= len(short) + 2:
        return ""
    return found


def meanings(expansions: Mapping[str, Sequence[str]]) -> dict[tuple[str, ...], str]:
    """The acronym of each long form, by the stems of its words."""
    found: dict[tuple[str, ...], str] = {}
    for short, longs in expansions.items():
        for long in longs:
            stems = tuple(terms.words(long))
            if len(stems) > 1:
                found.setdefault(stems, short)
    return found


def expand(
    query: str, expansions: Mapping[str, Sequence[str]], known: Mapping[tuple[str, ...], str]
) -> list[tuple[str, str]]:
    """(what the query has, the same in other words) of each acronym and each of the ``known`` meanings in it, at most
    three. An acronym must be in capitals, as in the documents or completely."""
    found: dict[str, str] = {}
    written = terms.plain(query)
    lowered = " ".join(written)
    for match in _CAPITALS.finditer(query):
        longs = expansions.get(match.group()) or expansions.get(match.group().upper()) or ()
        if longs and longs[0].lower() not in lowered:
            found[match.group()] = longs[0]
    stems = terms.words(query)
    for size in range(2, min(len(stems), _LONGEST) + 1):
        for at in range(len(stems) - size + 1):
            short = known.get(tuple(stems[at : at + size]))
            if short and short.lower() not in written:
                found[" ".join(stems[at : at + size])] = short
    return list(found.items())[:_MOST]


def _short(text: str) -> str:
    short = text.rstrip(".")
    capitals = sum(letter.isupper() for letter in short)
    return short if 2 <= len(short) <= 10 and capitals >= 2 and capitals * 2 >= len(short) else ""
