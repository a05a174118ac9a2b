from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.errors import EngineError, RateLimited, TooLarge
from mainspring.serving.limit import Bucket, Limits, duration
from mainspring.types import Principal, Sampling
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
