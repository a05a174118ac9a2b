"""Clients that are slow on purpose: readers of streams, and many who do nothing. The others are served at once."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from mainspring.core.settings import GatewaySettings
from mainspring.core.types import Context, Event, Head, Request, Response, Text
from mainspring.gateway.edge.server import serving
from tests.gateway.asgi import gateway
from tests.gateway.edge.test_connection import HEAD, KEY, WHOLE, Wire

TIMEOUT_S = 0.6
STREAM = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "Talk"}]}).encode()
ASKED = HEAD + KEY + b"Content-Length: %d\r\n\r\n" % len(STREAM) + STREAM


class Endless:
    """Answers a stream without end to who asks for it, and shortly to others; knows how many it still tells."""

    def __init__(self) -> None:
        self.telling = 0

    async def respond(self, request: Any, context: Context) -> Response:
        endless = "Talk" in request.messages[0].content
        return Response(Head("m"), self._events(endless))

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return None

    async def _events(self, endless: bool) -> AsyncGenerator[Event, None]:
        self.telling += 1
        try:
            while endless:
                yield Text("x" * 1000)
                await asyncio.sleep(0)
            yield Text("Hello")
        finally:
            self.telling -= 1


@pytest.fixture
async def endless() -> Endless:
    return Endless()


@pytest.fixture
async def address(endless: Endless) -> AsyncIterator[tuple[str, int]]:
    settings = GatewaySettings(port=0, read_timeout_s=TIMEOUT_S, shutdown_grace_s=1)
    async with serving(gateway(endless), settings) as (server, url):
        host, _, port = url.removeprefix("http://").partition(":")
        yield host, int(port)
        server.should_exit = True


async def works(address: tuple[str, int]) -> bool:
    wire = Wire(*await asyncio.open_connection(*address))
    await wire.send(WHOLE)
    status, _, _ = await wire.answer()
    wire.writer.close()
    return status == 200


def narrow(address: tuple[str, int]) -> socket.socket:
    """A connection whose kernel takes little by itself."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(address)
    connection.setblocking(False)
    return connection


async def ends(endless: Endless, seconds: float = 20.0) -> bool:
    for _ in range(int(seconds / 0.05)):
        if not endless.telling:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_who_does_not_read_a_stream_is_cut_off_and_its_work_ends(
    address: tuple[str, int], endless: Endless
) -> None:
    loop = asyncio.get_running_loop()
    readers = [narrow(address) for _ in range(20)]
    for reader in readers:
        await loop.sock_sendall(reader, ASKED)
    async with asyncio.timeout(30):
        while endless.telling < 20:
            await asyncio.sleep(0.01)
    assert await works(address)
    assert await ends(endless)
    for reader in readers:
        reader.close()


async def test_who_sips_at_a_stream_is_cut_off(address: tuple[str, int], endless: Endless) -> None:
    loop = asyncio.get_running_loop()
    reader = narrow(address)
    await loop.sock_sendall(reader, ASKED)
    await asyncio.sleep(0.3)

    async def sip() -> None:
        with suppress(ConnectionError):
            while await loop.sock_recv(reader, 10):
                await asyncio.sleep(0.05)

    sipping = asyncio.create_task(sip())
    assert await ends(endless)
    sipping.cancel()
    reader.close()


async def test_who_reads_slowly_but_steadily_is_served(address: tuple[str, int], endless: Endless) -> None:
    loop = asyncio.get_running_loop()
    reader = narrow(address)
    await loop.sock_sendall(reader, ASKED)
    taken, began = 0, loop.time()
    while loop.time() - began < 4 * TIMEOUT_S:
        taken += len(await asyncio.wait_for(loop.sock_recv(reader, 20_000), 60))
        await asyncio.sleep(0.02)
    assert endless.telling == 1
    reader.close()
    assert await ends(endless)


async def test_many_who_say_nothing_keep_nobody_out_and_are_closed(address: tuple[str, int]) -> None:
    idle = [Wire(*await asyncio.open_connection(*address)) for _ in range(300)]
    assert await works(address)
    for wire in idle:
        assert await wire.rest() == b""
        wire.writer.close()


async def test_many_bodies_that_do_not_come_keep_nobody_out(address: tuple[str, int]) -> None:
    slow = [Wire(*await asyncio.open_connection(*address)) for _ in range(100)]
    for wire in slow:
        await wire.send(HEAD + KEY + b"Content-Length: 500\r\n\r\n{")
    assert await works(address)
    for wire in slow:
        assert (await wire.rest()).startswith(b"HTTP/1.1 408")
        wire.writer.close()
