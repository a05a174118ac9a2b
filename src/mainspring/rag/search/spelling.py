"""Spelling: words of a query that the documents do not have, and the words of theirs that were probably meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rapidfuzz import process
from rapidfuzz.distance import OSA

from mainspring.rag.ingest.vocabulary import Vocabulary
from mainspring.rag.text import terms

_WORD = re.compile(r"(?<!\w)[^\W\d_]+(?:['’][^\W\d_]+)?(?!\w)")
_SHORTEST, _LONG, _LONGEST = 4, 8, 40
_HALF = 3
_TWO = 2
# Each word is compared with most words of the documents, so only the first ones of a query are.
_MOST_WORDS = 16

Count = Callable[[Sequence[str]], Sequence[int]]
"""Token counts of texts, in the vocabulary of a model that was trained on much text."""


@dataclass(frozen=True, slots=True)
class Correction:
    """``written`` at ``[start:end]`` of the query probably means ``meant``."""

    written: str
    meant: str
    start: int
    end: int


def correct(query: str, vocabulary: Vocabulary, count_tokens: Count) -> tuple[str, list[Correction]]:
    """``query`` with its misspelt words replaced, and the replacements.

    A word counts as misspelt if it has at least four letters, the documents have it in no form, and it is not one token
    to ``count_tokens``: a common word is meant as written. It is replaced by the nearest word of the documents within
    one edit (two from eight letters on; swapped neighbours are one edit), the most frequent of equally near ones, or by
    two of their words joined. Names in capitals and words with digits stay. The first 16 such words are checked.
    """
    found = [match for match in _WORD.finditer(query) if _suspicious(match.group(), vocabulary)][:_MOST_WORDS]
    if not found:
        return query, []
    single, *counts = count_tokens(["a", *(match.group().lower() for match in found)])
    corrections = []
    for match, count in zip(found, counts, strict=True):
        if count <= single:
            continue
        meant = _nearest(match.group().lower(), vocabulary)
        if meant:
            corrections.append(Correction(match.group(), _cased(match.group(), meant), match.start(), match.end()))
    parts, place = [], 0
    for each in corrections:
        parts += [query[place : each.start], each.meant]
        place = each.end
    return "".join([*parts, query[place:]]), corrections


def _suspicious(word: str, vocabulary: Vocabulary) -> bool:
    lower = word.lower().replace("’", "'")
    if not _SHORTEST <= len(word) <= _LONGEST or word.isupper() or terms.stops(lower):
        return False
    return not vocabulary.knows(lower)


def _nearest(word: str, vocabulary: Vocabulary) -> str:
    most = 1 if len(word) < _LONG else 2
    near: list[tuple[float, int, str]] = []
    for length in range(len(word) - most, len(word) + most + 1):
        choices = vocabulary.by_length.get(length, ())
        found = process.extract_iter(word, choices, scorer=OSA.distance, score_cutoff=most)
        for meant, distance, _ in found:
            # People get the first letter right; two edits there make another word ("uncontrolled", "controlled").
            if len(meant) >= _SHORTEST and (distance < _TWO or meant[0] == word[0]):
                near.append((distance + 0.5 * (meant[0] != word[0]), -vocabulary.counts[meant], meant))
    if near and min(near)[0] <= 1:
        return min(near)[2]
    return _apart(word, vocabulary) or (min(near)[2] if near else "")


def _apart(word: str, vocabulary: Vocabulary) -> str:
    counts = vocabulary.counts
    pairs = [(word[:cut], word[cut:]) for cut in range(_HALF, len(word) - _HALF + 1)]
    known = [pair for pair in pairs if counts.get(pair[0], 0) > 1 and counts.get(pair[1], 0) > 1]
    if not known:
        return ""
    one, other = max(known, key=lambda pair: min(counts[pair[0]], counts[pair[1]]))
    return f"{one} {other}"


def _cased(written: str, meant: str) -> str:
    return meant.capitalize() if written[0].isupper() else meant
