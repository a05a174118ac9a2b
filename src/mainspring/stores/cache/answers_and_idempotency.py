"""The answer cache and the answers under ``Idempotency-Key`` as one store: erasing removes from both."""

from __future__ import annotations

from mainspring.stores.cache.answers import AnswerStore
from mainspring.stores.cache.idempotency import Repeats


class CacheAndRepeats:
    """Implements ``AnswerStore``: reads and writes are the cache's."""

    def __init__(self, cache: AnswerStore, repeats: Repeats) -> None:
        self.cache = cache
        self.repeats = repeats
        self.get = cache.get
        self.put = cache.put
        self.delete = cache.delete
        self.compact = cache.compact
        self.close = cache.close

    async def invalidate(self, tag: str) -> int:
        """Drop every entry with this tag; returns their number."""
        return await self.cache.invalidate(tag) + await self.repeats.invalidate(tag)

    async def count(self, tag: str) -> int:
        """How many entries carry this tag."""
        return await self.cache.count(tag) + await self.repeats.count(tag)

    async def expire(self) -> int:
        """Drop expired entries; returns their number."""
        return await self.cache.expire() + await self.repeats.expire()
