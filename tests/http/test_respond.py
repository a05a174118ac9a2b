"""A client that leaves ends what it waited for, and nothing else does; an answer's head travels with its body."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from fastapi import Request as HttpRequest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from mainspring.core.types import Head
from mainspring.gateway.edge.connection import _WholeHead
from mainspring.http.respond import head_headers, while_connected


class Client:
    """The receiving side of a request whose client may leave."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.http = HttpRequest({"type": "http"}, self._receive)

    async def _receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}


async def test_names_that_no_header_can_hold_are_percent_encoded() -> None:
    """Else an answer that was made, and paid for, is a 500."""
    head = Head(
        "mod\u00e8le \u4e2d", arm="\u4e2d%", instead="a\nb", headers={"x-mainspring-route": "model=a; by=rules"}
    )
    headers = head_headers(head)
    assert headers["x-model"] == "mod%C3%A8le %E4%B8%AD"
    assert headers["x-mainspring-arm"] == "%E4%B8%AD%25"
    assert headers["x-mainspring-instead-of"] == "a%0Ab"
    assert headers["x-mainspring-route"] == "model=a; by=rules"


async def test_work_is_done_in_the_callers_own_task() -> None:
    async def work() -> asyncio.Task[Any] | None:
        await asyncio.sleep(0)
        return asyncio.current_task()

    assert await while_connected(Client().http, work()) is asyncio.current_task()


async def test_a_client_that_leaves_cancels_and_the_caller_goes_on() -> None:
    client, closed = Client(), []

    async def work() -> None:
        try:
            client.left.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            closed.append("all")

    with pytest.raises(ClientDisconnect):
        await while_connected(client.http, work())
    assert closed == ["all"]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_a_caller_that_is_cancelled_stays_cancelled() -> None:
    client = Client()
    task = asyncio.create_task(while_connected(client.http, asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    client.left.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_failures_and_results_pass_through() -> None:
    async def fails() -> None:
        raise LookupError("no")

    with pytest.raises(LookupError):
        await while_connected(Client().http, fails())
    assert await while_connected(Client().http, asyncio.sleep(0, "done")) == "done"


class Wire:
    """What a transport sends, packet by packet."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self) -> None:
        self.closed = True


async def test_a_head_travels_with_the_first_part_of_its_body() -> None:
    wire = Wire()
    transport = _WholeHead(cast(asyncio.Transport, wire), asyncio.get_running_loop())
    transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
    assert wire.sent == []
    transport.write(b"5\r\nfirst\r\n")
    transport.write(b"6\r\nsecond\r\n")
    assert wire.sent == [b"HTTP/1.1 200 OK\r\n\r\n5\r\nfirst\r\n", b"6\r\nsecond\r\n"]


async def test_a_head_waits_for_no_body_that_does_not_come_at_once() -> None:
    wire = Wire()
    transport = _WholeHead(cast(asyncio.Transport, wire), asyncio.get_running_loop())
    transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
    await asyncio.sleep(0)
    assert wire.sent == [b"HTTP/1.1 200 OK\r\n\r\n"]
    transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    transport.close()
    assert wire.sent[1:] == [b"HTTP/1.1 204 No Content\r\n\r\n"]
    assert wire.closed
