"""Answers cached in a Redis that dies while requests run."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring.core.path import collect
from mainspring.core.types import ChatRequest, Message
from mainspring.serving.admit.rate_limits import Limits
from mainspring.serving.ring.compose import request_ring
from mainspring.stores.cache.answers_redis import RedisCache
from mainspring.stores.sql import redis as module
from mainspring.stores.sql.redis import Redis
from tests import redis_server
from tests.redis_server import RedisServer
from tests.serving.house import GREEDY, Build, visitor


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    if redis_server.PROGRAM is None:
        pytest.skip(redis_server.MISSING)
    made = RedisServer(tmp_path)
    yield made
    made.kill()


@pytest.mark.parametrize("dies", ["killed", "stalled"])
async def test_a_redis_that_dies_mid_traffic_costs_nothing_but_the_hits(
    house: Build, server: RedisServer, dies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_REST_S", 0.05)
    home = house()
    redis = Redis(server.url)
    services = dataclasses.replace(home.services, answers=RedisCache(redis, 1000))
    ring = request_ring(services, home.registry, Limits.of(services.settings.serving))

    async def ask(number: int) -> str:
        request = ChatRequest("chat", (Message("user", f"Question {number % 20}"),), sampling=GREEDY)
        answer = await collect(await ring.respond(request, visitor()))
        assert answer.text == "All is well."
        return answer.head.cache

    for number in range(20):
        assert await ask(number) == "miss"
    await home.background.close()
    assert {await ask(number) for number in range(20)} == {"hit"}
    asks = [asyncio.create_task(ask(number)) for number in range(200)]
    await asyncio.sleep(0.01)
    server.kill() if dies == "killed" else server.stall()
    # Every one of them is answered, whatever was under way.
    await asyncio.gather(*asks)
    assert await asyncio.gather(*(ask(number) for number in range(200)))
    assert home.events.of("answer")[-1].facts.plain()["status"] == "completed"
    await home.background.close()
    server.kill()
    server.start()
    while not redis.available:
        await asyncio.sleep(0.05)
    # The first is the trial; from then on there are hits again.
    await ask(0)
    await home.background.close()
    for number in range(5):
        await ask(number)
    await home.background.close()
    assert {await ask(number) for number in range(5)} == {"hit"}
    await redis.close()
