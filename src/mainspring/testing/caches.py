"""The contract of answer caches."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from mainspring.stores.cache.answers import AnswerStore


@pytest.mark.asyncio
class CacheSuite:
    """A subclass has a fixture ``cache``, which gives one that keeps ``limit`` entries. A stored value is written
    within ``written_s`` seconds, and the cache may exceed its limit by up to ``slack`` entries for a while."""

    limit = 1100
    written_s = 0.0
    slack = 0

    @pytest.fixture
    def name(self) -> str:
        """A prefix of the test's own: the server may be used by others."""
        return uuid.uuid4().hex

    async def test_values_come_back_and_are_replaced(self, cache: AnswerStore, name: str) -> None:
        assert await cache.get(name) is None
        await cache.put(name, b"one\0\xff", 60)
        assert await cache.get(name) == b"one\0\xff"
        await cache.put(name, b"two", 60)
        assert await cache.get(name) == b"two"

    async def test_values_end(self, cache: AnswerStore, name: str) -> None:
        tag = f"tag-{name}"
        await cache.put(f"{name}-a", b"v", 0.0)
        await cache.put(f"{name}-b", b"v", 0.05, frozenset({tag}))
        await asyncio.sleep(0.15)
        assert await cache.get(f"{name}-a") is None
        assert await cache.get(f"{name}-b") is None
        assert await cache.count(tag) == 0

    async def test_a_tag_drops_what_carries_it_and_nothing_else(self, cache: AnswerStore, name: str) -> None:
        x, y = f"x-{name}", f"y-{name}"
        await cache.put(f"{name}-1", b"1", 60, frozenset({x, y}))
        await cache.put(f"{name}-2", b"2", 60, frozenset({y}))
        await asyncio.sleep(self.written_s)
        await cache.put(f"{name}-3", b"3", 60, frozenset({x}))
        assert (await cache.count(x), await cache.count(y)) == (2, 2)
        assert await cache.invalidate(x) == 2
        assert [await cache.get(f"{name}-{n}") for n in (1, 2, 3)] == [None, b"2", None]
        assert (await cache.count(x), await cache.count(y)) == (0, 1)
        assert await cache.invalidate(x) == 0

    async def test_a_replaced_entry_has_its_new_tags_only(self, cache: AnswerStore, name: str) -> None:
        x, y = f"x-{name}", f"y-{name}"
        await cache.put(name, b"old", 60, frozenset({x}))
        await asyncio.sleep(self.written_s)
        await cache.put(name, b"new", 60, frozenset({y}))
        await cache.invalidate(x)
        assert await cache.get(name) == b"new"
        await cache.invalidate(y)
        assert await cache.get(name) is None

    @pytest.mark.parametrize("written", [False, True])
    async def test_one_entry_is_dropped(self, cache: AnswerStore, name: str, written: bool) -> None:
        await cache.put(f"{name}-1", b"1", 60, frozenset({name}))
        await cache.put(f"{name}-2", b"2", 60, frozenset({name}))
        if written:
            await asyncio.sleep(self.written_s)
        assert await cache.delete(f"{name}-1")
        assert not await cache.delete(f"{name}-1")
        assert [await cache.get(f"{name}-{n}") for n in (1, 2)] == [None, b"2"]
        await asyncio.sleep(self.written_s)
        assert await cache.get(f"{name}-1") is None
        assert await cache.count(name) == 1

    async def test_the_oldest_leave_when_there_are_too_many(self, cache: AnswerStore, name: str) -> None:
        for n in range(2 * self.limit):
            await cache.put(f"{name}-{n}", b"v", 60, frozenset({name}))
            if n % 200 == 0:
                await asyncio.sleep(self.written_s)
        await asyncio.sleep(self.written_s)
        assert self.limit // 2 <= await cache.count(name) <= self.limit + self.slack
        assert await cache.get(f"{name}-{2 * self.limit - 1}") == b"v"

    async def test_everything_at_once(self, cache: AnswerStore, name: str) -> None:
        async def one(n: int) -> None:
            await cache.put(f"{name}-{n}", str(n).encode(), 60, frozenset({name}))
            assert await cache.get(f"{name}-{n}") == str(n).encode()

        await asyncio.gather(*(one(n) for n in range(100)))
        assert await cache.invalidate(name) == 100
        assert {await cache.get(f"{name}-{n}") for n in range(100)} == {None}
        await cache.compact()
