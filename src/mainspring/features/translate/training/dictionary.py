"""The floor of a translator: a dictionary that is learned of the same pairs, word by word.

IBM's model 1 (Brown et al. 1993) by expectation maximisation; the order of words stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


class Dictionary:
    """The likeliest word for each word of the source, from pairs of sentences; at most ``most`` pairs are read."""

    def __init__(self, pairs: Iterable[tuple[str, str]], *, rounds: int = 5, most: int = 60_000) -> None:
        sources: dict[str, int] = {}
        targets: dict[str, int] = {}
        left: list[int] = []
        right: list[int] = []
        place: list[int] = []
        at = 0
        for number, (source, target) in enumerate(pairs):
            if number == most:
                break
            own = [sources.setdefault(each, len(sources)) for each in _words(source)]
            for each in _words(target):
                word = targets.setdefault(each, len(targets))
                left += own
                right += [word] * len(own)
                place += [at] * len(own)
                at += 1
        self._best: dict[str, str] = {}
        if not at:
            return
        first, second, of = np.array(left), np.array(right), np.array(place)
        combined, inverse = np.unique(first.astype(np.int64) * len(targets) + second, return_inverse=True)
        likely = np.ones(len(combined))
        own_word = combined // len(targets)
        for _ in range(rounds):
            weight = likely[inverse]
            weight = weight / np.bincount(of, weight)[of]
            counts = np.bincount(inverse, weight)
            likely = counts / np.bincount(own_word, counts)[own_word]
        names = list(targets)
        words = list(sources)
        order = np.lexsort((likely, own_word))
        last = np.append(own_word[order][1:] != own_word[order][:-1], True)
        for each in order[last]:
            self._best[words[int(own_word[each])]] = names[int(combined[each] % len(targets))]

    def translate(self, sentence: str) -> str:
        """Word by word; what is not known stays."""
        said = ""
        for found in _WORD.finditer(sentence):
            known = self._best.get(found.group().lower(), found.group())
            shown = known.capitalize() if found.group()[:1].isupper() else known
            said += shown if not said or not shown[:1].isalnum() else f" {shown}"
        return said


def _words(sentence: str) -> Sequence[str]:
    return [each.lower() for each in _WORD.findall(sentence)]
