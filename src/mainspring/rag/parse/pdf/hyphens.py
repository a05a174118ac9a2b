"""Rejoins words that were broken at the end of a line.

A hyphen at a line's end is the typesetter's (``informa-|tion``) or the word's own (``two-|year``). The document's
other words decide. Where they do not, it is the word's own between two words, unless these are such as open or end
words that are written in one. The lists were made on twelve articles of SQuAD (``benchmarks/parsing.py`` says how they
do on the others): a line is broken within a word thirty times as often as at a hyphen that belongs there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_SOFT = "\u00ad"
_HYPHENS = ("-", "\u2010", _SOFT)
_WORD = re.compile(r"[^\W\d_]+(?:[-\u2010][^\W\d_]+)*")
_LAST = re.compile(r"(?<![^\W\d_])(?<![^\W\d_][-\u2010])([^\W\d_]+(?:[-\u2010][^\W\d_]+)*)[-\u2010\u00ad]$")
_FIRST = re.compile(r"[^\W\d_]+")
# Before these parts, a hyphen always belongs to the word: "self-|contained", "twenty-|five".
_HEADS = frozenset(
    "self well cross quasi pseudo anglo two three four five six seven eight twenty thirty forty fifty sixty seventy "
    "eighty ninety".split()
)
# Before these, it belongs to the word if a word follows: "non-|linear", but "co-|lumn", "high-|er".
_PREFIXES = frozenset("non co semi anti multi half high low all one nine ten mid so".split())
# After these, it belongs to the word: "data-|driven". "World-|wide" is rather written in one.
_TAILS = frozenset(
    "based free like driven related specific oriented speaking called making derived controlled educated dependent "
    "independent aware sized shaped scale style type level term year owned born known made".split()
)
# Words that hardly ever open a compound with a hyphen, but many a broken word: "in-|formation", "re-|gion".
_OPENING = frozenset(
    "in to with there where an of be is as on up a he for or at by it no do go me the per dis re ex pre post de un "
    "any every some him her them our your who how what".split()
)
# Words that end those which are written in one: "art-|work", "Satur-|day".
_CLOSING = frozenset(
    "day days man men woman women land lands work works ship ships hood less ful fully ness able ability ably age ages "
    "ally al er ers or ors ed ing ings ism ist ists ment ments ward wards wise while east west side way ways time "
    "times town towns stone field fields house light lights self selves after as ever out over thing body where yard "
    "book books fall port ports ten tion sion ion ate ated ant ent ory ive".split()
)


class Mender:
    """Joins lines of one document. ``lines`` are all of them: their words are its vocabulary."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self._words: frozenset[str] | None = None

    def join(self, text: str, line: str) -> str:
        """``text`` and the ``line`` that continues it."""
        if not text.endswith(_HYPHENS):
            return f"{text} {line}"
        if not line[:1].islower():
            # "COVID-|19", "A-|Z": the word's own hyphen. A dash between words keeps its spaces.
            return f"{text} {line}" if text.endswith(" -") else f"{text.rstrip(_SOFT)}{line}"
        if text.endswith(_SOFT):
            return f"{text[:-1]}{line}"
        head, tail = _LAST.search(text), _FIRST.match(line)
        if head is None or tail is None:
            return f"{text} {line}" if text.endswith((" -", " \u2010")) else f"{text}{line}"
        return f"{text}{line}" if self._keeps(head[1].lower(), tail[0].lower()) else f"{text[:-1]}{line}"

    def _keeps(self, head: str, tail: str) -> bool:
        words = self._vocabulary()
        if f"{head}-{tail}" in words:
            return True
        last = head.rsplit("-", 1)[-1]
        if f"{head}{tail}" in words or f"{last}{tail}" in words:
            return False
        if last in _HEADS or (tail in _TAILS and len(last) > 2):
            return True
        if tail not in words or last in _OPENING or tail in _CLOSING:
            return False
        return last in _PREFIXES or last in words

    def _vocabulary(self) -> frozenset[str]:
        """Words inside lines; those at their ends may be halves."""
        if self._words is None:
            found: set[str] = set()
            for line in self._lines:
                words = [word.lower().replace("\u2010", "-") for word in _WORD.findall(line)]
                broken = line.endswith(_HYPHENS)
                found.update(words[1:-1] if broken else words[1:])
            self._words = frozenset(found)
        return self._words
