"""Events on NATS JetStream: against a real server where there is one."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from mainspring.core.errors import UpstreamError
from mainspring.features.lake.settings import NatsSettings
from mainspring.features.lake.stream import publishing
from mainspring.stores.events import feed
from mainspring.stores.schema import events
from tests.features.lake.world import World

SERVER = shutil.which("nats-server")
needs_server = pytest.mark.skipif(SERVER is None, reason="no nats-server: `apt install nats-server` brings one")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[str]:
    nats = pytest.importorskip("nats")
    port = free_port()
    assert SERVER is not None
    command = [SERVER, "-js", "-a", "127.0.0.1", "-p", str(port), "-sd", str(tmp_path / "jetstream")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"nats://127.0.0.1:{port}"
    try:
        for _ in range(100):
            try:
                connection = await nats.connect(url, allow_reconnect=False)
                break
            except Exception:
                await asyncio.sleep(0.1)
        await connection.jetstream().add_stream(name="events", subjects=["mainspring.events.>"])
        await connection.close()
        yield url
    finally:
        process.terminate()
        process.wait()


async def messages(url: str, subject: str) -> list[dict[str, Any]]:
    import nats

    connection = await nats.connect(url)
    try:
        taken = await connection.jetstream().pull_subscribe(subject, stream="events")
        try:
            return [orjson.loads(each.data) for each in await taken.fetch(100, timeout=2)]
        except TimeoutError:
            return []
    finally:
        await connection.close()


@needs_server
@pytest.mark.slow
async def test_each_event_is_published_once(world: World, server: str) -> None:
    world = World(world.stores, world.settings.home, nats={"url": server})
    asked = await world.say("How do I reset it?", replica="gpu-7")
    await world.say("How do I reset it?", tenant="a.b > c")
    assert await world.lake.publishing.publish() == 4
    assert await world.lake.publishing.publish() == 0
    # A process that dies before it has moved its position publishes the batch again: the server drops that.
    await world.stores.database.write(lambda c: feed.move(c, publishing.NAME, 0))
    assert await world.lake.publishing.publish() == 4
    found = await messages(server, "mainspring.events.>")
    assert len(found) == 4
    (answer,) = await messages(server, "mainspring.events.acme.answer")
    assert answer["id"] == asked
    assert answer["facts"]["status"] == "completed"
    assert "replica" not in answer["facts"]
    assert "reset" not in str(found)


async def test_a_server_that_is_away_is_reported(world: World) -> None:
    pytest.importorskip("nats")
    world = World(world.stores, world.settings.home, nats={"url": f"nats://127.0.0.1:{free_port()}"})
    await world.say("How do I reset it?")
    with pytest.raises(UpstreamError, match=r"lake\.nats\.url"):
        await world.lake.publishing.publish()


async def test_an_event_that_cannot_be_read_stops_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = await world.say("How do I reset it?")
    await world.say("Where is it?")
    damage = sa.update(events).where(events.c.id == bad).values(facts="{no json")
    await world.stores.database.write(lambda connection: connection.execute(damage) and None)
    sent: list[str] = []

    class Connection:
        def jetstream(self) -> Connection:
            return self

        async def publish(self, _: str, message: bytes, **more: Any) -> None:
            sent.append(more["headers"]["Nats-Msg-Id"])
            assert orjson.loads(message)["facts"]

        async def close(self) -> None: ...

    async def connected(_: publishing.Publishing) -> Connection:
        return Connection()

    monkeypatch.setattr(publishing.Publishing, "_connect", connected)
    publisher = publishing.Publishing(world.stores.database, NatsSettings(url="nats://nowhere"))
    assert await publisher.publish() == 4
    assert len(sent) == 3
    assert await publisher.publish() == 0
