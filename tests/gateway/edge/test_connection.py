"""Connections that send slowly, too much, or nonsense, on a real server with a raw socket at the other end."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mainspring.core.settings import GatewaySettings
from mainspring.core.types import Finish, Text
from mainspring.gateway.edge.connection import MAX_HEADER_BYTES, MAX_HEADERS
from mainspring.gateway.edge.server import serving
from tests.gateway.asgi import gateway
from tests.serving.house import Recited

TIMEOUT_S = 0.6
CHAT = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}).encode()
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
KEY = b"Authorization: Bearer ms-all\r\n"
WHOLE = HEAD + KEY + b"Content-Length: %d\r\n\r\n" % len(CHAT) + CHAT


@pytest.fixture
async def address() -> AsyncIterator[tuple[str, int]]:
    """A server whose ``read_timeout_s`` is short."""
    settings = GatewaySettings(port=0, read_timeout_s=TIMEOUT_S)
    app = gateway(Recited(Text("Hello"), Finish("stop")))
    async with serving(app, settings) as (server, url):
        host, _, port = url.removeprefix("http://").partition(":")
        yield host, int(port)
        server.should_exit = True


class Wire:
    """A raw connection, used from the server's own loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def drip(self, data: bytes, every_s: float) -> None:
        """Byte by byte, until all is sent or the server has closed."""
        for byte in data:
            if self.reader.at_eof():
                return
            try:
                await self.send(bytes([byte]))
            except ConnectionError:
                return
            await asyncio.sleep(every_s)

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        return await asyncio.wait_for(self.reader.read(), 30)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """One answer, with the connection left open."""
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 30)).decode()
        status, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await self.reader.readexactly(int(headers["content-length"]))
        return int(status.split()[1]), headers, body


@pytest.fixture
async def wire(address: tuple[str, int]) -> AsyncIterator[Wire]:
    made = Wire(*await asyncio.open_connection(*address))
    yield made
    made.writer.close()


def error(answer: bytes) -> tuple[int, dict[str, Any]]:
    """Status and error of an answer after which the connection was closed."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    return int(head.split()[1]), json.loads(body)["error"]


async def test_headers_that_drip_are_cut_off_with_408(wire: Wire) -> None:
    dripping = asyncio.create_task(wire.drip(HEAD * 5, TIMEOUT_S / 20))
    status, told = error(await wire.rest())
    assert (status, told["code"]) == (408, "request_timeout")
    assert "gateway.read_timeout_s" in told["message"]
    await dripping


async def test_a_body_that_drips_is_cut_off_with_408(wire: Wire) -> None:
    await wire.send(HEAD + KEY + b"Content-Length: 5000\r\n\r\n")
    dripping = asyncio.create_task(wire.drip(b" " * 1000, TIMEOUT_S / 20))
    status, told = error(await wire.rest())
    assert (status, told["code"]) == (408, "request_timeout")
    await dripping


async def test_a_body_that_stops_is_cut_off_chunked_or_not(address: tuple[str, int]) -> None:
    for head, part in ((b"Content-Length: 5000\r\n\r\n", b"{"), (b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n")):
        wire = Wire(*await asyncio.open_connection(*address))
        await wire.send(HEAD + KEY + head + part)
        assert error(await wire.rest())[0] == 408
        wire.writer.close()


async def test_a_large_body_may_take_longer_than_the_timeout(wire: Wire) -> None:
    """What counts is the rate: a body that keeps coming is read to its end."""
    body = CHAT[:-1] + b" " * 200_000 + b"}"
    await wire.send(HEAD + KEY + b"Content-Length: %d\r\n\r\n" % len(body))
    began = asyncio.get_running_loop().time()
    for start in range(0, len(body), 20_000):
        await wire.send(body[start : start + 20_000])
        await asyncio.sleep(TIMEOUT_S / 5)
    assert asyncio.get_running_loop().time() - began > TIMEOUT_S
    assert (await wire.answer())[0] == 200


async def test_a_silent_connection_is_closed_without_a_word(wire: Wire) -> None:
    assert await wire.rest() == b""


async def test_a_connection_between_requests_is_kept(wire: Wire) -> None:
    await wire.send(WHOLE)
    assert (await wire.answer())[0] == 200
    await asyncio.sleep(TIMEOUT_S * 1.5)
    await wire.send(WHOLE)
    assert (await wire.answer())[0] == 200
    # The next request on the same connection is watched like the first.
    await wire.send(HEAD)
    assert error(await wire.rest())[0] == 408


async def test_a_slow_answer_is_not_a_slow_request() -> None:
    class Slow(Recited):
        async def respond(self, request: Any, context: Any) -> Any:
            await asyncio.sleep(TIMEOUT_S * 2)
            return await super().respond(request, context)

    settings = GatewaySettings(port=0, read_timeout_s=TIMEOUT_S)
    async with serving(gateway(Slow(Text("Hello"), Finish("stop"))), settings) as (server, url):
        host, _, port = url.removeprefix("http://").partition(":")
        wire = Wire(*await asyncio.open_connection(host, int(port)))
        # A second request waits behind the first, part of it unread.
        await wire.send(WHOLE + HEAD)
        assert (await wire.answer())[0] == 200
        wire.writer.close()
        server.should_exit = True


@pytest.mark.parametrize(
    "headers",
    [
        b"X-A: b\r\n" * (MAX_HEADERS + 1) + b"\r\n",
        b"X-A: " + b"b" * MAX_HEADER_BYTES + b"\r\n\r\n",
        b"X-A: " + b"b" * 3 * MAX_HEADER_BYTES,
        b"X-" + b"A" * 2 * MAX_HEADER_BYTES,
    ],
    ids=["many", "large", "endless value", "endless name"],
)
async def test_too_many_or_too_large_headers_are_431(wire: Wire, headers: bytes) -> None:
    await wire.send(HEAD + KEY + headers)
    status, told = error(await wire.rest())
    assert (status, told["code"]) == (431, "headers_too_large")


async def test_a_path_without_end_is_431(wire: Wire) -> None:
    await wire.send(b"GET /" + b"a" * 2 * MAX_HEADER_BYTES)
    assert error(await wire.rest())[0] == 431


async def test_headers_within_the_bounds_are_read(wire: Wire) -> None:
    rest = b"X-A: b\r\n" * (MAX_HEADERS - 5) + b"X-L: " + b"c" * (MAX_HEADER_BYTES // 2) + b"\r\n"
    await wire.send(HEAD + KEY + rest + b"Content-Length: %d\r\n\r\n" % len(CHAT) + CHAT)
    assert (await wire.answer())[0] == 200
    # Each request of a connection is counted by itself.
    await wire.send(HEAD + KEY + rest + b"Content-Length: %d\r\n\r\n" % len(CHAT) + CHAT)
    assert (await wire.answer())[0] == 200


async def test_what_is_not_http_is_refused_in_the_envelope(wire: Wire) -> None:
    await wire.send(b"\x00\xff\x00 nonsense\r\n\r\n")
    status, told = error(await wire.rest())
    assert (status, told["code"]) == (400, "invalid_request")


async def test_nonsense_behind_a_request_does_not_take_its_answer(wire: Wire) -> None:
    await wire.send(WHOLE + b"\x00\xff\r\n\r\n")
    status, headers, body = await wire.answer()
    assert (status, headers["connection"]) == (200, "close")
    assert json.loads(body)["choices"][0]["message"]["content"] == "Hello"
    assert await wire.rest() == b""


# --- the key is checked before the body ---------------------------------------------------------------------------


@pytest.mark.parametrize("key", [b"", b"Authorization: Bearer nonsense\r\n", b"Authorization: Bearer ms-embed\r\n"])
@pytest.mark.parametrize("length", [b"Content-Length: 8000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
async def test_who_has_no_key_is_answered_before_the_body_is_sent(wire: Wire, key: bytes, length: bytes) -> None:
    await wire.send(HEAD + key + length)
    status, headers, body = await wire.answer()
    expected = (403, "insufficient_scope") if b"embed" in key else (401, "invalid_api_key")
    assert (status, json.loads(body)["error"]["code"]) == expected
    assert headers["connection"] == "close"
    # It is not waited for the body either.
    assert await wire.rest() == b""


async def test_who_sends_all_before_reading_sees_the_refusal(address: tuple[str, int]) -> None:
    def talk() -> bytes:
        with socket.create_connection(address, timeout=30) as connection:
            connection.sendall(HEAD + b"Content-Length: 8000000\r\n\r\n" + bytes(8_000_000))
            return connection.recv(4096)

    for _ in range(3):
        assert (await asyncio.to_thread(talk)).startswith(b"HTTP/1.1 401")


async def test_who_asks_before_sending_is_not_told_to_go_on(wire: Wire) -> None:
    await wire.send(HEAD + b"Expect: 100-continue\r\nContent-Length: 8000000\r\n\r\n")
    answer = await wire.rest()
    assert answer.startswith(b"HTTP/1.1 401")
    assert b"100 Continue" not in answer


async def test_a_small_refused_body_leaves_the_connection_usable(wire: Wire) -> None:
    await wire.send(HEAD + b"Content-Length: %d\r\n\r\n" % len(CHAT) + CHAT)
    assert (await wire.answer())[0] == 401
    await wire.send(WHOLE)
    assert (await wire.answer())[0] == 200


async def test_many_who_drip_do_not_keep_others_out(address: tuple[str, int]) -> None:
    slow = [Wire(*await asyncio.open_connection(*address)) for _ in range(50)]
    for each in slow:
        await each.send(HEAD)
    wire = Wire(*await asyncio.open_connection(*address))
    await wire.send(WHOLE)
    assert (await wire.answer())[0] == 200
    for each in slow:
        assert error(await each.rest())[0] == 408
        each.writer.close()
    wire.writer.close()
