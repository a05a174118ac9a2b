"""The Redis client: what it says when the server is away, how fast it says so, and how it comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mainspring import stores
from mainspring.core.errors import SettingsError, StoreError
from mainspring.core.settings import Settings, StoresSettings, load
from mainspring.stores.cache.answers_redis import RedisCache
from mainspring.stores.sql import redis as module
from mainspring.stores.sql.redis import Redis
from tests import redis_server
from tests.redis_server import RedisServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    if redis_server.PROGRAM is None:
        pytest.skip(redis_server.MISSING)
    made = RedisServer(tmp_path)
    yield made
    made.kill()


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[Redis]:
    made = Redis(server.url)
    yield made
    await made.close()


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "redis://", "redis://host:port/0"])
def test_an_invalid_redis_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SettingsError, match=r"stores\.redis is not a Redis URL"):
        Redis(url)


def test_the_address_is_named_without_its_password() -> None:
    assert Redis("redis://someone:hush@example.org/3").name == "Redis at example.org:6379"


def test_settings_need_a_server_to_cache_in() -> None:
    with pytest.raises(SettingsError, match=r"stores\.redis is empty"):
        load(environment={"MAINSPRING_STORES__CACHE": "redis"})


async def test_a_server_that_is_away_is_a_clear_error(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, stores=StoresSettings(redis="redis://:hush@127.0.0.1:1/0"))
    with pytest.raises(StoreError, match=r"Redis at 127\.0\.0\.1:1 does not answer.*Start it, or empty stores") as told:
        async with stores.open(settings):
            pass
    assert "hush" not in str(told.value)


async def test_a_wrong_password_is_a_clear_error(server: RedisServer) -> None:
    wrong = Redis(server.url.replace(redis_server.PASSWORD, "guess"))
    with pytest.raises(StoreError, match="refused PING"):
        await wrong.call("PING")
    await wrong.close()


async def test_the_stores_keep_answers_where_the_settings_say(server: RedisServer, tmp_path: Path) -> None:
    shared = StoresSettings(redis=server.url, cache="redis")
    async with stores.open(Settings(home=tmp_path / "one", stores=shared)) as one:
        await one.cache.put("k", b"v", 60, frozenset({"t"}))
        async with stores.open(Settings(home=tmp_path / "two", stores=shared)) as two:
            assert await two.cache.get("k") == b"v"
            await two.cache.invalidate("t")
        assert await one.cache.get("k") is None
        assert one.redis is not None


async def test_a_script_is_known_again_after_a_restart(server: RedisServer, redis: Redis) -> None:
    script = "return ARGV[1]"
    assert await redis.run_script(script, (), "one") == b"one"
    assert await redis.run_script(script, (), "two") == b"two"
    await redis.call("SCRIPT", "FLUSH")
    assert await redis.run_script(script, (), "three") == b"three"


async def test_a_refused_command_does_not_stop_the_others(redis: Redis) -> None:
    await redis.call("SET", "text", "abc")
    for _ in range(3):
        with pytest.raises(StoreError, match="refused INCR"):
            await redis.call("INCR", "text")
    assert await redis.call("GET", "text") == b"abc"


async def test_a_killed_server_fails_fast_and_comes_back(
    server: RedisServer, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_REST_S", 0.05)
    cache = RedisCache(redis, 100)
    await cache.put("k", b"v", 60)
    server.kill()
    # However many notice it at once, the wait for a trial is that of one failure.
    results = await asyncio.gather(*(cache.get("k") for _ in range(30)), return_exceptions=True)
    assert {type(each) for each in results} == {StoreError}
    assert redis._next_trial <= time.monotonic() + 0.05
    redis._next_trial = time.monotonic() + 60
    asked = redis._client.execute_command
    monkeypatch.setattr(redis._client, "execute_command", None)
    results = await asyncio.gather(*(cache.get("k") for _ in range(1000)), return_exceptions=True)
    assert {type(each) for each in results} == {StoreError}
    monkeypatch.setattr(redis._client, "execute_command", asked)
    server.start()
    redis._next_trial = time.monotonic()
    # One call is the trial; those beside it are refused until it has got through.
    results = await asyncio.gather(*(cache.get("k") for _ in range(10)), return_exceptions=True)
    assert results[0] is None
    assert [type(each) for each in results[1:]] == [StoreError] * 9
    await cache.put("k", b"w", 60)
    assert await cache.get("k") == b"w"


async def test_a_server_that_hangs_is_given_up(server: RedisServer, redis: Redis) -> None:
    await redis.call("PING")
    server.stall()
    with pytest.raises(StoreError, match="does not answer"):
        await redis.call("PING")
    assert not redis.available
