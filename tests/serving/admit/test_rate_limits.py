from __future__ import annotations

import asyncio
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.errors import EngineError, RateLimited, TooLarge
from mainspring.core.settings import ServingSettings
from mainspring.core.types import Principal, Sampling
from mainspring.serving.admit.rate_limits import Bucket, Limits, Rates, duration
from tests.serving.house import Build, visitor

KEY = Principal("acme", "key_1")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_two_hundred_at_once_against_a_hundred(house: Build) -> None:
    home = house(requests_per_minute=100, tokens_per_minute=10**9)
    results = await asyncio.gather(*(home.ask(f"Hello {number}") for number in range(200)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, RateLimited)]
    # The bucket refills while the requests run: at most one in 0.6 s.
    assert 95 <= len(refused) <= 100
    assert len(home.engine.seen) == 200 - len(refused)
    assert home.metrics.refused == {"requests": len(refused)}
    assert len(home.events.of("answer")) == 200 - len(refused)


@pytest.mark.parametrize("limit", ["requests", "tokens"])
async def test_exactly_the_limit_is_granted_under_concurrency(limit: str) -> None:
    clock = Clock()
    limits = Limits(100, 10**6, clock=clock) if limit == "requests" else Limits(10**6, 100, clock=clock)
    granted = 0

    async def take() -> None:
        nonlocal granted
        await asyncio.sleep(0)
        limits.reserve(KEY, 1)
        granted += 1
        await asyncio.sleep(0)

    await asyncio.gather(*(take() for _ in range(200)), return_exceptions=True)
    assert granted == 100


def test_a_refusal_says_what_when_and_how_much() -> None:
    clock = Clock()
    limits = Limits(60, 1000, clock=clock)
    limits.reserve(KEY, 900)
    with pytest.raises(RateLimited) as caught:
        limits.reserve(KEY, 400)
    assert caught.value.param == "tokens_per_minute"
    assert caught.value.retry_after == pytest.approx(18.0)
    assert caught.value.headers["x-ratelimit-remaining-tokens"] == "100"
    # What was refused counts as no request.
    assert caught.value.headers["x-ratelimit-remaining-requests"] == "59"
    clock.now += caught.value.retry_after or 0
    limits.reserve(KEY, 400)
    with pytest.raises(TooLarge):
        limits.reserve(KEY, 1001)


def test_keys_do_not_share() -> None:
    limits = Limits(1, 1000, clock=Clock())
    limits.reserve(KEY, 1)
    limits.reserve(Principal("acme", "key_2"), 1)
    limits.reserve(Principal("other", "key_1"), 1)
    with pytest.raises(RateLimited):
        limits.reserve(KEY, 1)


def test_a_reservation_settles_once_and_may_leave_a_debt() -> None:
    clock = Clock()
    limits = Limits(60, 1000, clock=clock)
    reservation = limits.reserve(KEY, 500)
    reservation.settle(100)
    reservation.settle(100)
    assert limits.headers(KEY)["x-ratelimit-remaining-tokens"] == "900"
    limits.reserve(KEY, 900).settle(1500)
    assert limits.headers(KEY)["x-ratelimit-remaining-tokens"] == "0"
    with pytest.raises(RateLimited) as caught:
        limits.reserve(KEY, 1)
    assert caught.value.retry_after == pytest.approx(601 * 60 / 1000)


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 60), st.integers(0, 120)), max_size=40))
def test_no_window_grants_more_than_it_refilled(steps: list[tuple[float, int, int]]) -> None:
    clock = Clock()
    bucket = Bucket(100, clock)
    spent = 0
    for wait, ask, really in steps:
        clock.now += wait
        if bucket.take(ask) == 0:
            bucket.give(ask - really)
            spent += really
            # The last one may have overdrawn: what is owed is owed.
            assert spent - really + ask <= 100 + clock.now * 100 / 60 + 1e-6
        assert 0 <= bucket.remaining <= 100


async def test_spent_tokens_are_settled_and_the_rest_given_back(house: Build) -> None:
    home = house(tokens_per_minute=4500)
    answer = await home.ask("Hello", sampling=Sampling(max_tokens=4000))
    assert answer.head.headers["x-ratelimit-limit-tokens"] == "4500"
    assert int(answer.head.headers["x-ratelimit-remaining-tokens"]) < 600
    again = await home.open("Hello", sampling=Sampling(max_tokens=4000))
    await again.aclose()


async def test_large_caps_are_not_reserved_whole(house: Build) -> None:
    home, large = house(tokens_per_minute=20_000), Sampling(max_tokens=32_000)
    running = [await home.open("Hello", sampling=large) for _ in range(4)]
    with pytest.raises(RateLimited):
        await home.open("Hello", sampling=large)
    for each in running:
        await each.aclose()
    # Short answers teach what to expect, and are all that is taken.
    for _ in range(60):
        answer = await home.ask("Hello", sampling=large)
    assert int(answer.head.headers["x-ratelimit-remaining-tokens"]) > 18_000


async def test_an_answer_longer_than_expected_is_a_debt_of_its_key(house: Build) -> None:
    home = house(lambda _: ["a "] * 3_000, tokens_per_minute=4_500)
    await home.ask("Hello", sampling=Sampling(max_tokens=3_500))
    with pytest.raises(RateLimited):
        await home.open("Hello", sampling=Sampling(max_tokens=3_500))


async def test_a_failure_gives_its_tokens_back(house: Build) -> None:
    home = house(lambda _: [EngineError("no")], tokens_per_minute=4500)
    for _ in range(3):
        with pytest.raises(EngineError):
            await home.open("Hello", visitor(), sampling=Sampling(max_tokens=4000))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0ms"), (0.02, "20ms"), (1, "1s"), (1.5, "1.5s"), (360, "6m0s"), (61.25, "1m1.25s")]
)
def test_durations_read_as_openai_writes_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_day_has_its_own_limit_and_headers() -> None:
    clock = Clock()
    limits = Limits(10, 1000, 24, clock=clock)
    for _ in range(24):
        clock.now += 6
        limits.reserve(KEY, 1)
    with pytest.raises(RateLimited, match="24 requests a day") as caught:
        limits.reserve(KEY, 1)
    assert caught.value.param == "requests_per_day"
    # 144 s have given back a twenty-fifth of one.
    assert caught.value.retry_after == pytest.approx(3600 - 144 + 6, abs=10)
    headers = limits.headers(KEY)
    assert headers["x-ratelimit-limit-requests-day"] == "24"
    assert headers["x-ratelimit-remaining-requests-day"] == "0"
    clock.now += 3600
    limits.reserve(KEY, 1)


def test_what_a_minute_refuses_does_not_count_for_the_day() -> None:
    clock = Clock()
    limits = Limits(1, 1000, 100, clock=clock)
    limits.reserve(KEY, 1)
    for _ in range(5):
        with pytest.raises(RateLimited):
            limits.reserve(KEY, 1)
    assert limits.headers(KEY)["x-ratelimit-remaining-requests-day"] == "99"
    limits = Limits(10, 10, 5, clock=clock)
    limits.reserve(KEY, 10)
    with pytest.raises(RateLimited, match="tokens a minute"):
        limits.reserve(KEY, 10)
    assert limits.headers(KEY)["x-ratelimit-remaining-requests-day"] == "4"


def test_a_tier_decides_and_what_it_leaves_out_is_as_for_all() -> None:
    settings = ServingSettings.model_validate(
        {
            "requests_per_minute": 60,
            "tokens_per_minute": 900,
            "requests_per_day": 50,
            "tiers": {"free": {"requests_per_minute": 2}, "gold": {"tokens_per_minute": 5000, "requests_per_day": 0}},
        }
    )
    limits = Limits.of(settings)
    assert limits.rates(KEY) == Rates(60, 900, 50)
    assert limits.rates(Principal("acme", "key_1", tier="free")) == Rates(2, 900, 50)
    gold = Principal("acme", "key_1", tier="gold")
    assert limits.rates(gold) == Rates(60, 5000, 0)
    assert limits.rates(Principal("acme", "key_1", tier="gone")) == limits.rates(KEY)
    limits.reserve(gold, 4000)
    assert "x-ratelimit-limit-requests-day" not in limits.headers(gold)


async def test_a_tier_is_refused_at_its_own_limit(house: Build) -> None:
    home = house(tiers={"free": {"requests_per_minute": 2}})
    free = visitor()
    free = dataclasses.replace(free, principal=dataclasses.replace(free.principal, tier="free"))
    for _ in range(2):
        answer = await home.ask("Hello", free)
    assert answer.head.headers["x-ratelimit-limit-requests"] == "2"
    with pytest.raises(RateLimited, match="limit of 2 requests a minute"):
        await home.ask("Hello", free)
    await home.ask("Hello")
