"""What is told while it happens: changes, progress, cancelling, and the end of the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from mcp.types import ResourceUpdatedNotification

from mainspring.core.settings import GatewaySettings
from mainspring.core.types import Finish, Head, Progress, Response
from mainspring.features.mcp.settings import McpSettings
from mainspring.gateway.edge.server import serving
from mainspring.gateway.mount import mount
from mainspring.serving.ring.registry import Served
from tests.features.mcp.clients import BLUE, VERSIONS, a_world, listening, over

pytestmark = pytest.mark.slow


async def test_listeners_are_told_of_changes_that_they_may_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_world(tmp_path, monkeypatch, McpSettings(watch_s=0.05)) as world:
        red, both = world.keys["red"], world.keys["both"]
        store = await world.store(red, "shelf")
        uri = f"mainspring://collections/{store}"
        async with (
            listening(world) as url,
            over(url, red) as client,
            client.listen(resources_list_changed=True, resource_subscriptions=[uri]) as changes,
        ):
            await world.add(both, await world.store(both, "hidden", BLUE), BLUE)
            await world.add(red, store, frozenset())
            kinds = {type(await anext(changes)).__name__, type(await anext(changes)).__name__}
            assert kinds == {"ResourcesListChanged", "ResourceUpdated"}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_server_that_stops_does_not_wait_for_listeners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    settings = GatewaySettings(port=0, shutdown_grace_s=300)
    async with (
        a_world(tmp_path, monkeypatch, gateway=settings) as world,
        AsyncExitStack() as stack,
        # Leaving this waits until the server is gone: long before its grace is over, or the test's time is.
        serving(mount(world.system), settings) as (server, url),
    ):
        client = await stack.enter_async_context(over(f"{url}/mcp", world.keys["red"], mode))
        if mode == "auto":
            await stack.enter_async_context(client.listen(tools_list_changed=True))
        else:
            await asyncio.sleep(0.5)
        server.should_exit = True


async def test_a_session_is_told_of_a_resource_that_it_subscribed_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()

    async def heard(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            told.put_nowait(str(message.params.uri))

    async with a_world(tmp_path, monkeypatch, McpSettings(watch_s=0.05)) as world:
        red = world.keys["red"]
        uri = f"mainspring://collections/{await world.store(red, 'shelf')}"
        async with listening(world) as url, over(url, red, "legacy", message_handler=heard) as client:
            await client.subscribe_resource(uri)
            await world.add(red, uri.rpartition("/")[2], frozenset())
            async with asyncio.timeout(10):
                assert await told.get() == uri
            await client.unsubscribe_resource(uri)


@pytest.mark.parametrize("mode", VERSIONS)
async def test_a_client_that_cancels_ends_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    class Slow:
        async def respond(self, request: Any, context: Any) -> Response:
            async def events() -> AsyncIterator[Any]:
                try:
                    yield Progress("reading", "the first page")
                    await asyncio.sleep(60)
                    yield Finish("stop")
                finally:
                    ended.set()

            return Response(Head("slow"), events())

        def fingerprint(self, request: Any, context: Any) -> None:
            return None

    steps: list[str] = []

    async def progress(progress: float, total: float | None, message: str | None) -> None:
        steps.append(message or "")
        began.set()

    async with a_world(tmp_path, monkeypatch) as world:
        world.system.registry.add(Served("slow agent", "application", Slow()))
        async with listening(world) as url, over(url, world.keys["red"], mode) as client:
            assert "run_slow_agent" in [each.name for each in (await client.list_tools()).tools]
            asking = asyncio.create_task(
                client.call_tool("run_slow_agent", {"message": "go"}, progress_callback=progress)
            )
            async with asyncio.timeout(10):
                await began.wait()
                asking.cancel()
                await ended.wait()
        assert steps == ["reading: the first page"]
