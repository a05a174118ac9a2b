"""The words of a collection, with counts and the acronyms that its texts explain, as some groups may see them.

A vocabulary contains only words of documents that a search for the same groups would read: a suggestion cannot reveal a
word of another document. Counts are cached per text, so that a changed collection costs only its changed documents.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cachetools import LRUCache

from mainspring.core.errors import NotFound
from mainspring.rag.query import acronyms
from mainspring.rag.search.scope import Groups, Scopes
from mainspring.rag.text import terms
from mainspring.stores.documents.collections import Collection

# A vocabulary is read from at most this many characters of text: few new words come after that.
_MOST_CHARACTERS = 20_000_000
# Kept counts of single texts, in distinct words, and whole vocabularies.
_MOST_WORDS = 4_000_000
_VOCABULARIES = 32
_LONGEST_WORD = 40


@dataclass(frozen=True)
class Vocabulary:
    """``counts`` of each word (lower case) over all documents; ``expansions`` of each acronym, most frequent first."""

    counts: Mapping[str, int]
    expansions: Mapping[str, tuple[str, ...]]

    @cached_property
    def stems(self) -> frozenset[str]:
        """The stems of all words."""
        return frozenset(map(terms.stem, self.counts))

    @cached_property
    def by_length(self) -> Mapping[int, Sequence[str]]:
        """The words of each length."""
        found: dict[int, list[str]] = {}
        for word in self.counts:
            found.setdefault(len(word), []).append(word)
        return found

    @cached_property
    def meanings(self) -> Mapping[tuple[str, ...], str]:
        """The acronym of each long form, by the stems of its words."""
        return acronyms.meanings(self.expansions)

    def knows(self, word: str) -> bool:
        """Whether the documents have ``word`` (lower case) in some form."""
        return word in self.counts or terms.stem(word) in self.stems


@dataclass(frozen=True, slots=True)
class _Counted:
    words: Mapping[str, int]
    explained: tuple[tuple[str, str], ...]


class Vocabularies:
    """Makes vocabularies of collections; ``text`` reads the parsed text of a blob."""

    def __init__(self, scopes: Scopes, text: Callable[[str], Awaitable[str]]) -> None:
        self._scopes = scopes
        self._text = text
        self._counted: LRUCache[str, _Counted] = LRUCache(_MOST_WORDS, getsizeof=lambda each: len(each.words) + 1)
        # By the texts themselves, in order: no change of a collection can come in between.
        self._made: LRUCache[tuple[str, ...], Vocabulary] = LRUCache(_VOCABULARIES)
        self._making = asyncio.Lock()

    async def of(self, collections: Sequence[Collection], groups: Groups) -> Vocabulary:
        """The vocabulary of all ``collections`` together, as ``groups`` may see it."""
        found = [await self._one(collection, groups) for collection in collections]
        return found[0] if len(found) == 1 else await asyncio.to_thread(_joined, found)

    async def _one(self, collection: Collection, groups: Groups) -> Vocabulary:
        chosen, characters = [], 0
        for document in await self._scopes.documents(collection, groups):
            if characters >= _MOST_CHARACTERS:
                break
            characters += document.chars
            chosen.append(document.text_blob)
        key = tuple(chosen)
        if key in self._made:
            return self._made[key]
        async with self._making:
            if key not in self._made:
                counted = [await self._count(text_blob) for text_blob in chosen]
                self._made[key] = await asyncio.to_thread(_summed, counted)
            return self._made[key]

    async def _count(self, text_blob: str) -> _Counted:
        counted = self._counted.get(text_blob)
        if counted is None:
            try:
                text = await self._text(text_blob)
            except NotFound:
                # Removed since the documents were listed; the next version has no such document.
                return _Counted({}, ())
            counted = await asyncio.to_thread(_counted, text)
            if len(counted.words) < _MOST_WORDS:
                self._counted[text_blob] = counted
        return counted


def _counted(text: str) -> _Counted:
    words = Counter(word for word in terms.plain(text) if len(word) <= _LONGEST_WORD)
    return _Counted(dict(words), tuple(acronyms.explained(text)))


def _summed(counted: Sequence[_Counted]) -> Vocabulary:
    words: Counter[str] = Counter()
    explained: dict[str, Counter[str]] = {}
    for each in counted:
        words.update(each.words)
        for short, long in each.explained:
            explained.setdefault(short, Counter())[long] += 1
    return Vocabulary(
        dict(words),
        {short: tuple(long for long, _ in counts.most_common(3)) for short, counts in explained.items()},
    )


def _joined(vocabularies: Sequence[Vocabulary]) -> Vocabulary:
    words: Counter[str] = Counter()
    expansions: dict[str, dict[str, None]] = {}
    for each in vocabularies:
        words.update(each.counts)
        for short, longs in each.expansions.items():
            expansions.setdefault(short, {}).update(dict.fromkeys(longs))
    return Vocabulary(dict(words), {short: tuple(longs)[:3] for short, longs in expansions.items()})
