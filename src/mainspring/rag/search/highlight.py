"""Highlights: where a passage has the words of a query, in whatever form, and the part of it to show.

Offsets are exact character offsets into the text that was given.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence, Set
from dataclasses import dataclass

from cachetools import LRUCache

from mainspring.rag.text import sentences, terms

Span = tuple[int, int]
# The same passages are found again and again, and splitting them into sentences is most of the work.
_remembered: LRUCache[bytes, frozenset[int]] = LRUCache(4096)
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Snippet:
    """``text[start:end]`` of a passage; ``spans`` are the matched words within it, as offsets into the passage."""

    start: int
    end: int
    spans: tuple[Span, ...]


def shown(asked: Set[str], text: str, most: int = 240) -> tuple[list[Span], Snippet]:
    """The words of ``text`` whose stem is in ``asked`` (``terms.content`` of a query), in order; and its part, up to
    ``most`` characters, with the most of them.

    The part starts at a sentence if one that fits contains as many, else at a word, and ends at the end of a word.
    """
    found = [(word, start, end) for word, start, end in terms.located(text) if word in asked]
    return [(start, end) for _, start, end in found], _snippet(found, text, most)


def _starts(text: str) -> frozenset[int]:
    """Where sentences begin. Of a passage only a digest is kept: it may be deleted."""
    key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    with _lock:
        known: frozenset[int] | None = _remembered.get(key)
    if known is None:
        known = frozenset({sentence.start for sentence in sentences.split(text)} | {0})
        with _lock:
            _remembered[key] = known
    return known


def _snippet(found: Sequence[tuple[str, int, int]], text: str, most: int) -> Snippet:
    if not found:
        return Snippet(0, _word_end(text, 0, most), ())
    starts = _starts(text)
    begins = sorted(starts | {start for _, start, _ in found})
    best, best_value = 0, (-1, -1, False)
    for begin in begins:
        inside = [word for word, start, end in found if start >= begin and end <= begin + most]
        value = (len(set(inside)), len(inside), begin in starts)
        if value > best_value:
            best, best_value = begin, value
    end = _word_end(text, best, most)
    return Snippet(best, end, tuple((a, b) for _, a, b in found if a >= best and b <= end))


def marked(text: str, found: Sequence[Span], before: str = "**", after: str = "**") -> str:
    """``text`` with marks around ``found``, which are in order and do not overlap."""
    parts, place = [], 0
    for start, end in found:
        parts += [text[place:start], before, text[start:end], after]
        place = end
    return "".join([*parts, text[place:]])


def _word_end(text: str, begin: int, most: int) -> int:
    end = min(len(text), begin + most)
    if end == len(text) or text[end].isspace():
        return end
    cut = max((place for place in range(begin, end) if text[place].isspace()), default=-1)
    return end if cut <= begin else cut
