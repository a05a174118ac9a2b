"""The contract of all rate limits: those of one process, and those that several processes share through Redis."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring import serving
from mainspring.core.errors import RateLimited, TooLarge
from mainspring.core.settings import Settings
from mainspring.core.types import Principal
from mainspring.serving.admit.rate_limits import Grant, Limits, RateLimits, Rates
from mainspring.serving.admit.shared_rate_limits import SharedLimits
from mainspring.serving.admit.tenant_rate_limits import KeysAndTenants
from mainspring.stores.cache.token_buckets import SharedBuckets
from mainspring.stores.sql.redis import Redis
from mainspring.telemetry.metrics import Metrics
from tests import redis_server

TIERS = {"small": Rates(5, 100, 8)}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


Make = Callable[[Limits], RateLimits]


@pytest.fixture(params=["process", "redis"])
async def make(request: pytest.FixtureRequest, clock: Clock) -> AsyncIterator[Make]:
    if request.param == "process":
        yield lambda limits: limits
        return
    redis = Redis(request.getfixturevalue("redis_url"))
    await redis.call("FLUSHDB")
    yield lambda limits: SharedLimits(SharedBuckets(redis, clock=clock), limits, clock=clock)
    await redis.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def key(tier: str = "", name: str = "k", tenant: str = "acme") -> Principal:
    return Principal(tenant, name, tier=tier)


def limits(clock: Clock, requests: int = 60, tokens: int = 1000, day: int = 0) -> Limits:
    return Limits(requests, tokens, day, tiers=TIERS, clock=clock)


async def test_a_refusal_says_what_when_and_how_much(make: Make, clock: Clock) -> None:
    all_limits = make(limits(clock))
    await all_limits.grant(key(), 900)
    with pytest.raises(RateLimited) as caught:
        await all_limits.grant(key(), 400)
    assert caught.value.param == "tokens_per_minute"
    assert caught.value.retry_after == pytest.approx(18.0)
    assert caught.value.headers["x-ratelimit-remaining-tokens"] == "100"
    # What was refused counts as no request.
    assert caught.value.headers["x-ratelimit-remaining-requests"] == "59"
    clock.now += caught.value.retry_after or 0
    assert (await all_limits.grant(key(), 400)).headers()["x-ratelimit-remaining-tokens"] == "0"
    with pytest.raises(TooLarge):
        await all_limits.grant(key(), 1001)


async def test_what_was_not_spent_comes_back_once_and_a_debt_is_paid_off(make: Make, clock: Clock) -> None:
    all_limits = make(limits(clock))
    grant = await all_limits.grant(key(), 500)
    await grant.settle(100)
    await grant.settle(100)
    assert all_limits.headers(key())["x-ratelimit-remaining-tokens"] == "900"
    await (await all_limits.grant(key(), 900)).settle(1500)
    with pytest.raises(RateLimited) as caught:
        await all_limits.grant(key(), 1)
    assert caught.value.retry_after == pytest.approx(601 * 60 / 1000)


async def test_keys_tenants_and_tiers_do_not_share(make: Make, clock: Clock) -> None:
    all_limits = make(limits(clock, requests=1))
    for principal in (key(), key(name="k2"), key(tenant="other"), key(tier="small")):
        await all_limits.grant(principal, 1)
    with pytest.raises(RateLimited):
        await all_limits.grant(key(), 1)


async def test_a_limit_a_day(make: Make, clock: Clock) -> None:
    all_limits = make(limits(clock))
    for _ in range(8):
        await all_limits.grant(key("small"), 1)
        clock.now += 60
    # They refill while they are used, but only one in three hours.
    with pytest.raises(RateLimited) as caught:
        await all_limits.grant(key("small"), 1)
    assert caught.value.param == "requests_per_day"
    assert caught.value.headers["x-ratelimit-limit-requests-day"] == "8"
    assert 9_000 < (caught.value.retry_after or 0) <= 10_800


async def test_exactly_the_limit_is_granted_under_concurrency(make: Make, clock: Clock) -> None:
    all_limits = make(limits(clock, requests=100))
    asked = await asyncio.gather(*(all_limits.grant(key(), 1) for _ in range(200)), return_exceptions=True)
    assert sum(isinstance(each, RateLimited) for each in asked) == 100
    assert not [each for each in asked if isinstance(each, Exception) and not isinstance(each, RateLimited)]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["take", "settle"]),
            st.floats(0, 40),
            st.integers(0, 120),
            st.sampled_from(["", "small"]),
        ),
        max_size=25,
    )
)
def test_redis_grants_what_one_process_would(redis_url: str, steps: list[tuple[str, float, int, str]]) -> None:
    async def main() -> None:
        clock = Clock()
        redis = Redis(redis_url)
        await redis.call("FLUSHDB")
        alone, shared = (
            limits(clock, 4, 100, 30),
            SharedLimits(SharedBuckets(redis, clock=clock), limits(clock, 4, 100, 30), clock=clock),
        )
        open_grants: list[tuple[Grant, Grant]] = []
        try:
            for what, wait, tokens, tier in steps:
                clock.now += wait
                if what == "settle" and open_grants:
                    for grant in open_grants.pop(0):
                        await grant.settle(tokens)
                    continue
                one, other = [await _outcome(each, key(tier), tokens) for each in (alone, shared)]
                if isinstance(one, Exception):
                    assert type(one) is type(other)
                    assert str(one) == str(other)
                    assert getattr(one, "headers", None) == getattr(other, "headers", None)
                else:
                    assert not isinstance(other, Exception)
                    assert one.headers() == other.headers()
                    open_grants.append((one, other))
        finally:
            await redis.close()

    asyncio.run(main())


async def _outcome(each: RateLimits, principal: Principal, tokens: int) -> Grant | Exception:
    try:
        return await each.grant(principal, tokens)
    except (RateLimited, TooLarge) as error:
        return error


_PROCESS = """
import asyncio, sys
from mainspring.core.errors import RateLimited
from mainspring.serving.admit.rate_limits import Limits
from mainspring.serving.admit.shared_rate_limits import SharedLimits
from mainspring.serving.admit.tenant_rate_limits import KeysAndTenants
from mainspring.core.settings import Settings
from mainspring.stores.cache.token_buckets import SharedBuckets
from mainspring.stores.sql import redis as store
from mainspring.stores.sql.redis import Redis
from mainspring.core.types import Principal

async def main():
    store.PATIENCE_S = 30.0
    redis = Redis(sys.argv[1])
    # A limit a day hardly refills while this runs.
    limits = SharedLimits(SharedBuckets(redis), Limits(10**6, 10**6, 100))
    print("ready", flush=True)
    sys.stdin.readline()
    async def ask():
        try:
            await limits.grant(Principal("acme", "k"), 1)
            return 1
        except RateLimited:
            return 0
    print(sum(await asyncio.gather(*(ask() for _ in range(80)))), flush=True)
    await redis.close()

asyncio.run(main())
"""


async def test_several_processes_grant_the_limit_between_them(redis_url: str) -> None:
    redis = Redis(redis_url)
    await redis.call("FLUSHDB")
    await redis.close()
    command = [sys.executable, "-c", _PROCESS, redis_url]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for each in started:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in started:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    granted = [int(each.communicate(timeout=60)[0]) for each in started]
    assert sum(granted) == 100
    assert max(granted) < 100


async def test_an_account_at_rest_leaves_nothing_behind(redis_url: str) -> None:
    redis = Redis(redis_url)
    await redis.call("FLUSHDB")
    shared = SharedLimits(SharedBuckets(redis), Limits(600, 1000))
    await (await shared.grant(key(), 10)).settle(10)
    (name,) = await redis.call("KEYS", "*")
    assert 0 < await redis.call("PTTL", name) <= 2000
    await redis.close()


# --- a Redis that dies ------------------------------------------------------------------------------------------------


@pytest.fixture
def mortal(tmp_path: Path) -> redis_server.RedisServer:
    if redis_server.PROGRAM is None:
        pytest.skip(redis_server.MISSING)
    return redis_server.RedisServer(tmp_path, "--appendonly", "yes", "--appendfsync", "always")


async def test_without_redis_each_server_grants_its_part(mortal: redis_server.RedisServer) -> None:
    redis = Redis(mortal.url)
    servers = [SharedLimits(SharedBuckets(redis), Limits(10**6, 10**6, 90)) for _ in range(3)]
    try:
        for each in (*servers, *servers):
            await each.beat()
        assert [each.workers for each in servers] == [3, 3, 3]
        for each in servers:
            await each.grant(key(), 1)
        mortal.kill()
        granted = []
        for each in servers:
            asked = await asyncio.gather(*(each.grant(key(), 1) for _ in range(60)), return_exceptions=True)
            granted.append(sum(not isinstance(one, Exception) for one in asked))
            assert {type(one) for one in asked if isinstance(one, Exception)} == {RateLimited}
            assert each.away
        # A third of what each had last seen there.
        assert granted == [29, 29, 29]
        mortal.start()
        await _back(redis)
        refused = await _outcome(servers[0], key(), 1)
        assert not servers[0].away
        assert not isinstance(refused, Exception)
        # What was granted without it is taken from it: 90 - 3 - 29, and the one just now.
        assert refused.headers()["x-ratelimit-remaining-requests-day"] == "57"
        second = await servers[1].grant(key(), 1)
        assert second.headers()["x-ratelimit-remaining-requests-day"] == "27"
        # The last one's part is a debt by now, which has to be paid off first.
        with pytest.raises(RateLimited):
            await servers[2].grant(key(), 1)
    finally:
        await redis.close()
        mortal.kill()


async def test_what_could_not_be_settled_is_settled_later(mortal: redis_server.RedisServer) -> None:
    redis = Redis(mortal.url)
    shared = SharedLimits(SharedBuckets(redis), Limits(10**6, 1000, 10))
    try:
        grant = await shared.grant(key(), 900)
        mortal.kill()
        await grant.settle(0)
        mortal.start()
        await _back(redis)
        again = await shared.grant(key(), 900)
        assert int(again.headers()["x-ratelimit-remaining-tokens"]) <= 100
    finally:
        await redis.close()
        mortal.kill()


async def test_a_redis_that_hangs_costs_one_request_a_fraction_of_a_second(mortal: redis_server.RedisServer) -> None:
    redis = Redis(mortal.url)
    shared = SharedLimits(SharedBuckets(redis), Limits(100, 1000))
    try:
        await shared.grant(key(), 1)
        mortal.stall()
        for _ in range(20):
            await shared.grant(key(), 1)
        assert shared.granted_alone == 20
    finally:
        mortal.kill()
        await redis.close()


async def _back(redis: Redis) -> None:
    for _ in range(400):
        await asyncio.sleep(0.05)
        if redis.available:
            return
    raise AssertionError("Redis was not tried again")


class NoQuotas:
    """Tenants without limits of their own."""

    async def limits(self, tenant: str) -> dict[str, int]:
        return defaultdict(int)


async def test_servers_that_name_the_same_redis_share_their_limits(redis_url: str) -> None:
    """What ``serving.open`` makes of the settings."""
    configured = Settings.model_validate({"serving": {"requests_per_day": 4}})
    redis, metrics = Redis(redis_url), Metrics()
    await redis.call("FLUSHDB")
    stores: Any = SimpleNamespace(redis=redis, quotas=NoQuotas())
    telemetry: Any = SimpleNamespace(metrics=metrics)
    another: Any = SimpleNamespace(metrics=Metrics())
    try:
        async with serving._limits(configured, stores, telemetry) as first:
            async with serving._limits(configured, stores, another) as second:
                assert isinstance(first, KeysAndTenants)
                assert isinstance(second, KeysAndTenants)
                of_keys = first._keys, second._keys
                assert isinstance(of_keys[0], SharedLimits)
                assert isinstance(of_keys[1], SharedLimits)
                await of_keys[0].beat()
                assert (of_keys[0].workers, of_keys[1].workers) == (2, 2)
                for each in (first, second, first, second):
                    await each.grant(key(), 1)
                for each in (first, second):
                    with pytest.raises(RateLimited):
                        await each.grant(key(), 1)
            await of_keys[0].beat()
            assert of_keys[0].workers == 1
            assert b"mainspring_limits_granted_alone_total 0.0" in metrics.render()[0]
        alone = Settings.model_validate({"serving": {"share_limits": False}})
        async with serving._limits(alone, stores, telemetry) as own:
            assert isinstance(own, KeysAndTenants)
            assert isinstance(own._keys, Limits)
    finally:
        await redis.close()
