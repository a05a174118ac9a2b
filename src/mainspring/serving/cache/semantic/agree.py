"""The rules that two questions must satisfy before they count as the same; each gives a reason if they do not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import mainspring.serving.cache.semantic.lexicon as lexicon
from mainspring.serving.cache.semantic.reading import Reading, Word, stem

_OPPOSITE: dict[str, set[str]] = {}
for _one, _other in lexicon.OPPOSITES:
    _OPPOSITE.setdefault(stem(_one), set()).add(stem(_other))
    _OPPOSITE.setdefault(stem(_other), set()).add(stem(_one))
_LIGHT = lexicon.LIGHT | {""}
# Questions that ask the same of everybody: "how do I", "how do you", "how to".
_OF_ANYBODY = ("how", "where")


@dataclass(frozen=True, slots=True)
class Match:
    """The alignment of two questions' words: ``pairs`` of indices, and the remaining words on each side."""

    pairs: tuple[tuple[int, int], ...]
    left: tuple[int, ...]
    right: tuple[int, ...]


def match(one: Reading, other: Reading) -> Match | str:
    """The words that both have, in one order; or why these cannot be the same question."""
    if one.asks != other.asks:
        return "question"
    if one.tense != other.tense:
        return "tense"
    if one.speaks != other.speaks and one.asks not in _OF_ANYBODY:
        return "person"
    common = Counter(word.stem for word in one.words) & Counter(word.stem for word in other.words)
    first, second = _take(one.words, common), _take(other.words, common)
    over, beyond = _lone(one.words, first), _lone(other.words, second)
    left, right = [one.words[index] for index in over], [other.words[index] for index in beyond]
    if any(word.fixed for word in (*left, *right)):
        return "fixed"
    if any(word.stem in one.names for word in left) or any(word.stem in other.names for word in right):
        return "names"
    if any(_opposed(word.lower, each.lower) for word in left for each in right):
        return "opposites"
    pairs = tuple(zip(sorted(first), sorted(second), strict=True))
    if any(one.words[at].stem != other.words[to].stem for at, to in pairs):
        return "order"
    if not all(_roles_agree(one.words[at].role, other.words[to].role) for at, to in pairs):
        return "roles"
    if any(one.words[at].passive != other.words[to].passive for at, to in pairs):
        return "voice"
    return Match(pairs, over, beyond)


def _opposed(one: str, other: str) -> bool:
    """Whether one word is the other's opposite, by itself, by a prefix that denies it, or in a part of a compound."""
    if stem(other) in _OPPOSITE.get(stem(one), set()):
        return True
    if any(prefix + rest == whole for whole, rest in ((one, other), (other, one)) for prefix in lexicon.DENYING):
        return True
    if one.endswith("est") and other.endswith("est") and {one, other} != {"biggest", "largest"}:
        # Two superlatives may be opposite ends of one scale.
        return True
    parts, others = one.split("-"), other.split("-")
    # "lowest-ranked" and "highest-ranked", "non-Chinese" and "non-Japanese": a compound may hide anything.
    return (len(parts) > 1 or len(others) > 1) and "".join(parts) != "".join(others)


def _lone(words: tuple[Word, ...], taken: set[int]) -> tuple[int, ...]:
    return tuple(index for index, word in enumerate(words) if index not in taken and not word.optional)


def _take(words: tuple[Word, ...], common: Counter[str]) -> set[int]:
    left = Counter(common)
    taken = set()
    for index, word in enumerate(words):
        if left[word.stem] > 0:
            left[word.stem] -= 1
            taken.add(index)
    return taken


def _roles_agree(one: str, other: str) -> bool:
    if one == other or {one, other} == {"", "to"}:
        return True
    # Other words may be swapped, but "from" and "to" decide what a question means.
    return one in _LIGHT and other in _LIGHT
