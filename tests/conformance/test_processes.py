"""Two processes on one home and one Redis: a tenant's limits across both, and work that is done only once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mainspring.serving.admit.running_requests import SharedRunning
from mainspring.stores.cache.token_buckets import RUNNING, SharedBuckets
from mainspring.stores.sql.redis import Redis
from tests import redis_server

_PROCESS = """
import asyncio, json, sys
from pathlib import Path
from types import SimpleNamespace
from starlette.responses import Response
from mainspring import serving, stores
from mainspring.core.errors import RateLimited
from mainspring.http.idempotency import Idempotency
from mainspring.core.settings import Settings
from mainspring.stores.cache import token_buckets as buckets
from mainspring.stores.sql import redis
from mainspring.telemetry.metrics import Metrics
from mainspring.core.types import Context, Principal

async def main(home, url, limits):
    redis.PATIENCE_S, buckets.ALIVE_S = 30.0, 2.0
    # Nothing refills while this runs.
    make = buckets.SharedBuckets.__init__
    buckets.SharedBuckets.__init__ = lambda self, server: make(self, server, clock=lambda: 1000.0)
    settings = Settings.model_validate({"home": home, "stores": {"redis": url}, "limits": {"tenant": limits}})
    telemetry = SimpleNamespace(metrics=Metrics())
    async with stores.open(settings) as opened, serving._limits(settings, opened, telemetry) as granting:
        running, once = [], Idempotency(opened.cache, opened.repeats)

        async def ask(number):
            try:
                running.append(await granting.grant(Principal("acme", f"key_{number}"), 10))
                return 1
            except RateLimited:
                return 0

        async def make():
            with Path(home, "made").open("a") as made:
                made.write("x")
            await asyncio.sleep(0.2)
            return Response(str(Path(home, "made").stat().st_size))

        async def create(_):
            asked = await once.once("once", "route", [b"body"], Context(Principal("acme", "key_1")), make)
            return asked.body.decode()

        async def settle(_):
            await running.pop().settle(0)
            return 1

        told = "ready"
        while True:
            print(json.dumps(told), flush=True)
            line = await asyncio.to_thread(sys.stdin.readline)
            if not line:
                break
            what, count = line.split()
            told = await asyncio.gather(*({"ask": ask, "create": create, "settle": settle}[what](n)
                                          for n in range(int(count))))

asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
"""


class Pair:
    """Two processes that do what they are told at the same time."""

    def __init__(self, home: Path, url: str, **limits: int) -> None:
        command = [sys.executable, "-c", _PROCESS, str(home), url, json.dumps(limits)]
        self.each = []
        for _ in range(2):
            self.each.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            assert self._answer(len(self.each) - 1) == "ready"

    def both(self, what: str, count: int) -> list[Any]:
        """What both answer, who are told before either is heard."""
        for number in range(2):
            self._tell(number, what, count)
        return [self._answer(number) for number in range(2)]

    def one(self, number: int, what: str, count: int) -> Any:
        self._tell(number, what, count)
        return self._answer(number)

    def close(self) -> None:
        for each in self.each:
            each.kill()
            each.communicate()

    def _tell(self, number: int, what: str, count: int) -> None:
        stdin = self.each[number].stdin
        assert stdin is not None
        stdin.write(f"{what} {count}\n")
        stdin.flush()

    def _answer(self, number: int) -> Any:
        stdout = self.each[number].stdout
        assert stdout is not None
        return json.loads(stdout.readline())


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[redis_server.RedisServer]:
    if redis_server.PROGRAM is None:
        pytest.skip(redis_server.MISSING)
    server = redis_server.RedisServer(tmp_path)
    yield server
    server.kill()


def test_two_processes_let_no_more_of_a_tenant_run_than_may(tmp_path: Path, redis: redis_server.RedisServer) -> None:
    pair = Pair(tmp_path / "home", redis.url, concurrent_requests=7)
    try:
        first, second = map(sum, pair.both("ask", 40))
        assert first + second == 7
        # What ends makes room, for whichever asks.
        slow, quick = (0, 1) if first else (1, 0)
        pair.one(slow, "settle", 1)
        assert sum(pair.one(quick, "ask", 5)) == 1
        # One process may have all of them, though there are two: nothing is parted beforehand.
        held = [first, second]
        held[slow] -= 1
        held[quick] += 1
        pair.one(quick, "settle", held[quick])
        assert sum(pair.one(slow, "ask", 40)) == 7 - held[slow]
        # The requests of a process that died count until it is missed.
        os.kill(pair.each[slow].pid, signal.SIGKILL)
        assert sum(pair.one(quick, "ask", 5)) == 0
        granted = 0
        for _ in range(40):
            granted += sum(pair.one(quick, "ask", 7))
            if granted:
                break
            # It is missed after two seconds of Redis' own clock.
            asyncio.run(asyncio.sleep(0.2))
        assert granted == 7
    finally:
        pair.close()


@pytest.mark.parametrize(("limits", "granted"), [({"requests_per_minute": 11}, 11), ({"tokens_per_minute": 130}, 13)])
def test_two_processes_grant_the_rates_of_a_tenant_between_them(
    tmp_path: Path, redis: redis_server.RedisServer, limits: dict[str, int], granted: int
) -> None:
    pair = Pair(tmp_path / "home", redis.url, **limits)
    try:
        assert sum(map(sum, pair.both("ask", 40))) == granted
    finally:
        pair.close()


def test_two_processes_make_once_what_both_are_asked_for(tmp_path: Path, redis: redis_server.RedisServer) -> None:
    pair = Pair(tmp_path / "home", redis.url)
    try:
        first, second = pair.both("create", 12)
        assert {*first, *second} == {"1"}
        # A cache that is gone has forgotten nothing of this: it lies in the database.
        redis.kill()
        redis.start()
        assert pair.both("create", 3) == [["1"] * 3] * 2
        assert (tmp_path / "home" / "made").read_text() == "x"
    finally:
        pair.close()


async def test_what_could_not_be_told_is_reported_with_the_next_beat(redis: redis_server.RedisServer) -> None:
    server = Redis(redis.url)
    first, second = (SharedRunning(SharedBuckets(server), name, lambda: 2) for name in ("a", "b"))
    try:
        for _ in range(3):
            assert await first.enter("acme", 5) is None
        redis.kill()
        # Each has its part while Redis is away: three of five.
        assert await first.enter("acme", 5) == (3, 3)
        assert await second.enter("acme", 5) is None
        await first.leave("acme")
        redis.start()
        for _ in range(200):
            await asyncio.sleep(0.05)
            if server.available:
                break
        # Redis came back empty: whoever beats says what runs.
        await first.beat()
        told = await server.call("HGET", RUNNING + "acme", "a")
        assert told.endswith(b" 2")
        await second.beat()
        assert await second.enter("acme", 5) is None
        assert await second.enter("acme", 5) is None
        assert await second.enter("acme", 5) == (5, 5)
    finally:
        await server.close()


class Reversed:
    """Messages that arrive in the other order."""

    def __init__(self, buckets: SharedBuckets) -> None:
        self._buckets = buckets
        self._waiting: list[tuple[asyncio.Event, tuple[Any, ...]]] = []

    async def run(self, *told: Any) -> int | None:
        mine = asyncio.Event()
        self._waiting.append((mine, told))
        await mine.wait()
        ran = await self._buckets.run(*told)
        self.next()
        return ran

    def next(self) -> None:
        if self._waiting:
            self._waiting.pop()[0].set()


async def test_messages_that_overtake_each_other_grant_neither_more_nor_less(redis: redis_server.RedisServer) -> None:
    server = Redis(redis.url)
    other = Reversed(SharedBuckets(server))
    running = SharedRunning(other, "a", lambda: 1)
    try:
        asked = [asyncio.create_task(running.enter("acme", 4)) for _ in range(4)]
        await asyncio.sleep(0.05)
        other.next()
        assert await asyncio.gather(*asked) == [None] * 4
        assert await server.call("HGET", RUNNING + "acme", "a") == b"4 4"
        assert await running.enter("acme", 4) == (4, 4)
    finally:
        await server.close()
