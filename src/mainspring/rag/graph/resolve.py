"""Matches names of the same entity: case, plural, article, acronym, alias, and cautiously misspellings.

The result depends only on the set of names and aliases, not on their order, and resolving twice changes nothing. Names
that differ in a number or in a model's designation are never joined by spelling.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import combinations

from rapidfuzz.distance import OSA

from mainspring.rag.graph.read.graph_model import Kind

_PART = re.compile(r"[^\W_]+")
_ARTICLES = frozenset(("the", "a", "an"))
_PLURAL: frozenset[Kind] = frozenset(("term", "phrase", "acronym", "code"))
# Minimum length of a word for which one wrong letter in its middle is more likely a slip than another name.
_LONG = 8
_LONGEST_WORD = 24
_MOST_ALIKE = 50


def key(name: str, kind: Kind) -> str:
    """The common key of names that differ in case, punctuation, a leading article or a possessive; for terms, phrases
    and acronyms also in the plural. Equal keys show equal spelling, which does not always mean the same entity."""
    words = _PART.findall(name.casefold().replace("’", "'").replace("'s", ""))
    if len(words) > 1 and words[0] in _ARTICLES:
        words = words[1:]
    if words and kind in _PLURAL:
        words[-1] = singular(words[-1])
    return " ".join(words)


def singular(word: str) -> str:
    """``word`` (lower case) without a plural's ending."""
    if len(word) < 4 or not word.isalpha() or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses", "zes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") else word


def resolve(
    counts: Mapping[str, int], aliases: Iterable[tuple[str, str]] = (), shorts: Iterable[tuple[str, str]] = ()
) -> dict[str, str]:
    """The representative of each of the keys ``counts`` (with the number of mentions): of those that are the same, the
    most frequent. ``aliases`` are pairs of keys that a text equates; ``shorts`` are (acronym, long form), and count if
    all texts agree."""
    sets = _Sets(counts)
    for one, other in aliases:
        if one in counts and other in counts:
            sets.join(one, other)
    for word in counts:
        # A name in the plural and its term: "Trail Trials", "trail trial".
        single = " ".join([*word.split()[:-1], singular(word.split()[-1])]) if word else word
        if single != word and single in counts and " " in single and not _numbers(word):
            sets.join(word, single)
    for one, other in _slips(counts):
        sets.join(one, other)
    meanings: dict[str, set[str]] = defaultdict(set)
    for short, long in shorts:
        if short in counts and long in counts:
            meanings[short].add(long)
    while True:
        # All pairs are judged before any is joined; a join may decide others.
        agreed = [short for short, longs in meanings.items() if len({sets.root(long) for long in longs}) == 1]
        for short in agreed:
            for long in meanings.pop(short):
                sets.join(short, long)
        if not agreed:
            break
    return sets.representatives()


def _slips(counts: Mapping[str, int]) -> set[tuple[str, str]]:
    """Pairs of keys that differ by one slip inside one long word of letters, all other words being equal."""
    near: dict[str, list[str]] = defaultdict(list)
    for word in counts:
        parts = word.split()
        for place, part in enumerate(parts):
            if _LONG <= len(part) <= _LONGEST_WORD and part.isalpha():
                rest = " ".join([*parts[:place], "", *parts[place + 1 :]])
                for cut in range(1, len(part) - 2):
                    near[f"{place} {rest} {part[:cut]}{part[cut + 1 :]}"].append(word)
                near[f"{place} {rest} {part}"].append(word)
    pairs: set[tuple[str, str]] = set()
    for alike in near.values():
        few = sorted(set(alike))[:_MOST_ALIKE]
        pairs.update((one, other) for one, other in combinations(few, 2) if _slip(one, other))
    return pairs


def _slip(one: str, other: str) -> bool:
    differing = [(a, b) for a, b in zip(one.split(), other.split(), strict=False) if a != b]
    if len(one.split()) != len(other.split()) or len(differing) != 1:
        return False
    a, b = differing[0]
    if not (a.isalpha() and b.isalpha()) or min(len(a), len(b)) < _LONG or a[0] != b[0] or a[-2:] != b[-2:]:
        return False
    return OSA.distance(a, b, score_cutoff=1) <= 1


def _numbers(word: str) -> bool:
    return any(letter.isdigit() for letter in word)


class _Sets:
    """Disjoint sets of keys."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts
        self._parent: dict[str, str] = {}

    def root(self, word: str) -> str:
        parent = self._parent
        while word in parent:
            above = parent[word]
            if above in parent:
                parent[word] = parent[above]
            word = above
        return word

    def join(self, one: str, other: str) -> None:
        one, other = self.root(one), self.root(other)
        if one != other:
            self._parent[max(one, other)] = min(one, other)

    def representatives(self) -> dict[str, str]:
        members: dict[str, list[str]] = defaultdict(list)
        for word in self._counts:
            members[self.root(word)].append(word)
        best = {root: min(found, key=lambda each: (-self._counts[each], each)) for root, found in members.items()}
        return {word: best[self.root(word)] for word in self._counts}
