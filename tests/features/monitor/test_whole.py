"""A real server before engines that can be made slow, be made to fail, and be asked something else: each fault raises
exactly its alert, told once, and cleared when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mainspring.core.errors import EngineError
from mainspring.engines.base import Generation
from mainspring.engines.scripted import Piece, ScriptedEngine
from tests.conformance.openai_server import serve
from tests.conftest import Server, start_server, stop_server
from tests.features.monitor.receiver import Receiver, receiver

ASKERS = 24
THINGS = ("grinder", "kettle", "scale", "filter", "pump", "boiler", "tray", "lid", "spout", "basket")
ABOUT = ("warranty on", "delivery time of", "price of", "way to return", "repair of", "cleaning of", "manual for")
SUMS = ("triangle", "circle", "matrix", "vector", "prime number", "integral", "logarithm", "polynomial", "fraction")
DOING = ("area of", "derivative of", "inverse of", "norm of", "proof about", "root of", "expansion of")
# Seconds where a server at work has minutes.
MONITOR: dict[str, Any] = {
    "bucket_s": 1,
    "every_s": 0.25,
    "window_s": 4,
    "for_s": 0.5,
    "clear_s": 2,
    "group_s": 0.5,
    "least": 15,
    "baseline_least": 100,
    "lease_s": 5,
    # A machine that others use is slow for a moment now and then.
    "latency": {"least_s": 1.5},
    "cost": {"least_usd": 0},
    "drift": {
        "every_s": 0.5,
        "window_s": 6,
        "least": 40,
        "reference_least": 100,
        "block": 5,
        "embed_per_hour": 36_000,
    },
}


class World:
    """The server, its engines, and people who ask once a second each."""

    def __init__(self, server: Server, cheap: ScriptedEngine, there: Receiver) -> None:
        self.server = server
        self.cheap = cheap
        self.there = there
        self.slow = 0.0
        self.broken = False
        self.other = False
        self.answered = 0
        cheap.script = self.script

    def script(self, _: Generation) -> list[Piece]:
        words: list[Piece] = ["It", " takes", f" {random.randint(2, 40)}", " days", "."]
        if self.broken:
            return [EngineError("the cable was pulled")]
        if self.slow:
            late = asyncio.Event()
            asyncio.get_running_loop().call_later(self.slow, late.set)
            return [late, *words]
        return words

    def question(self) -> str:
        things, about = (SUMS, DOING) if self.other else (THINGS, ABOUT)
        return f"What is the {random.choice(about)} the {random.choice(things)} that I asked about?"

    async def ask(self, session: aiohttp.ClientSession) -> None:
        await asyncio.sleep(random.random())
        while True:
            body = {"model": "assistant", "messages": [{"role": "user", "content": self.question()}], "temperature": 1}
            async with session.post(f"{self.server.url}/v1/chat/completions", json=body) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()
            self.answered += 1
            await asyncio.sleep(random.uniform(0.5, 1.5))

    async def alerts(self) -> list[dict[str, Any]]:
        status, found = await asyncio.to_thread(self.server.call, "GET", "/v1/alerts?order=asc")
        assert status == 200
        return list(found["data"])

    async def seen(self) -> list[tuple[str, str]]:
        return [(alert["rule"], alert["state"]) for alert in await self.alerts()]

    async def until(self, expected: list[tuple[str, str]], seconds: float = 60.0) -> None:
        """Wait for exactly these alerts."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while await self.seen() != expected:
                    await asyncio.sleep(0.25)
        assert await self.seen() == expected, [alert["summary"] for alert in await self.alerts()]

    async def whole(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.1)

    def told(self) -> list[tuple[str, str]]:
        """What the webhook heard: (rule, state), in order."""
        bodies = [json.loads(post.body) for post in self.there.posts]
        return [(alert["labels"]["alertname"], alert["status"]) for body in bodies for alert in body["alerts"]]


@asynccontextmanager
async def world(home: Path) -> AsyncIterator[World]:
    cheap = ScriptedEngine(name="cheap", templates=True)
    dear = ScriptedEngine(lambda _: ["It", " takes", " 9", " days", "."], name="dear", templates=True)
    one, two = serve(cheap), serve(dear)
    await one.start_server()
    await two.start_server()
    async with receiver() as there:
        remote = {
            "cheap": {"url": str(one.make_url("/v1")), "model": "cheap", "price_input": 1, "price_output": 1},
            "dear": {"url": str(two.make_url("/v1")), "model": "dear", "price_input": 20, "price_output": 20},
        }
        monitor = {**MONITOR, "webhooks": {"ops": {"url": there.url}}}
        running = await asyncio.to_thread(
            start_server,
            home,
            MAINSPRING_MODELS__CHAT="[]",
            MAINSPRING_MODELS__REMOTE=json.dumps(remote),
            MAINSPRING_SERVING__ROUTES=json.dumps(
                {"assistant": {"arms": {"usual": {"model": "cheap"}}, "fallback": ["dear"]}}
            ),
            # Else a fault of the one engine would make answers slow, and rightly raise that alert too.
            MAINSPRING_SERVING__RETRIES="0",
            MAINSPRING_SERVING__REQUESTS_PER_MINUTE="100000",
            MAINSPRING_SERVING__TOKENS_PER_MINUTE="100000000",
            **{f"MAINSPRING_MONITOR__{name.upper()}": json.dumps(value) for name, value in flat(monitor).items()},
        )
        headers = {"authorization": f"Bearer {running.key}"}
        made = World(running, cheap, there)
        try:
            async with aiohttp.ClientSession(headers=headers) as session:
                askers = [asyncio.create_task(made.ask(session)) for _ in range(ASKERS)]
                try:
                    yield made
                finally:
                    for asker in askers:
                        asker.cancel()
                    ended = await asyncio.gather(*askers, return_exceptions=True)
                assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended
        finally:
            await asyncio.to_thread(stop_server, running)
            await one.close()
            await two.close()


def flat(values: dict[str, Any]) -> dict[str, Any]:
    """Sections' keys joined by two underscores; named entries stay whole."""
    made: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict) and name != "webhooks":
            made |= {f"{name}__{key}": inner for key, inner in value.items()}
        else:
            made[name] = value
    return made


@pytest.mark.timeout(420)
async def test_each_fault_raises_exactly_its_alert_and_clears_it(tmp_path: Path) -> None:
    async with world(tmp_path / "home") as here:
        # As it always is: long enough for a reference of every kind.
        await here.whole(lambda: here.answered >= 600)
        assert await here.seen() == []

        here.slow = 3.0
        await here.until([("latency", "firing")])
        here.slow = 0.0
        await here.until([("latency", "resolved")])

        here.broken = True
        await here.until([("latency", "resolved"), ("cost", "firing")])
        here.broken = False
        await here.until([("latency", "resolved"), ("cost", "resolved")])

        here.other = True
        await here.until([("latency", "resolved"), ("cost", "resolved"), ("drift", "firing")])
        drift = (await here.alerts())[-1]
        assert {signal["name"].split()[0] for signal in drift["signals"] if signal["wrong"]} >= {"questions"}
        here.other = False
        await here.until([("latency", "resolved"), ("cost", "resolved"), ("drift", "resolved")])

        await here.whole(lambda: len(here.told()) >= 6)
        assert here.told() == [
            (rule, state) for rule in ("latency", "cost", "drift") for state in ("firing", "resolved")
        ]
