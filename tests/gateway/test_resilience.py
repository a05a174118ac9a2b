"""Load, lost clients, killed engines and shutdowns, on a real server in its own process."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conftest import Server, start_server, stop_server, wait_ready

CHAT = "smollm2-135m-instruct"


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that tests may break; the last of them stops it."""
    running = start_server(tmp_path_factory.mktemp("own"))
    yield running
    if running.process.poll() is None:
        stop_server(running)


def story(index: int, tokens: int, **fields: Any) -> dict[str, Any]:
    return {
        "model": CHAT,
        "messages": [{"role": "user", "content": f"Tell a long story about the number {index}."}],
        "max_tokens": tokens,
        "temperature": 0,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
        "options": {"cache": False},
        **fields,
    }


async def frames(
    session: aiohttp.ClientSession, server: Server, body: dict[str, Any], found: list[Any] | None = None
) -> list[Any]:
    """The data frames of a stream, in ``found`` as they come; ``[DONE]`` as a string."""
    headers = {"authorization": f"Bearer {server.key}"}
    found = [] if found is None else found
    async with session.post(f"{server.url}/v1/chat/completions", json=body, headers=headers) as answer:
        if answer.status != 200:
            return [await answer.json()]
        async for line in answer.content:
            if line.startswith(b"data: "):
                data = line[6:].strip()
                found.append("[DONE]" if data == b"[DONE]" else json.loads(data))
    return found


async def running(session: aiohttp.ClientSession, server: Server) -> float:
    """How many generations the chat engine runs, from /metrics."""
    async with session.get(f"{server.url}/metrics") as page:
        text = await page.text()
    found = re.search(rf'mainspring_engine_running{{engine="{CHAT}"}} ([0-9.]+)', text)
    assert found, text[:2000]
    return float(found[1])


async def test_32_streams_without_an_error(server: Server) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        answers = await asyncio.gather(*(frames(session, server, story(index, 40)) for index in range(32)))
    for answer in answers:
        assert answer[-1] == "[DONE]"
        assert answer[-2]["usage"]["completion_tokens"] == 40


async def test_a_client_that_leaves_frees_its_slot(server: Server) -> None:
    async with aiohttp.ClientSession() as session:
        headers = {"authorization": f"Bearer {server.key}"}
        answer = await session.post(f"{server.url}/v1/chat/completions", json=story(1, 1500), headers=headers)
        await answer.content.readline()
        assert await running(session, server) == 1
        answer.close()
        end = time.monotonic() + 20
        while await running(session, server) and time.monotonic() < end:
            await asyncio.sleep(0.05)
        assert await running(session, server) == 0


async def test_a_killed_engine_fails_its_streams_and_comes_back(own_server: Server) -> None:
    async with aiohttp.ClientSession() as session:
        heard: list[list[Any]] = [[] for _ in range(4)]
        streams = [
            asyncio.create_task(frames(session, own_server, story(index, 1500), each))
            for index, each in enumerate(heard)
        ]
        # Past its first frame a stream is begun, and not asked for again.
        async with asyncio.timeout(60):
            while await running(session, own_server) < 4 or not all(heard):
                await asyncio.sleep(0.05)
        os.kill(_engine_pid(own_server.process.pid), signal.SIGKILL)
        for answer in await asyncio.gather(*streams):
            assert answer[-1]["error"]["code"] == "engine_died"
            assert "[DONE]" not in answer
        await asyncio.to_thread(wait_ready, own_server)
        again = await frames(session, own_server, story(9, 10))
        assert again[-1] == "[DONE]"
        status, page = await asyncio.to_thread(own_server.call, "GET", "/v1/events?kind=answer")
        assert status == 200
        statuses = sorted(event["facts"]["status"] for event in page["data"])
        assert statuses == ["completed", *["failed"] * 4]


async def test_a_server_that_stops_finishes_its_streams(own_server: Server) -> None:
    async with aiohttp.ClientSession() as session:
        stream = asyncio.create_task(frames(session, own_server, story(1, 150)))
        while await running(session, own_server) < 1:
            await asyncio.sleep(0.02)
        status = asyncio.create_task(asyncio.to_thread(stop_server, own_server))
        answer = await stream
        assert answer[-1] == "[DONE]"
        assert answer[-2]["usage"]["completion_tokens"] == 150
    assert await status == 0


async def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    first = start_server(tmp_path)
    answered = []
    async with aiohttp.ClientSession() as session:
        for index in range(3):
            answer = await frames(session, first, story(index, 5))
            assert answer[-1] == "[DONE]"
            answered.append(answer[0]["id"])
    first.process.kill()
    first.process.wait()
    # It is only asked what it knows.
    second = start_server(tmp_path, MAINSPRING_MODELS__CHAT="[]")
    try:
        assert second.key == ""
        second.key = first.key
        status, page = second.call("GET", "/v1/events?kind=answer")
        assert status == 200
        recorded = [event["subject"] for event in page["data"]]
        assert sorted(recorded) == sorted(answered)
    finally:
        stop_server(second)


def _engine_pid(parent: int) -> int:
    for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        if b"openvino.child" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return int(pid)
    raise AssertionError(f"process {parent} has no engine child")
