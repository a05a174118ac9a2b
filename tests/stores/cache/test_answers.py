"""The answer cache: times, tags, bounds, and a file that may break."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.core.errors import StoreError
from mainspring.stores.cache import answers as module
from mainspring.stores.cache.answers import AnswerCache


@pytest.fixture
async def cache(tmp_path: Path) -> AsyncIterator[AnswerCache]:
    made = AnswerCache(tmp_path / "cache.db", 100)
    yield made
    await made.close()


async def reopened(cache: AnswerCache, tmp_path: Path) -> AnswerCache:
    await cache.close()
    return AnswerCache(tmp_path / "cache.db", 100)


async def test_values_come_back_from_memory_and_file(cache: AnswerCache, tmp_path: Path) -> None:
    assert await cache.get("k") is None
    await cache.put("k", b"v", 60)
    assert await cache.get("k") == b"v"
    await cache.put("k", b"w", 60)
    again = await reopened(cache, tmp_path)
    assert await again.get("k") == b"w"
    await again.close()


async def test_values_end(cache: AnswerCache, tmp_path: Path) -> None:
    await cache.put("k", b"v", 0.0)
    assert await cache.get("k") is None
    again = await reopened(cache, tmp_path)
    assert await again.get("k") is None
    await again.close()


async def test_a_tag_drops_what_carries_it(cache: AnswerCache, tmp_path: Path) -> None:
    await cache.put("one", b"1", 60, frozenset({"x", "y"}))
    await cache.put("two", b"2", 60, frozenset({"y"}))
    await asyncio.sleep(module.FLUSH_S * 3)
    await cache.put("three", b"3", 60, frozenset({"x"}))
    await cache.invalidate("x")
    again = await reopened(cache, tmp_path)
    assert [await again.get(key) for key in ("one", "two", "three")] == [None, b"2", None]
    await again.invalidate("y")
    assert await again.get("two") is None
    await again.close()


async def test_a_read_that_overtakes_an_invalidation_is_not_remembered(cache: AnswerCache, tmp_path: Path) -> None:
    await cache.put("k", b"old", 60, frozenset({"x"}))
    again = await reopened(cache, tmp_path)
    await asyncio.gather(again.get("k"), again.invalidate("x"))
    assert await again.get("k") is None
    await again.close()


async def test_a_replaced_entry_loses_its_old_tags(cache: AnswerCache, tmp_path: Path) -> None:
    await cache.put("k", b"old", 60, frozenset({"x"}))
    await asyncio.sleep(module.FLUSH_S * 3)
    await cache.put("k", b"new", 60, frozenset({"y"}))
    again = await reopened(cache, tmp_path)
    await again.invalidate("x")
    assert await again.get("k") == b"new"
    await again.close()


async def test_the_file_is_bounded(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "cache.db", 10)
    for n in range(module.PRUNE_EVERY + 10):
        await cache.put(f"k{n}", b"v", 60, frozenset({"t"}))
        if n % 100 == 0:
            await asyncio.sleep(module.FLUSH_S * 2)
    await cache.close()
    again = AnswerCache(tmp_path / "cache.db", 10)
    kept = [n for n in range(module.PRUNE_EVERY + 10) if await again.get(f"k{n}") is not None]
    assert 0 < len(kept) <= 120
    assert max(kept) == module.PRUNE_EVERY + 9
    await again.close()


async def test_memory_is_bounded_by_bytes(cache: AnswerCache) -> None:
    for n in range(30):
        await cache.put(f"k{n}", bytes(module.MEMORY_BYTES // 20), 60)
    assert cache._memory.currsize <= module.MEMORY_BYTES
    await cache.put("huge", bytes(module.MEMORY_BYTES + 1), 60)
    assert cache._memory.get("huge") is None
    assert len(await cache.get("huge") or b"") == module.MEMORY_BYTES + 1


@pytest.mark.parametrize("damage", [b"garbage " * 1000, b"", b"SQLite format 3\0" + b"\xff" * 4080])
async def test_a_broken_file_is_begun_anew(tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "cache.db").write_bytes(damage)
    with caplog.at_level(logging.WARNING):
        cache = AnswerCache(tmp_path / "cache.db", 100)
        assert await cache.get("k") is None
    assert ("created again" in caplog.text) == bool(damage)
    await cache.put("k", b"v", 60)
    again = await reopened(cache, tmp_path)
    assert await again.get("k") == b"v"
    await again.close()


async def test_a_file_of_another_version_is_begun_anew(
    cache: AnswerCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cache.put("k", b"v", 60)
    await cache.close()
    monkeypatch.setattr(module, "VERSION", 2)
    again = AnswerCache(tmp_path / "cache.db", 100)
    assert await again.get("k") is None
    await again.close()


async def test_a_file_that_cannot_be_opened_counts_as_empty(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = AnswerCache(tmp_path / "absent" / "cache.db", 100)
    assert await cache.get("k") is None
    await cache.put("k", b"v", 60)
    assert await cache.get("k") == b"v"
    with pytest.raises(StoreError):
        await cache.invalidate("x")
    await cache.close()
    assert "not read" in caplog.text
    assert "not cached" in caplog.text


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abc"), st.frozensets(st.sampled_from("xy"))),
        st.tuples(st.just("drop"), st.sampled_from("xy"), st.just(frozenset[str]())),
        st.tuples(st.just("reopen"), st.just(""), st.just(frozenset[str]())),
    ),
    max_size=12,
)


@settings(max_examples=30, deadline=None)
@given(steps=_STEPS)
def test_it_behaves_like_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, frozenset[str]]]
) -> None:
    directory = tmp_path_factory.mktemp("cache")

    async def run() -> None:
        cache = AnswerCache(directory / "cache.db", 100)
        expected: dict[str, tuple[bytes, frozenset[str]]] = {}
        for number, (verb, name, tags) in enumerate(steps):
            if verb == "put":
                expected[name] = (str(number).encode(), tags)
                await cache.put(name, expected[name][0], 60, tags)
            elif verb == "drop":
                expected = {key: each for key, each in expected.items() if name not in each[1]}
                await cache.invalidate(name)
            else:
                await cache.close()
                cache = AnswerCache(directory / "cache.db", 100)
            for key in "abc":
                assert await cache.get(key) == expected.get(key, (None,))[0]
        await cache.close()

    asyncio.run(run())
