"""Two engines of the default model behind one server: one is killed under load, one is drained."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.cli.command import Done, data, run_within
from tests.conftest import Server, start_server, stop_server
from tests.gateway.test_resilience import CHAT, frames, story

ROUTES = {"assistant": {"arms": {"stable": {"model": CHAT}, "canary": {"model": CHAT}}}}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start_server(
        tmp_path_factory.mktemp("pair"),
        MAINSPRING_MODELS__REPLICAS=json.dumps({CHAT: 2}),
        MAINSPRING_ENGINES__KV_TOKENS="16384",
        MAINSPRING_SERVING__ROUTES=json.dumps(ROUTES),
        MAINSPRING_SERVING__REQUESTS_PER_MINUTE="100000",
        MAINSPRING_SERVING__TOKENS_PER_MINUTE="100000000",
    )
    yield running
    stop_server(running)


def children(server: Server) -> list[int]:
    parent = server.process.pid
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in found if b"openvino.child" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def replicas(server: Server) -> dict[str, dict[str, Any]]:
    status, found = server.call("GET", "/v1/replicas")
    assert status == 200
    (model,) = found["models"]
    return {replica["name"]: replica for replica in model["replicas"]}


def all_ready(server: Server) -> bool:
    # One that has come back is half open until its first call.
    return all(each["state"] in ("ready", "half_open") for each in replicas(server).values())


async def wait_until(condition: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.1)


async def test_both_answer_and_a_kill_loses_only_begun_streams_of_one(pair: Server) -> None:
    await wait_until(lambda: all_ready(pair))
    victim = children(pair)[0]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        streams = [asyncio.create_task(frames(session, pair, story(index, 40))) for index in range(32)]
        while sum(each["running"] for each in (await asyncio.to_thread(replicas, pair)).values()) < 32:
            await asyncio.sleep(0.02)
        running = await asyncio.to_thread(replicas, pair)
        assert min(each["running"] for each in running.values()) >= 8
        os.kill(victim, signal.SIGKILL)
        answers = await asyncio.gather(*streams)
    whole = [answer for answer in answers if answer[-1] == "[DONE]"]
    cut = [answer for answer in answers if answer[-1] != "[DONE]"]
    assert all(answer[-2]["usage"]["completion_tokens"] == 40 for answer in whole)
    for answer in cut:
        assert answer[-1]["error"]["code"] == "engine_died"
        assert any(frame.get("choices", [{}])[0].get("delta", {}).get("content") for frame in answer[:-1])
    # The other engine's streams, at least, knew nothing of it.
    assert len(whole) >= min(each["running"] for each in running.values())
    await wait_until(lambda: all_ready(pair))
    assert len(children(pair)) == 2


async def test_a_drained_replica_finishes_and_gets_no_more(pair: Server) -> None:
    await wait_until(lambda: all_ready(pair))
    async with aiohttp.ClientSession() as session:
        stream = asyncio.create_task(frames(session, pair, story(99, 100)))
        await wait_until(lambda: any(each["running"] for each in replicas(pair).values()))
        busy = next(name for name, each in replicas(pair).items() if each["running"])
        other = "1" if busy == "2" else "2"
        drained = await asyncio.to_thread(_command, pair, "drain", CHAT, busy)
        assert drained.returncode == 0, drained.stderr
        assert "draining" in drained.stdout or "drained" in drained.stdout
        for index in range(3):
            answer = await session.post(
                f"{pair.url}/v1/chat/completions",
                json=story(index, 4, stream=False, stream_options=None),
                headers={"authorization": f"Bearer {pair.key}"},
            )
            assert answer.status == 200, await answer.text()
            assert answer.headers["x-mainspring-replica"] == other
        assert (await stream)[-2]["usage"]["completion_tokens"] == 100
    assert replicas(pair)[busy]["state"] == "drained"
    refused = _command(pair, "drain", CHAT, other)
    assert refused.returncode == 1
    assert "last replica" in refused.stderr
    assert _command(pair, "undrain", CHAT, busy).returncode == 0
    listed = data(_command(pair, "list", "--json").stdout)
    assert {each["state"] for each in listed["models"][0]["replicas"]} <= {"ready", "half_open"}
    assert listed["routes"][0]["name"] == "assistant"


def test_only_admins_see_and_drain(pair: Server) -> None:
    secret = data(run_within(("keys", "create", "chatter", "--json"), pair.environment).stdout)["secret"]
    assert pair.call("GET", "/v1/replicas", key=secret)[0] == 403
    assert pair.call("POST", "/v1/replicas/drain", {"model": CHAT, "replica": "1"}, key=secret)[0] == 403
    status, found = pair.call("POST", "/v1/replicas/drain", {"model": CHAT, "replica": "7"})
    assert status == 404
    assert "It has: 1, 2" in found["error"]["message"]


def test_metrics_name_each_replica(pair: Server) -> None:
    asked = {"model": CHAT, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
    for _ in range(8):
        assert pair.call("POST", "/v1/chat/completions", asked)[0] == 200
    page = pair.raw("GET", "/metrics")[2].decode()
    assert f'mainspring_replica_up{{model="{CHAT}",replica="2"}} 1.0' in page
    assert f'mainspring_replica_calls_total{{code="ok",model="{CHAT}",replica="1"}}' in page
    assert f'mainspring_engine_restarts{{engine="{CHAT}/1"}}' in page


def _command(server: Server, *arguments: str) -> Done:
    environment = server.environment | {"MAINSPRING_URL": server.url, "MAINSPRING_API_KEY": server.key}
    return run_within(("replicas", *arguments), environment)
