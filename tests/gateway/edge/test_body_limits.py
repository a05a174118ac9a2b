"""Bodies beyond the bounds, however they arrive, are refused before anything parses them."""

from __future__ import annotations

import json
import socket
from typing import Annotated
from urllib.parse import urlsplit

import pytest
from fastapi import APIRouter, FastAPI, Form, UploadFile
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import Response as HttpResponse
from starlette.types import Message, Receive, Scope, Send

from mainspring.core.types import Finish, Text
from mainspring.gateway.edge.body_limits import LINGER_BYTES, BodyLimit
from tests.conftest import Server
from tests.gateway.asgi import ask, gateway
from tests.serving.house import Recited

BODY, UPLOAD = 1000, 5000
CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def app() -> FastAPI:
    files = APIRouter()

    @files.post("/v1/files")
    async def upload(file: UploadFile, purpose: Annotated[str, Form()]) -> HttpResponse:
        return HttpResponse(str(len(await file.read())))

    return gateway(Recited(Text("Hello"), Finish("stop")), files, max_body_bytes=BODY, max_upload_bytes=UPLOAD)


def padded(size: int) -> bytes:
    """A valid chat request of exactly ``size`` bytes."""
    empty = json.dumps({**CHAT, "user": ""}).encode()
    return empty.replace(b'"user": ""', b'"user": "' + b"x" * (size - len(empty)) + b'"')


def form(size: int) -> tuple[bytes, dict[str, str]]:
    """A valid upload of ``size`` bytes, form included, and its headers."""
    head = (
        b'--B\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nx\r\n'
        b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    )
    tail = b"\r\n--B--\r\n"
    body = head + b"x" * (size - len(head) - len(tail)) + tail
    return body, {"content-type": "multipart/form-data; boundary=B"}


def pieces(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


async def test_a_declared_length_is_refused_at_once() -> None:
    at_most = await ask(app(), "POST", "/v1/completions", b" " * BODY)
    assert at_most.error["code"] == "invalid_request"
    beyond = await ask(app(), "POST", "/v1/completions", b" " * (BODY + 1))
    assert (beyond.status, beyond.error["code"]) == (413, "request_too_large")
    assert "gateway.max_body_bytes" in beyond.error["message"]
    assert beyond.headers["connection"] == ["close"]
    assert len(beyond.headers["x-trace-id"]) == 1


async def test_a_chunked_body_is_refused_when_it_passes_the_bound() -> None:
    fits = await ask(app(), "POST", "/v1/chat/completions", pieces=pieces(padded(BODY // 2), 7))
    assert fits.status == 200
    beyond = await ask(app(), "POST", "/v1/chat/completions", pieces=pieces(padded(BODY + 1), 7))
    assert (beyond.status, beyond.error["code"]) == (413, "request_too_large")


async def test_a_chunked_body_is_not_read_beyond_the_bound() -> None:
    read = 0
    answered_at = 0

    async def endless() -> Message:
        nonlocal read
        read += 1
        size = 100 if read < 50 else LINGER_BYTES // 10
        return {"type": "http.request", "body": bytes(size), "more_body": True}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        nonlocal answered_at
        answered_at = answered_at or read
        sent.append(message)

    scope: Scope = {"type": "http", "path": "/v1/completions", "headers": []}

    async def reader(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["more_body"]:
            pass

    await BodyLimit(reader, max_body=BODY, max_upload=UPLOAD)(scope, endless, send)
    assert sent[0]["status"] == 413
    assert answered_at == BODY // 100 + 1
    assert read < 70, "an endless body is discarded without end"


async def test_uploads_have_a_bound_of_their_own() -> None:
    body, headers = form(UPLOAD)
    for how in ({"body": body}, {"pieces": pieces(body, 501)}):
        fits = await ask(app(), "POST", "/v1/files", headers=headers, **how)
        assert fits.status == 200, fits.body
        assert int(fits.body) > BODY
    body, headers = form(UPLOAD + 1)
    for how in ({"body": body}, {"pieces": pieces(body, 501)}):
        beyond = await ask(app(), "POST", "/v1/files", headers=headers, **how)
        assert (beyond.status, beyond.error["code"]) == (413, "request_too_large")
        assert "gateway.max_upload_bytes" in beyond.error["message"]
    other = await ask(app(), "POST", "/v1/chat/completions", b" " * UPLOAD)
    assert other.status == 413


@pytest.mark.parametrize("declared", ["-1", "1e3", "0x10", "", "1 0"])
async def test_a_length_that_is_no_number_is_refused(declared: str) -> None:
    reply = await ask(app(), "POST", "/v1/completions", b"{}", headers={"content-length": declared})
    assert reply.status == 413


async def test_a_length_that_lies_does_not_raise_the_bound() -> None:
    reply = await ask(app(), "POST", "/v1/completions", padded(BODY * 2), headers={"content-length": "2"})
    assert reply.status == 413


@given(sizes=st.lists(st.integers(0, 300), max_size=12))
@settings(max_examples=60, deadline=None)
async def test_whatever_the_pieces_the_bound_holds(sizes: list[int]) -> None:
    reply = await ask(app(), "POST", "/v1/completions", pieces=[b" " * size for size in sizes] or [b""])
    assert reply.status == (413 if sum(sizes) > BODY else 400)


def connected(server: Server) -> socket.socket:
    address = urlsplit(server.url)
    return socket.create_connection((address.hostname or "", address.port or 0), timeout=60)


def test_a_client_that_sends_all_before_it_reads_sees_the_refusal(server: Server) -> None:
    for _ in range(3):
        status, body = server.call("POST", "/v1/embeddings", bytes(20 * 2**20))
        assert (status, body["error"]["code"]) == (413, "request_too_large")


def test_a_client_that_asks_before_it_sends_is_refused_at_once(server: Server) -> None:
    with connected(server) as connection:
        connection.sendall(
            b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n"
        )
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
        assert answer.startswith(b"HTTP/1.1 413")
        assert b"100 Continue" not in answer


def test_a_real_socket_gets_413_for_a_body_that_never_ends(server: Server) -> None:
    with connected(server) as connection:
        connection.sendall(
            f"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.key}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        for _ in range(20):
            connection.sendall(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 413")
    assert server.raw("GET", "/healthz")[0] == 200


def test_a_real_socket_that_sends_more_than_it_declares_is_survived(server: Server) -> None:
    with connected(server) as connection:
        connection.sendall(
            f"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.key}\r\n"
            "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}".encode()
            + b"x" * 10_000
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 400")
    assert server.raw("GET", "/healthz")[0] == 200
