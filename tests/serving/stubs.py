"""Endpoints that misbehave on a test's command, on real sockets; and a balanced call ring over them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from mainspring.core.settings.endpoints import RemoteModel
from mainspring.core.settings.serving.routing import BalanceSettings
from mainspring.core.types import Responder
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.remote.engine import RemoteEngine
from mainspring.serving.route.balance import Balance
from mainspring.serving.route.replica_state import Replica
from mainspring.serving.route.retry_budget import Budget
from mainspring.telemetry.routing_metrics import ArmMetrics

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Counts(ArmMetrics):
    """What was counted of replicas, arms and shadows."""

    def __init__(self) -> None:
        self.attempts: Counter[tuple[str, str]] = Counter()
        self.moves: Counter[str] = Counter()
        self.hedges: Counter[str] = Counter()
        self.arms: Counter[tuple[str, str]] = Counter()
        self.fallbacks: list[tuple[str, str, str]] = []
        self.shadows: Counter[tuple[str, str]] = Counter()

    def attempt(self, model: str, replica: str, code: str, ttft_s: float | None) -> None:
        self.attempts[replica, code] += 1

    def moved(self, model: str, code: str) -> None:
        self.moves[code] += 1

    def hedged(self, model: str, outcome: str) -> None:
        self.hedges[outcome] += 1

    def routed(self, route: str, arm: str, code: str) -> None:
        self.arms[arm, code] += 1

    def fell_back(self, model: str, to: str, code: str) -> None:
        self.fallbacks.append((model, to, code))

    def shadowed(self, route: str, arm: str, code: str) -> None:
        self.shadows[arm, code] += 1


class Endpoint:
    """A server whose behaviour can be changed; ``bodies`` and ``headers`` are what it got, ``left`` how many callers
    went away before the end."""

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[Any] = []
        self.left = 0
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        self.headers.append(request.headers)
        try:
            return await self.behave(request)
        except (asyncio.CancelledError, ConnectionError):
            self.left += 1
            raise


def frame(**choice: Any) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0} | choice]}).encode() + b"\n\n"


def say(
    text: str, *, before: float = 0.0, between: float = 0.0, then: Behaviour | None = None, usage: bool = True
) -> Behaviour:
    """Streams ``text`` word by word; ``then`` takes over in place of the end."""

    async def behave(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(before)
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for word in text.split():
            await response.write(frame(delta={"content": word + " "}))
            await asyncio.sleep(between)
        if then is not None:
            await then(request)
            return response
        await response.write(frame(delta={}, finish_reason="stop"))
        if usage:
            counts = {"prompt_tokens": 5, "completion_tokens": len(text.split())}
            await response.write(b"data: " + json.dumps({"choices": [], "usage": counts}).encode() + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        return response

    return behave


def refuse(status: int, message: str = "no", **headers: str) -> Behaviour:
    async def behave(request: web.Request) -> web.StreamResponse:
        body = {"error": {"message": message}}
        return web.json_response(body, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return behave


async def stall(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(3600)
    raise AssertionError("unreachable")


async def hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    await asyncio.sleep(0)
    return web.Response()


async def ended(request: web.Request) -> web.StreamResponse:
    """Nothing more, and no end of the stream's own."""
    return web.Response()


async def garbage(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b"data: {not json at all\n\n\x00\xff\xfe: ???\n\n")
    return response


@asynccontextmanager
async def serving(*behaviours: Behaviour) -> AsyncIterator[list[Endpoint]]:
    """An endpoint for each of ``behaviours``."""
    async with AsyncExitStack() as stack:
        endpoints = []
        for behave in behaviours:
            endpoint = Endpoint(behave)
            application = web.Application()
            application.router.add_post("/{path:.*}", endpoint.handle)
            server = await stack.enter_async_context(TestServer(application))
            endpoint.url = str(server.make_url("/v1"))
            endpoints.append(endpoint)
        yield endpoints


@asynccontextmanager
async def balanced(
    urls: Sequence[str],
    counts: Counts,
    *,
    patience_s: float = 30.0,
    silence_s: float = 30.0,
    side: Callable[[Responder], Responder] | None = None,
    budget: Budget | None = None,
    concurrency: int = 0,
    **settings: Any,
) -> AsyncIterator[Balance]:
    """A balancer over the endpoints at ``urls``, called a, b, c ..."""
    engines = [RemoteEngine("far", RemoteModel(url=url, model="big", silence_timeout_s=silence_s)) for url in urls]
    for engine in engines:
        await engine.start()
    replicas = [
        Replica(
            chr(ord("a") + index),
            ModelResponder(engine, model_name="far", fingerprint=None),
            patience_s=patience_s,
            concurrency=concurrency,
        )
        for index, engine in enumerate(engines)
    ]
    values = {"policy": "least_tokens", "cooldown_s": 60.0} | settings
    try:
        yield Balance(
            replicas,
            "far",
            BalanceSettings.model_validate(values),
            counts,
            budget or Budget(0.2, 100),
            side=side,
        )
    finally:
        for engine in engines:
            await engine.close()
