"""Words that were broken at the end of a line, made whole again.

A hyphen at a line's end is the typesetter's (``informa-|tion``) or the word's own (``two-|year``). The document's
other words decide; where they do not, a word is taken to have been broken unless both halves are words themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_SOFT = "\u00ad"
_HYPHENS = ("-", "\u2010", _SOFT)
_WORD = re.compile(r"[^\W\d_]+(?:[-\u2010][^\W\d_]+)*")
_LAST = re.compile(r"([^\W\d_]+(?:[-\u2010][^\W\d_]+)*)[-\u2010\u00ad]$")
_FIRST = re.compile(r"[^\W\d_]+")
# Never broken off by hyphenation, and hardly ever words of their own in a text.
_PREFIXES = frozenset("non self well cross co ex half high low multi pre post semi anti re all two three one".split())
_SUFFIXES = frozenset("based free like wide year day term related specific driven level".split())


class Mender:
    """Joins lines of one document. ``lines`` are all of them: their words are its vocabulary."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self._words: frozenset[str] | None = None

    def join(self, text: str, line: str) -> str:
        """``text`` and the ``line`` that goes on with it."""
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
        return last in _PREFIXES or tail in _SUFFIXES or (last in words and tail in words)

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
