"""Typing errors: words that nobody writes, and the one common word that was meant."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Literal

LEAST_LETTERS = 4
# How often a word of subtitles (1.6 billion) must occur for a typo to be taken for it.
COMMON = 2_000
# How many times more often than the next candidate.
MARGIN = 8.0
_NEVER = 1 << 62
# Words of another language that count as common.
_FOREIGN = 20_000
Slip = Literal["swapped", "doubled", "more", "less", "other"]
"""Two letters in the wrong order, one twice or not twice, one too many, one too few, another one."""
_BRITISH = (
    *(("our", "or"), ("tre", "ter"), ("bre", "ber"), ("ise", "ize"), ("isation", "ization"), ("ising", "izing")),
    *(("yse", "yze"), ("ogue", "og"), ("lled", "led"), ("lling", "ling"), ("ence", "ense"), ("mme", "m")),
    *(("ae", "e"), ("oe", "e"), ("aluminium", "aluminum")),
)
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_VOWELS = frozenset("aeiouy")


def _neighbours() -> dict[str, frozenset[str]]:
    """The keys around each key of a QWERTY keyboard."""
    places = {key: (row, column) for row, keys in enumerate(_ROWS) for column, key in enumerate(keys)}
    return {
        key: frozenset(
            other
            for other, (at, beside) in places.items()
            if other != key and abs(at - row) <= 1 and abs(beside + at / 2 - column - row / 2) <= 1
        )
        for key, (row, column) in places.items()
    }


_NEAR = _neighbours()


class Typos:
    """Corrects words by ``counts``, how often each word occurs. A common word of another language, one of
    ``foreign``, is no typo."""

    def __init__(self, counts: Mapping[str, int], foreign: Callable[[], frozenset[str]] = frozenset) -> None:
        self._counts = counts
        self._foreign = foreign

    def known(self, word: str) -> bool:
        """Whether ``word``, in lower case, is a word."""
        return word in self._counts

    def common(self, word: str) -> bool:
        """Whether ``word`` is a common one."""
        return self._counts.get(word, 0) >= COMMON

    def meant(self, word: str) -> str:
        """The word that was meant by ``word``, in lower case; empty: it is a word, or nothing is certain."""
        if len(word) < LEAST_LETTERS or not word.isascii() or not word.isalpha() or self._spelt(word):
            return ""
        found: dict[str, float] = {}
        for candidate, slip, weight in _slips(word):
            count = self._counts.get(candidate, 0)
            if count >= _least(slip, len(word)) and candidate.isalpha():
                found[candidate] = max(found.get(candidate, 0.0), count * weight)
        if not found or word in self._foreign():
            return ""
        best, *rest = sorted(found.values(), reverse=True)
        if rest and best < MARGIN * rest[0]:
            return ""
        return max(found, key=lambda each: found[each])

    def _spelt(self, word: str) -> bool:
        """Whether it is a word, in the spelling of some country, or a plural of one."""
        if word in self._counts or (word.endswith("s") and word[:-1] in self._counts):
            return True
        return any(theirs in word and word.replace(theirs, ours) in self._counts for theirs, ours in _BRITISH)


def _least(slip: Slip, letters: int) -> int:
    """How often a word must occur for a word of so many letters to be taken for it. A short word that nobody knows is
    rather a name: only swapped letters are certain."""
    if letters == LEAST_LETTERS:
        return COMMON if slip == "swapped" else _NEVER
    if letters == LEAST_LETTERS + 1:
        return COMMON if slip in ("swapped", "doubled") else 10 * COMMON
    return COMMON


def _slips(word: str) -> Iterator[tuple[str, Slip, float]]:
    """What may have been typed as ``word`` by one slip, with how likely that slip is. First letters are hardly ever
    wrong, except when two are swapped."""
    for at in range(len(word)):
        head, tail = word[:at], word[at + 1 :]
        if tail and word[at] != tail[0]:
            yield head + tail[0] + word[at] + tail[1:], "swapped", 1.0
        if at:
            if word[at] == word[at - 1]:
                yield head + tail, "doubled", 1.0
            elif word[at] in _NEAR.get(word[at - 1], "") or word[at] in _NEAR.get(tail[:1], ""):
                yield head + tail, "more", 0.5
            for letter in string.ascii_lowercase:
                near = letter in _NEAR.get(word[at], "") or (letter in _VOWELS and word[at] in _VOWELS)
                if near and letter != word[at]:
                    yield head + letter + tail, "other", 0.5
    for at in range(1, len(word) + 1):
        for letter in string.ascii_lowercase:
            if letter == word[at - 1]:
                yield word[:at] + letter + word[at:], "doubled", 0.7
            else:
                yield word[:at] + letter + word[at:], "less", 0.3


@lru_cache(maxsize=1)
def english() -> Typos:
    """The words of English, read once: 160,000 of them."""
    return Typos(_words("en"), foreign)


@lru_cache(maxsize=1)
def foreign() -> frozenset[str]:
    """The common words of German, French and Spanish, read at the first typo."""
    return frozenset(
        word
        for language in ("de", "fr", "es")
        for word, _ in Counter(_words(language)).most_common(_FOREIGN)
        if len(word) >= LEAST_LETTERS
    )


def _words(language: str) -> dict[str, int]:
    from spellchecker import SpellChecker

    return dict(SpellChecker(language=language).word_frequency.dictionary)
