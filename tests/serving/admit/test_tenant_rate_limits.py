"""Limits of a tenant: all its keys together, its own key's limit first, and nobody else's room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mainspring.core.errors import RateLimited
from mainspring.core.settings import LimitsSettings
from mainspring.core.types import Principal
from mainspring.serving.admit.rate_limits import Bucket, Limits
from mainspring.serving.admit.shared_rate_limits import SharedLimits
from mainspring.serving.admit.tenant_rate_limits import KeysAndTenants, TenantRates
from mainspring.stores.cache.token_buckets import BucketRequest, SharedBuckets, TakeResult
from mainspring.stores.keys.quotas import Quotas
from tests.serving.admit.test_rate_limits import Clock


class Given(Quotas):
    """Quotas by tenant."""

    def __init__(self, **limits: int) -> None:
        self.given = limits

    async def limits(self, tenant: str) -> dict[str, int]:
        return LimitsSettings().of(tenant) | (self.given if tenant == "acme" else {})


def limits(quotas: Given, *, key: int = 100) -> KeysAndTenants:
    clock = Clock()
    rates = TenantRates(clock=clock)
    return KeysAndTenants(Limits(key, 10_000, clock=clock), rates, rates, quotas)


def one(number: int, tenant: str = "acme") -> Principal:
    return Principal(tenant, f"key_{number}")


async def granted(at: KeysAndTenants, numbers: Any, tokens: int = 1) -> list[Any]:
    return [await at.grant(one(number), tokens) for number in numbers]


async def test_many_keys_have_no_more_requests_than_their_tenant() -> None:
    at = limits(Given(requests_per_minute=5))
    await granted(at, range(5))
    with pytest.raises(RateLimited, match="for all keys of this tenant together: the limit of 5 requests") as caught:
        await at.grant(one(6), 1)
    assert caught.value.retry_after == 12
    assert caught.value.param == "requests_per_minute"
    # What it is told of is its own key's.
    assert caught.value.headers["x-ratelimit-limit-requests"] == "100"
    await at.grant(one(1, "other"), 1)


async def test_tokens_are_settled_for_the_tenant_as_well() -> None:
    at = limits(Given(tokens_per_minute=1_000))
    first, _ = await granted(at, range(2), 500)
    with pytest.raises(RateLimited, match="1000 tokens"):
        await at.grant(one(3), 100)
    await first.settle(100)
    await at.grant(one(3), 400)


async def test_what_a_key_is_refused_takes_nothing_of_its_tenant() -> None:
    at = limits(Given(requests_per_minute=5, concurrent_requests=50), key=1)
    await at.grant(one(1), 1)
    for _ in range(50):
        with pytest.raises(RateLimited, match=r"^the limit of 1 requests"):
            await at.grant(one(1), 1)
    assert at.running("acme") == 1
    await granted(at, range(2, 6))


async def test_so_many_run_at_a_time_and_no_more() -> None:
    at = limits(Given(concurrent_requests=3))
    running = await granted(at, range(3))
    with pytest.raises(RateLimited, match="3 requests run of 3") as caught:
        await at.grant(one(4), 1)
    assert (caught.value.param, caught.value.retry_after) == ("concurrent_requests", 1.0)
    await running[0].settle(1)
    await running[0].settle(1)
    assert at.running("acme") == 2
    await at.grant(one(4), 1)
    with pytest.raises(RateLimited):
        await at.grant(one(5), 1)
    await at.grant(one(1, "other"), 1)


async def test_what_the_tenant_is_refused_runs_not() -> None:
    at = limits(Given(requests_per_minute=1, concurrent_requests=2))
    await at.grant(one(1), 1)
    for number in range(5):
        with pytest.raises(RateLimited, match="limit of 1 requests"):
            await at.grant(one(number), 1)
    assert at.running("acme") == 1


async def test_other_rates_hold_from_the_next_request_on() -> None:
    quotas = Given(requests_per_minute=1)
    at = limits(quotas)
    await at.grant(one(1), 1)
    with pytest.raises(RateLimited):
        await at.grant(one(1), 1)
    quotas.given = {"requests_per_minute": 3}
    await granted(at, range(3))
    with pytest.raises(RateLimited):
        await at.grant(one(1), 1)
    quotas.given = {}
    await granted(at, range(9))


class Together(SharedBuckets):
    """Buckets that servers share, as Redis holds them."""

    def __init__(self) -> None:
        self.accounts: dict[str, list[Bucket]] = {}

    def _buckets(self, account: str, asked: Sequence[BucketRequest]) -> list[Bucket]:
        made = [Bucket(each.capacity, lambda: 0.0, each.period_s) for each in asked]
        return self.accounts.setdefault(account, made)

    async def take(self, account: str, asked: Sequence[BucketRequest]) -> TakeResult:
        buckets = self._buckets(account, asked)
        for index, (bucket, each) in enumerate(zip(buckets, asked, strict=True)):
            if wait := bucket.lacks(each.amount):
                return TakeResult(index, wait, tuple(bucket.level for bucket in buckets))
        return await self.give(account, [BucketRequest(each.capacity, each.period_s, -each.amount) for each in asked])

    async def give(self, account: str, asked: Sequence[BucketRequest]) -> TakeResult:
        buckets = self._buckets(account, asked)
        for bucket, each in zip(buckets, asked, strict=True):
            bucket.give(round(each.amount))
        return TakeResult(None, 0.0, tuple(bucket.level for bucket in buckets))

    async def beat(self, worker: str) -> int:
        return 2

    async def leave(self, worker: str) -> None: ...


async def test_servers_that_share_a_redis_share_the_rates_of_tenants() -> None:
    together = Together()
    quotas = Given(requests_per_minute=4)
    each = []
    for _ in range(2):
        rates = TenantRates()
        keys = SharedLimits(together, Limits(100, 10_000))
        each.append(KeysAndTenants(keys, SharedLimits(together, rates), rates, quotas))
    for number in range(4):
        await each[number % 2].grant(one(number), 1)
    for at in each:
        with pytest.raises(RateLimited, match="of this tenant"):
            await at.grant(one(9), 1)
