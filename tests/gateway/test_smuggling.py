"""Requests that two readers could take for different ones, on a real server with a raw socket at the other end: each
ends in a refusal and a closed connection, and what stands behind it is not read as a request."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest

from mainspring.core.settings import GatewaySettings
from mainspring.core.types import Finish, Text
from mainspring.gateway.edge.connection import MAX_HEADERS
from mainspring.gateway.edge.server import serving
from mainspring.gateway.edge.trace_headers import SECURITY
from tests.gateway.asgi import gateway
from tests.gateway.edge.test_connection import CHAT, HEAD, KEY, WHOLE, Wire
from tests.serving.house import Recited

OPEN = HEAD + KEY
LENGTH = b"Content-Length: %d\r\n" % len(CHAT)
CODED = b"Transfer-Encoding: chunked\r\n"
SIZE = b"%x" % len(CHAT)
CHUNKS = SIZE + b"\r\n" + CHAT + b"\r\n0\r\n\r\n"
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"

REFUSED = {
    "length and coding": OPEN + LENGTH + CODED + b"\r\n" + CHUNKS,
    "coding and length": OPEN + CODED + LENGTH + b"\r\n" + CHUNKS,
    "length of another chunk": OPEN + b"Content-Length: 5\r\n" + CODED + b"\r\n0\r\n\r\n",
    "the same length twice": OPEN + LENGTH + LENGTH + b"\r\n" + CHAT,
    "two lengths": OPEN + LENGTH + b"Content-Length: 3\r\n\r\n" + CHAT,
    "a list of lengths": OPEN + b"Content-Length: %d, %d\r\n\r\n" % (len(CHAT), len(CHAT)) + CHAT,
    "a signed length": OPEN + b"Content-Length: +%d\r\n\r\n" % len(CHAT) + CHAT,
    "a negative length": OPEN + b"Content-Length: -1\r\n\r\n" + CHAT,
    "a hexadecimal length": OPEN + b"Content-Length: 0x40\r\n\r\n" + CHAT,
    "an empty length": OPEN + b"Content-Length:\r\n\r\n" + CHAT,
    "a length in parts": OPEN + b"Content-Length: 4 0\r\n\r\n" + CHAT,
    "a length beyond numbers": OPEN + b"Content-Length: 99999999999999999999999\r\n\r\n" + CHAT,
    "an unknown coding": OPEN + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKS,
    "a coding behind chunked": OPEN + b"Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNKS,
    "a coding before chunked": OPEN + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS,
    "no coding by name": OPEN + b"Transfer-Encoding: identity\r\n" + LENGTH + b"\r\n" + CHAT,
    "two codings": OPEN + CODED + b"Transfer-Encoding: identity\r\n\r\n" + CHUNKS,
    "the same coding twice": OPEN + CODED + CODED + b"\r\n" + CHUNKS,
    "a coding behind a vertical tab": OPEN + b"Transfer-Encoding:\x0bchunked\r\n\r\n" + CHUNKS,
    "a quoted coding": OPEN + b'Transfer-Encoding: "chunked"\r\n\r\n' + CHUNKS,
    "a coding in HTTP/1.0": OPEN.replace(b"HTTP/1.1", b"HTTP/1.0") + CODED + b"\r\n" + CHUNKS,
    "space before the colon": OPEN + b"Content-Length : %d\r\n\r\n" % len(CHAT) + CHAT,
    "a coding and space before its colon": OPEN + b"Transfer-Encoding : chunked\r\n" + LENGTH + b"\r\n" + CHAT,
    "a folded line": OPEN + b"X-A: b\r\n c\r\n" + LENGTH + b"\r\n" + CHAT,
    "a folded coding": OPEN + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + CHUNKS,
    "bare line feeds": (OPEN + LENGTH + b"\r\n").replace(b"\r\n", b"\n") + CHAT,
    "one bare line feed": OPEN + b"X-A: b\n" + LENGTH + b"\r\n" + CHAT,
    "a bare line feed at the end": OPEN + LENGTH + b"\n" + CHAT,
    "a bare carriage return": OPEN + b"X-A: b\rContent-Length: 3\r\n" + LENGTH + b"\r\n" + CHAT,
    "a zero byte": OPEN + b"X-A: b\x00c\r\n" + LENGTH + b"\r\n" + CHAT,
    "a header without a name": OPEN + b": b\r\n" + LENGTH + b"\r\n" + CHAT,
    "no host": OPEN.replace(b"Host: x\r\n", b"") + LENGTH + b"\r\n" + CHAT,
    "two hosts": OPEN + b"Host: y\r\n" + LENGTH + b"\r\n" + CHAT,
    "two keys": OPEN + b"Authorization: Bearer ms-embed\r\n" + LENGTH + b"\r\n" + CHAT,
    "two types": OPEN + b"Content-Type: text/plain\r\n" + LENGTH + b"\r\n" + CHAT,
    "a chunk size in C": OPEN + CODED + b"\r\n0x" + CHUNKS,
    "a signed chunk size": OPEN + CODED + b"\r\n+" + CHUNKS,
    "a negative chunk size": OPEN + CODED + b"\r\n-1\r\n" + CHAT,
    "space before a chunk size": OPEN + CODED + b"\r\n " + CHUNKS,
    "space behind a chunk size": OPEN + CODED + b"\r\n" + SIZE + b" \r\n" + CHAT + b"\r\n0\r\n\r\n",
    "a chunk size beyond numbers": OPEN + CODED + b"\r\nFFFFFFFFFFFFFFFFFF\r\n" + CHAT,
    "a line feed behind a chunk size": OPEN + CODED + b"\r\n" + SIZE + b"\n" + CHAT + b"\r\n0\r\n\r\n",
    "a line feed behind a chunk": OPEN + CODED + b"\r\n" + SIZE + b"\r\n" + CHAT + b"\n0\r\n\r\n",
    "a line feed behind the last chunk": OPEN + CODED + b"\r\n" + SIZE + b"\r\n" + CHAT + b"\r\n0\n\r\n",
    "a line feed behind an extension": OPEN + CODED + b"\r\n" + SIZE + b";a=b\n" + CHAT + b"\r\n0\r\n\r\n",
    "a chunk that does not end": OPEN + CODED + b"\r\n" + SIZE + b"\r\n" + CHAT + b"0\r\n\r\n",
    "a length behind the body": OPEN + CODED + b"\r\n" + CHUNKS[:-2] + b"Content-Length: 4\r\n\r\n",
    "another version": OPEN.replace(b"HTTP/1.1", b"HTTP/1.2") + LENGTH + b"\r\n" + CHAT,
    "no version": b"GET /healthz\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a tunnel": b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tab in the first line": OPEN.replace(b"POST ", b"POST\t") + LENGTH + b"\r\n" + CHAT,
    "a space in the path": OPEN.replace(b"completions HTTP", b"completions x HTTP") + LENGTH + b"\r\n" + CHAT,
    "bytes in the path": b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.fixture
async def address() -> AsyncIterator[tuple[str, int]]:
    settings = GatewaySettings(port=0, read_timeout_s=0.6)
    async with serving(gateway(Recited(Text("Hello"), Finish("stop"))), settings) as (server, url):
        host, _, port = url.removeprefix("http://").partition(":")
        yield host, int(port)
        server.should_exit = True


async def works(address: tuple[str, int]) -> bool:
    """Whether somebody else is served at once."""
    wire = Wire(*await asyncio.open_connection(*address))
    await wire.send(WHOLE)
    status, _, body = await wire.answer()
    wire.writer.close()
    return status == 200 and json.loads(body)["choices"][0]["message"]["content"] == "Hello"


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED)
async def test_what_is_ambiguous_is_refused_and_nothing_behind_it_is_read(
    address: tuple[str, int], sent: bytes
) -> None:
    wire = Wire(*await asyncio.open_connection(*address))
    await wire.send(sent + HIDDEN)
    answer = await wire.rest()
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"400"], answer
    assert b"connection: close" in answer.lower()
    for name, value in SECURITY:
        assert b"%b: %b" % (name, value) in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "invalid_request"
    assert b"hidden" not in answer
    wire.writer.close()
    assert await works(address)


async def test_a_chunk_that_never_comes_is_waited_for_as_any_body(address: tuple[str, int]) -> None:
    wire = Wire(*await asyncio.open_connection(*address))
    await wire.send(OPEN + CODED + b"\r\nFFFFFFFFFFFFFFFF\r\n" + CHAT)
    assert await works(address)
    assert re.findall(rb"HTTP/1.1 (\d+)", await wire.rest()) == [b"408"]
    wire.writer.close()


async def test_what_stands_behind_the_body_is_no_header(address: tuple[str, int]) -> None:
    """Whoever stands before us has checked the headers, and does not look there."""
    wire = Wire(*await asyncio.open_connection(*address))
    await wire.send(HEAD + CODED + b"\r\n" + CHUNKS[:-2] + KEY + b"\r\n")
    assert re.findall(rb"HTTP/1.1 (\d+)", await wire.rest()) == [b"401"]
    wire.writer.close()
    wire = Wire(*await asyncio.open_connection(*address))
    await wire.send(OPEN + CODED + b"\r\n" + CHUNKS[:-2] + b"X-A: b\r\n\r\n")
    assert (await wire.answer())[0] == 200
    wire.writer.close()


async def test_headers_behind_the_body_are_bounded(address: tuple[str, int]) -> None:
    wire = Wire(*await asyncio.open_connection(*address))
    await wire.send(OPEN + CODED + b"\r\n" + CHUNKS[:-2] + b"X-A: b\r\n" * (MAX_HEADERS + 1) + b"\r\n")
    assert re.findall(rb"HTTP/1.1 (\d+)", await wire.rest()) == [b"431"]
    wire.writer.close()


@pytest.mark.parametrize("wish", ["h2c", "websocket"])
async def test_a_request_for_another_protocol_is_ignored(address: tuple[str, int], wish: str) -> None:
    """As Java's client sends it with each first request, the body following at once."""
    upgrade = f"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {wish}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n".encode()
    wire = Wire(*await asyncio.open_connection(*address))
    await wire.send(OPEN + upgrade + LENGTH + b"\r\n" + CHAT)
    assert (await wire.answer())[0] == 200
    # In pieces, and the connection goes on.
    await wire.send(OPEN + upgrade + LENGTH)
    await asyncio.sleep(0.05)
    await wire.send(b"\r\n" + CHAT[:10])
    await asyncio.sleep(0.05)
    await wire.send(CHAT[10:] + WHOLE)
    assert (await wire.answer())[0] == 200
    assert (await wire.answer())[0] == 200
    wire.writer.close()
