"""Parts that fail in the middle of traffic: every request that was accepted is answered or told why not, and the money
of all of them adds up.

Real stores (SQLite, and Postgres where one is named), real sockets, a hard budget that does not hold everything, limits
and answers in a real Redis.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from mainspring import stores
from mainspring.core.errors import BudgetExceeded, MainspringError, RateLimited, StoreError
from mainspring.core.path import Answer, collect
from mainspring.core.settings import Settings
from mainspring.core.types import ChatRequest, Message, Principal, Sampling
from mainspring.serving.admit.rate_limits import Limits
from mainspring.serving.admit.shared_rate_limits import SharedLimits
from mainspring.serving.money.meter import Meter
from mainspring.serving.money.pricing import Tariff
from mainspring.serving.money.reservation import BudgetReservations
from mainspring.serving.money.tariffs import Tariffs
from mainspring.serving.ring.background import Background
from mainspring.serving.ring.compose import call_ring, request_ring
from mainspring.serving.ring.registry import Registry, Served
from mainspring.stores import Stores
from mainspring.stores.cache.answers_redis import RedisCache
from mainspring.stores.cache.token_buckets import SharedBuckets
from mainspring.stores.money.ledger import LedgerQuery
from mainspring.stores.sql import redis as store
from mainspring.stores.sql.redis import Redis
from tests import redis_server
from tests.databases import settings
from tests.serving.house import House, visitor
from tests.serving.money.test_reservation import PRICE, BudgetCounts
from tests.serving.stubs import Behaviour, Counts, balanced, frame, hang_up, serving, stall

__all__ = ["settings"]
STORY = "all of it is well with the lighthouse and its keeper"
REQUESTS = 120
# What a whole answer costs: a prompt of 5 tokens and 11 words.
WHOLE = 5 * 2_000 + 11 * 6_000
# What is set aside of a prompt that nobody here can count: its bytes, and what a template may add.
HELD = WHOLE + 80 * 2_000


def mortal(dead: asyncio.Event, end: Behaviour, begun: asyncio.Event | None = None) -> Behaviour:
    """Tells the story slowly; once ``dead`` is set it ends by ``end``, wherever it stands. ``begun`` is set whenever it
    has said two words."""

    async def behave(request: web.Request) -> web.StreamResponse:
        if dead.is_set():
            return await end(request)
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for number, word in enumerate(STORY.split()):
            await response.write(frame(delta={"content": f"{word} "}))
            if begun is not None and number == 1:
                begun.set()
            await asyncio.sleep(0.01)
            if dead.is_set():
                return await end(request)
        usage = b'{"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 11}}'
        await response.write(frame(delta={}, finish_reason="stop") + b"data: " + usage + b"\n\ndata: [DONE]\n\n")
        return response

    return behave


class Traffic:
    """A ring over two replicas, for sale within a hard budget, with answers and limits in Redis where there is one."""

    def __init__(self, opened: Stores, settings: Settings, balance: Any, redis: Redis | None) -> None:
        self.opened = opened
        house = House({})
        tariffs = Tariffs(settings)
        tariffs._known["far"] = Tariff.fixed(PRICE)
        self.background = Background()
        self.services = dataclasses.replace(
            house.services,
            events=opened.events,
            answers=opened.cache if redis is None else RedisCache(redis, 1000),
            purse=BudgetReservations(opened.budgets, tariffs, settings.prices, BudgetCounts(), 512),
            background=self.background,
        )
        registry = Registry()
        ring = call_ring(self.services, balance, model="far", provider="test", price=PRICE, balanced=True)
        registry.add(Served("far", "chat", ring))
        limits = Limits(10**6, 10**9, 10_000)
        shared = limits if redis is None else SharedLimits(SharedBuckets(redis), limits)
        self.ring = request_ring(self.services, registry, shared)

    async def ask(self, number: int) -> Answer | MainspringError:
        request = ChatRequest("far", (Message("user", f"Story {number}"),), Sampling(max_tokens=11, temperature=0))
        try:
            return await collect(await self.ring.respond(request, visitor()))
        except MainspringError as error:
            return error


@asynccontextmanager
async def traffic(
    settings: Settings,
    behaviours: tuple[Behaviour, Behaviour],
    *,
    limit: int,
    redis: Redis | None = None,
    silence_s: float = 2.0,
) -> AsyncIterator[tuple[Traffic, Any]]:
    """The ring, and the budget of ``limit`` nano-US-dollars that bounds it."""
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(stores.open(settings))
        endpoints = await stack.enter_async_context(serving(*behaviours))
        urls = [each.url for each in endpoints]
        side: list[Any] = []
        balance = await stack.enter_async_context(
            balanced(urls, Counts(), patience_s=silence_s, silence_s=silence_s, side=lambda inner: side[0](inner))
        )
        if redis is not None:
            for arm in balance.arms:
                arm.replica.responder._fingerprint = "weights"  # type: ignore[attr-defined]
        made = Traffic(opened, settings, balance, redis)
        services = made.services
        side.append(lambda inner: Meter(inner, "far", PRICE, services.metrics, services.tracing, provider="test"))
        budget = await opened.budgets.create("acme", "tenant", window="total", limit_nanousd=limit)
        try:
            yield made, budget
        finally:
            await made.background.close()


async def through(made: Traffic, fail: Callable[[], Coroutine[Any, Any, None]], repeated: int) -> list[Any]:
    """What came of all requests, in the middle of which ``fail`` happens."""

    async def later(number: int) -> Answer | MainspringError:
        await asyncio.sleep(number * 0.002)
        return await made.ask(number % repeated)

    asks = [asyncio.create_task(later(number)) for number in range(REQUESTS)]
    await asyncio.sleep(0.12)
    await fail()
    # Nobody waits for ever.
    return await asyncio.wait_for(asyncio.gather(*asks), 60)


async def adds_up(made: Traffic, budget: Any, outcomes: list[Any]) -> Counter[str]:
    """Check that nothing was lost, and the money; how many requests ended in which way."""
    await made.background.close()
    whole = [each for each in outcomes if isinstance(each, Answer)]
    failed = [each for each in outcomes if not isinstance(each, Answer)]
    assert {each.text.strip() for each in whole} == {STORY}
    assert {each.choices[0].finish for each in whole} == {"stop"}
    assert all(each.code and str(each) for each in failed)
    answers = await made.opened.events.find("acme", kind="answer", limit=10 * REQUESTS)
    statuses = Counter(str(each.facts.plain()["status"]) for each in answers)
    # One record of each, whatever became of it.
    assert statuses == Counter(completed=len(whole), failed=len(failed))
    ledger = await made.opened.ledger.total(LedgerQuery("acme"))
    paid = sum(each.facts.plain()["cost_nanousd"] for each in answers)
    told = sum(each.usage.cost_nanousd for each in whole)
    assert ledger.cost_nanousd == paid
    assert (
        sum(each.facts.plain()["cost_nanousd"] for each in answers if each.facts.plain()["status"] == "completed")
        == told
    )
    spent = await made.opened.budgets.spending(budget)
    assert (spent.spent_nanousd, spent.reserved_nanousd, spent.reserved_tokens) == (ledger.cost_nanousd, 0, 0)
    assert spent.spent_nanousd <= budget.limit_nanousd
    # What was refused for the budget's sake has cost nothing.
    assert all(
        each.facts.plain()["cost_nanousd"] == 0
        for each in answers
        if each.facts.plain().get("error") == "budget_exceeded"
    )
    return Counter(each.code if isinstance(each, MainspringError) else "whole" for each in outcomes)


@pytest.mark.parametrize("end", [hang_up, stall], ids=["killed", "stalls"])
async def test_a_replica_that_fails_mid_traffic(settings: Settings, end: Behaviour) -> None:
    dead, alive, begun = asyncio.Event(), asyncio.Event(), asyncio.Event()
    behaviours = mortal(dead, end, begun), mortal(alive, end)
    # More are under way at a time than that is for, on the fastest machine too.
    async with traffic(settings, behaviours, limit=40 * HELD) as (made, budget):

        async def fail() -> None:
            # While a story is being told, however slow the database is.
            begun.clear()
            await begun.wait()
            dead.set()

        outcomes = await through(made, fail, REQUESTS)
        ways = await adds_up(made, budget, outcomes)
    # Streams that had begun on it are told; the others went to the one that lives, as far as the budget held.
    assert ways["upstream_error"] + ways["deadline_exceeded"] >= 1
    assert ways["whole"] >= REQUESTS // 12
    assert ways["budget_exceeded"] >= 1
    assert set(ways) <= {"whole", "upstream_error", "deadline_exceeded", "budget_exceeded"}
    assert all(isinstance(each, Answer | BudgetExceeded | MainspringError) for each in outcomes)


@pytest.mark.parametrize("dies", ["killed", "stalled"])
async def test_a_redis_that_dies_mid_traffic(settings: Settings, tmp_path: Path, dies: str) -> None:
    if redis_server.PROGRAM is None:
        pytest.skip(redis_server.MISSING)
    (tmp_path / "redis").mkdir()
    server = redis_server.RedisServer(tmp_path / "redis")
    redis = Redis(server.url)
    never = asyncio.Event()
    try:
        limit = 60 * HELD
        behaviours = mortal(never, hang_up), mortal(never, hang_up)
        async with traffic(settings, behaviours, limit=limit, redis=redis, silence_s=30.0) as (made, budget):

            async def fail() -> None:
                server.kill() if dies == "killed" else server.stall()

            ways = await adds_up(made, budget, await through(made, fail, 40))
            # Limits went on by this server's own part, answers without what was cached.
            assert ways["whole"] >= REQUESTS // 4
            assert set(ways) <= {"whole", "budget_exceeded"}
            with pytest.raises(StoreError, match="does not answer"):
                await redis.call("PING")
            assert await made.ask(0)
    finally:
        await redis.close()
        server.kill()


async def test_limits_fall_back_to_the_share_of_each_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two servers of one limit a day; while their Redis is dead they grant no more than it between them."""
    # A dead one refuses at once; one that is merely slow on a busy machine is waited for.
    monkeypatch.setattr(store, "PATIENCE_S", 30.0)
    if redis_server.PROGRAM is None:
        pytest.skip(redis_server.MISSING)
    server = redis_server.RedisServer(tmp_path)
    redis = Redis(server.url)
    servers = [SharedLimits(SharedBuckets(redis), Limits(10**6, 10**9, 100)) for _ in range(2)]
    key = Principal("acme", "key_1")
    try:
        for each in (*servers, *servers):
            await each.beat()

        async def ask(number: int) -> Exception | None:
            await asyncio.sleep(number * 0.001)
            if number == 40:
                server.kill()
            try:
                await servers[number % 2].grant(key, 1)
            except MainspringError as error:
                return error
            return None

        outcomes = await asyncio.gather(*(ask(number) for number in range(300)))
        refused = [each for each in outcomes if each is not None]
        assert {type(each) for each in refused} == {RateLimited}
        assert all(each.retry_after for each in refused if isinstance(each, RateLimited))
        granted = len(outcomes) - len(refused)
        # What was under way when it died may have been granted there, too.
        assert 90 <= granted <= 106
    finally:
        await redis.close()
        server.kill()
