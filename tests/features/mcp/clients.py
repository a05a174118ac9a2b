"""Clients of a whole scripted system, with sockets and without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from mainspring.features.mcp.settings import McpSettings
from mainspring.gateway.mount import mount
from tests.world import Key, World, echoing, opened, use_engines

RED, BLUE = frozenset({"red"}), frozenset({"blue"})
VERSIONS = ("2026-07-28", pytest.param("legacy", marks=pytest.mark.slow))


@asynccontextmanager
async def a_world(
    home: Path, monkeypatch: pytest.MonkeyPatch, mcp: McpSettings | None = None, **more: Any
) -> AsyncIterator[World]:
    use_engines(monkeypatch, echoing("parrot"))
    async with opened(home, mcp=mcp or McpSettings(), **more) as world:
        yield world


@asynccontextmanager
async def connected(world: World, key: Key, mode: str = "auto", **more: Any) -> AsyncIterator[Client]:
    """The official client, over our application without a socket."""
    transport = httpx2.ASGITransport(mount(world.system))
    headers = {"authorization": f"Bearer {key.secret}"}
    async with (
        httpx2.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as http,
        Client(streamable_http_client("http://localhost/mcp", http_client=http), mode=mode, **more) as client,
    ):
        yield client


@asynccontextmanager
async def listening(world: World) -> AsyncIterator[str]:
    """The address of our application on a socket: what streams for long does not go without one."""
    config = uvicorn.Config(mount(world.system), host="127.0.0.1", port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        server.should_exit = server.force_exit = True
        await serving


@asynccontextmanager
async def over(url: str, key: Key, mode: str = "auto", **more: Any) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer {key.secret}"}, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode, **more) as client,
    ):
        yield client
