"""Sentences and words of messages, for summaries and recall."""

from __future__ import annotations

import re
import threading
from collections import Counter

from cachetools import LRUCache

from mainspring.stores.vectors.segmentation import segmented

_SENTENCE = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])|\n+")
_WORD = re.compile(r"\w+(?:['’]\w+)?")
_STOP = frozenset(
    "a an and are as at be been but by can could did do does for from had has have he her him his how i if in is it "
    "its just me my of on or our she should so some such than that the their them then there these they this those "
    "to too us very was we were what when where which who why will with would you your i'm i've i'd i'll it's that's "
    "don't ok okay yes no not please thanks thank".split()
)
# Distinct words of all texts with cached words.
_KEPT = 1_000_000


def sentences(text: str) -> list[str]:
    """The sentences of ``text``, without white space around them."""
    return [part for each in _SENTENCE.split(text) if each and (part := each.strip())]


def words(text: str) -> list[str]:
    """The content words of ``text`` in lower case, without a plural's or genitive's ending, repetitions included."""
    found = (match.lower().replace("’", "'") for match in _WORD.findall(segmented(text)))
    return [_stem(word) for word in found if word not in _STOP]


class TermCounts:
    """How often each content word is in a text. Counted once a text: a conversation is read again at each of its turns.

    Kept under the text's sha256, so that nothing of an erased text can be read from here.
    """

    def __init__(self, most: int = _KEPT) -> None:
        self._found: LRUCache[str, Counter[str]] = LRUCache(most, getsizeof=lambda bag: 1 + len(bag))
        # Conversations are ranked in several threads, which share the cache.
        self._lock = threading.Lock()

    def __call__(self, text: str, digest: str) -> Counter[str]:
        with self._lock:
            found = self._found.get(digest)
        if found is None:
            found = Counter(words(text))
            if len(found) < self._found.maxsize:
                with self._lock:
                    self._found[digest] = found
        return found


def _stem(word: str) -> str:
    word = word.removesuffix("'s")
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    for ending in ("ing", "ed"):
        if len(word) > len(ending) + 3 and word.endswith(ending):
            return word.removesuffix(ending)
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
