"""Turns a Response into HTTP: headers, streams, and cancellation when the client leaves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import TypeVar
from urllib.parse import quote

from fastapi import Request as HttpRequest
from starlette.requests import ClientDisconnect
from starlette.responses import Response as HttpResponse
from starlette.types import Receive, Scope, Send

from mainspring.core.errors import MainspringError
from mainspring.core.path import Answer, collect
from mainspring.core.types import Context, Head, Request, Responder, Response
from mainspring.http.heartbeat import SEND, Heartbeat
from mainspring.http.openai import encode

log = logging.getLogger("mainspring.gateway")
T = TypeVar("T")
Storing = Callable[[Responder, Mapping[str, str]], Responder]
"""A responder whose answers are stored under these tags."""
_PRINTABLE = "".join(map(chr, range(32, 127))).replace("%", "")


def head_headers(head: Head) -> dict[str, str]:
    """The response headers that a head becomes."""
    headers = {"x-model": head.model, **head.headers}
    if head.answer_id:
        headers["x-answer-id"] = head.answer_id
    if head.cache:
        headers["x-cache"] = head.cache
    if head.arm:
        headers["x-mainspring-arm"] = head.arm
    if head.variant:
        headers["x-mainspring-variant"] = head.variant
    if head.replica:
        headers["x-mainspring-replica"] = head.replica
    if head.instead:
        headers["x-mainspring-instead-of"] = head.instead
    return {name: _plain(value) for name, value in headers.items()}


def _plain(value: str) -> str:
    """``value`` in a form that a header may hold: other characters than printable ASCII are percent-encoded."""
    return value if value.isascii() and value.isprintable() else quote(value, safe=_PRINTABLE)


def json_response(body: object, headers: Mapping[str, str] | None = None, status: int = 200) -> HttpResponse:
    """A JSON response encoded by orjson (NumPy arrays included)."""
    return HttpResponse(encode.dumps(body), status, dict(headers or {}), "application/json")


async def collected(http: HttpRequest, responder: Responder, request: Request, context: Context) -> Answer:
    """Answer and read to the end; a client that leaves cancels it."""

    async def work() -> Answer:
        return await collect(await responder.respond(request, context))

    return await while_connected(http, work())


Frames = Callable[[Response], AsyncGenerator[bytes, None]]
Failed = Callable[[MainspringError], bytes]


async def streamed(
    http: HttpRequest, work: Awaitable[Response], frames: Frames, failed: Failed, heartbeat_s: float
) -> HttpResponse:
    """Answer ``work`` as server-sent events. Failures before the commit point still become an HTTP status, unless a
    heartbeat has already sent the head: then ``failed`` writes them as a frame."""
    heartbeat = Heartbeat(http, heartbeat_s)
    heartbeat.start()
    try:
        response: Response = await while_connected(http, work)
    except BaseException as error:
        heartbeat.stop()
        await heartbeat.settled()
        if not heartbeat.started or not isinstance(error, Exception) or isinstance(error, ClientDisconnect):
            raise
        if not isinstance(error, MainspringError):
            log.exception("unexpected failure before a stream")
        return Rest(failed(error if isinstance(error, MainspringError) else encode.bug()))
    headers = {**head_headers(response.head), "x-accel-buffering": "no"}
    return EventStream(response, frames(response), headers, heartbeat)


class Rest(HttpResponse):
    """The last bytes of a response whose head has been sent."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


class EventStream(HttpResponse):
    """Server-sent events of ``response``, which is closed when this ends, however it ends."""

    def __init__(
        self,
        response: Response,
        frames: AsyncGenerator[bytes, None],
        headers: Mapping[str, str],
        heartbeat: Heartbeat,
    ) -> None:
        self.status_code = 200
        self.background = None
        self.media_type = "text/event-stream"
        self.init_headers(headers)
        self._response = response
        self._frames = frames
        self._heartbeat = heartbeat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await _connected(receive, self._send(scope, send))
        except ClientDisconnect:
            # No client is left to notify.
            return
        finally:
            self._heartbeat.stop()
            # A client that leaves during a write abandons the generator midway or unstarted: the calls beneath would
            # run until garbage collection.
            await self._frames.aclose()
            await self._response.aclose()

    async def _send(self, scope: Scope, send: Send) -> None:
        # Once the answer has started, the middlewares have nothing to say to a frame, and there is one a token.
        direct: Send = scope.get("state", {}).get(SEND, send)
        heartbeat = self._heartbeat
        await heartbeat.settled()
        if not heartbeat.started:
            heartbeat.started = True
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for frame in self._frames:
            heartbeat.spoke = True
            await direct({"type": "http.response.body", "body": frame, "more_body": True})
        heartbeat.stop()
        await heartbeat.settled()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def while_connected(http: HttpRequest, work: Awaitable[T]) -> T:
    """Await ``work``; cancel it and raise ``ClientDisconnect`` when the client goes away first."""
    return await _connected(http.receive, work)


async def _connected(receive: Receive, work: Awaitable[T]) -> T:
    # This is awaited in the caller's own task: a separate task would cost two turns of the event loop before the
    # first token.
    task = asyncio.current_task()
    assert task is not None
    gone = False

    def leave(watch: asyncio.Task[None]) -> None:
        nonlocal gone
        if not watch.cancelled():
            watch.exception()
            gone = task.cancel()

    watch = asyncio.create_task(_disconnected(receive))
    watch.add_done_callback(leave)
    try:
        return await work
    except asyncio.CancelledError:
        ours, gone = gone, False
        if ours and task.uncancel() == 0:
            raise ClientDisconnect from None
        raise
    finally:
        watch.remove_done_callback(leave)
        watch.cancel()
        if gone:
            task.uncancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
