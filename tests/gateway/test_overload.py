"""More requests than a small engine can take, on a real server: who is served, who is refused and how, and what a death
of the engine does to those who wait."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import pytest

from tests.conftest import Server, start_server, stop_server, wait_ready
from tests.gateway.test_resilience import CHAT, _engine_pid, frames, running, story

SLOTS, WAITING = 2, 6


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose engine runs two sequences, before which six may wait."""
    started = start_server(
        tmp_path_factory.mktemp("small"),
        MAINSPRING_ENGINES__MAX_SEQUENCES=str(SLOTS),
        MAINSPRING_ENGINES__MAX_WAITING=str(WAITING),
        # The count is the bound here, whatever this machine's speed.
        MAINSPRING_SERVING__ADMISSION__MAX_WAIT_S="1000",
        MAINSPRING_SERVING__ADMISSION__STANDING_WAIT="1000",
    )
    yield started
    stop_server(started)


async def post(
    session: aiohttp.ClientSession, server: Server, body: dict[str, Any], **headers: str
) -> tuple[int, Any, str | None]:
    sent = {"authorization": f"Bearer {server.key}", **headers}
    async with session.post(f"{server.url}/v1/chat/completions", json=body, headers=sent) as answer:
        return answer.status, await answer.json(), answer.headers.get("retry-after")


def short(index: int, tokens: int = 8) -> dict[str, Any]:
    return story(index, tokens, stream=False, stream_options=None)


async def queued(session: aiohttp.ClientSession, server: Server, priority: str = "interactive") -> float:
    """How many requests of that class wait, from /metrics."""
    async with session.get(f"{server.url}/metrics") as page:
        found = re.search(rf'mainspring_engine_queued_{priority}{{engine="{CHAT}"}} ([0-9.]+)', await page.text())
    assert found
    return float(found[1])


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    end = time.monotonic() + 60
    while not await reached():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def occupied(session: aiohttp.ClientSession, server: Server, tokens: int) -> list[asyncio.Task[list[Any]]]:
    """Streams that keep the whole engine busy. Those of the test before have ended by then: counted among these, they
    would leave a place free when they do."""

    async def idle() -> bool:
        return await running(session, server) == 0 and await queued(session, server) == 0

    await until(idle)
    streams = [asyncio.create_task(frames(session, server, story(index, tokens))) for index in range(SLOTS)]

    async def full() -> bool:
        return await running(session, server) == SLOTS

    await until(full)
    return streams


async def waiting_are(
    session: aiohttp.ClientSession, server: Server, count: int, priority: str = "interactive"
) -> None:
    async def are() -> bool:
        return await queued(session, server, priority) == count

    await until(are)


async def test_a_flood_is_answered_or_refused_and_nothing_is_left_over(small: Server) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        answers = await asyncio.gather(*(post(session, small, short(index)) for index in range(100)))
        statuses = Counter(status for status, _, _ in answers)
        assert set(statuses) == {200, 503}
        assert statuses[200] >= SLOTS + WAITING
        for status, body, retry in answers:
            if status == 503:
                assert body["error"]["code"] == "overloaded"
                assert "Try again in" in body["error"]["message"]
                assert 1 <= int(retry or 0) <= 60
            else:
                assert body["usage"]["completion_tokens"] == 8
        assert await running(session, small) == 0
        assert await queued(session, small) == 0
        async with session.get(f"{small.url}/metrics") as page:
            text = await page.text()
    refused = re.search(
        r'mainspring_queue_total{model="[^"]+",outcome="refused",priority="interactive"} ([0-9.]+)', text
    )
    assert refused
    assert float(refused[1]) == statuses[503]


async def test_the_line_forgets_requests_that_leave(small: Server) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        busy = await occupied(session, small, 300)
        waiting = [asyncio.create_task(post(session, small, short(index))) for index in range(3)]
        await waiting_are(session, small, 3)
        for leaver in waiting:
            leaver.cancel()
        await waiting_are(session, small, 0)
        assert not any(each.done() for each in busy)
        for each in busy:
            each.cancel()


async def test_a_deadline_ends_the_wait(small: Server) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        busy = await occupied(session, small, 1500)
        status, body, _ = await post(session, small, short(1), **{"x-request-timeout": "0.3"})
        assert not any(each.done() for each in busy)
        assert (status, body.get("error", {}).get("code")) in ((504, "deadline_exceeded"), (503, "overloaded")), body
        for each in busy:
            each.cancel()


async def test_an_interactive_request_passes_batch_work(small: Server) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        busy = await occupied(session, small, 400)
        ended: list[str] = []

        async def ask(name: str, priority: str) -> None:
            status, _, _ = await post(session, small, short(len(name), 40), **{"x-priority": priority})
            assert status == 200
            ended.append(name)

        batch = [asyncio.create_task(ask("batch", "batch")) for _ in range(4)]
        await waiting_are(session, small, 4, "batch")
        now = [asyncio.create_task(ask("now", "interactive")) for _ in range(2)]
        await waiting_are(session, small, 2)
        # The order in which they end is the order in which they began: the engine runs two, all of one length.
        assert not any(each.done() for each in busy)
        await asyncio.gather(*batch, *now, *busy)
        assert ended[:2] == ["now", "now"]
        status, body, _ = await post(session, small, short(1), **{"x-priority": "urgent"})
        assert (status, body["error"]["param"]) == (400, "x-priority")


async def test_a_death_of_the_engine_loses_nobody_who_waits(small: Server) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        busy = await occupied(session, small, 1500)
        waiting = [asyncio.create_task(post(session, small, short(index))) for index in range(WAITING)]
        await waiting_are(session, small, WAITING)
        os.kill(_engine_pid(small.process.pid), signal.SIGKILL)
        for answer in await asyncio.gather(*busy):
            assert answer[-1]["error"]["code"] == "engine_died"
        for status, body, _ in await asyncio.gather(*waiting):
            assert status == 200, body
            assert body["usage"]["completion_tokens"] == 8
        await asyncio.to_thread(wait_ready, small)
        assert await queued(session, small) == 0
