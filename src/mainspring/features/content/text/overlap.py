"""Long runs of a source's words in an article: what may be copied, and whether it is attributed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mainspring.features.content.text.article import Overlap

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_SEED = 6


@dataclass(frozen=True, slots=True)
class Run:
    """``words`` words in common: from character ``start`` to ``end`` of the text, from ``there`` on in the source
    (in words)."""

    start: int
    end: int
    words: int
    there: int


def runs(text: str, source: str, least: int) -> list[Run]:
    """The longest runs of at least ``least`` words that ``text`` shares with ``source``, whatever their case and marks.
    They do not overlap in ``text``. The time grows with the sum of both lengths, except for texts that repeat
    themselves."""
    ours = [(match.group().lower(), match.start(), match.end()) for match in _WORD.finditer(text)]
    theirs = [match.group().lower() for match in _WORD.finditer(source)]
    seed = min(_SEED, least)
    places: dict[tuple[str, ...], list[int]] = {}
    for at in range(len(theirs) - seed + 1):
        places.setdefault(tuple(theirs[at : at + seed]), []).append(at)
    words = [word for word, _, _ in ours]
    found: list[Run] = []
    at = 0
    while at + seed <= len(words):
        best, there = 0, 0
        for place in places.get(tuple(words[at : at + seed]), ()):
            length = seed
            while (
                at + length < len(words)
                and place + length < len(theirs)
                and words[at + length] == theirs[place + length]
            ):
                length += 1
            if length > best:
                best, there = length, place
        if best >= least:
            found.append(Run(ours[at][1], ours[at + best - 1][2], best, there))
        at += max(1, best)
    return found


def overlaps(pieces: Sequence[tuple[str, frozenset[int]]], sources: Mapping[int, str], least: int) -> list[Overlap]:
    """The long runs of ``pieces`` of an article (text, numbers of the sources that it cites) in ``sources``."""
    found = []
    for text, cited in pieces:
        for number, source in sources.items():
            found += [
                Overlap(number, each.words, text[each.start : each.end], number in cited)
                for each in runs(text, source, least)
            ]
    return sorted(found, key=lambda each: -each.words)


def shares(pieces: Sequence[tuple[str, frozenset[int]]], sources: Mapping[int, str], least: int) -> dict[int, float]:
    """The share of each source's words that the article repeats in runs of at least ``least`` words, by number."""
    found: dict[int, float] = {}
    for number, source in sources.items():
        taken: set[int] = set()
        for text, _ in pieces:
            for each in runs(text, source, least):
                taken.update(range(each.there, each.there + each.words))
        total = len(_WORD.findall(source))
        found[number] = len(taken) / total if total else 0.0
    return found
