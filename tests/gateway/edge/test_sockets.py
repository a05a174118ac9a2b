"""A connection that becomes a socket, on a real server: it speaks, it counts as its address's, and it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import wsproto
from wsproto.events import AcceptConnection, CloseConnection, RejectConnection, RejectData, Request, TextMessage

from mainspring.core.settings import GatewaySettings
from mainspring.core.types import Finish, Text
from mainspring.gateway.edge.server import serving
from tests.gateway.edge.test_connection import Wire
from tests.gateway.responses.test_routes import app

CREATE = {"type": "response.create", "model": "m", "input": "Hi", "store": False}


@pytest.fixture
async def address() -> AsyncIterator[tuple[str, int]]:
    """A server that takes one connection of an address at a time, and small messages."""
    settings = GatewaySettings(port=0, max_body_bytes=4096, addresses={"connections": 1})
    async with serving(app(Text("Hello"), Finish("stop")), settings) as (server, url):
        host, _, port = url.removeprefix("http://").partition(":")
        yield host, int(port)
        server.should_exit = True


class Socket:
    """A client's end."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._spoken = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        self._events: list[Any] = []

    async def send(self, event: Any) -> None:
        await self._wire.send(self._spoken.send(event))

    async def next(self) -> Any:
        while not self._events:
            data = await asyncio.wait_for(self._wire.reader.read(65536), 10)
            self._spoken.receive_data(data or None)
            self._events += self._spoken.events()
        return self._events.pop(0)

    async def text(self) -> dict[str, Any]:
        text, whole = "", False
        while not whole:
            event = await self.next()
            assert isinstance(event, TextMessage), event
            text, whole = text + event.data, event.message_finished
        told: dict[str, Any] = json.loads(text)
        return told


async def opened(address: tuple[str, int], key: str = "ms-chat", path: str = "/v1/responses") -> Socket:
    socket = Socket(Wire(*await asyncio.open_connection(*address)))
    headers = [(b"authorization", f"Bearer {key}".encode())]
    await socket.send(Request(host="x", target=path, extra_headers=headers))
    return socket


async def test_it_speaks_and_its_place_is_free_when_it_has_ended(address: tuple[str, int]) -> None:
    for _ in range(3):
        socket = await opened(address)
        assert isinstance(await socket.next(), AcceptConnection)
        # Another connection of this address has no place meanwhile.
        beside = Wire(*await asyncio.open_connection(*address))
        assert b"503" in (await beside.rest())[:16]
        await socket.send(TextMessage(json.dumps(CREATE)))
        told = [await socket.text()]
        while told[-1]["type"] != "response.completed":
            told.append(await socket.text())
        assert told[-1]["response"]["output"][0]["content"][0]["text"] == "Hello"
        await socket.send(CloseConnection(1000))
        assert isinstance(await socket.next(), CloseConnection)
        await asyncio.sleep(0.05)


async def test_a_wrong_key_is_refused_before_the_socket_is_open(address: tuple[str, int]) -> None:
    socket = await opened(address, "wrong")
    refused = await socket.next()
    assert isinstance(refused, RejectConnection)
    assert refused.status_code == 401
    assert isinstance(await socket.next(), RejectData)


async def test_a_message_is_bounded_like_a_body(address: tuple[str, int]) -> None:
    socket = await opened(address)
    assert isinstance(await socket.next(), AcceptConnection)
    await socket.send(TextMessage("x" * 5000))
    closed = await socket.next()
    assert isinstance(closed, CloseConnection)
    assert closed.code == 1009
