"""From a Response to HTTP: headers of the head, streams, and cancellation when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Mapping
from typing import TypeVar

from fastapi import Request as HttpRequest
from starlette.requests import ClientDisconnect
from starlette.responses import Response as HttpResponse
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from mainspring.gateway import encode
from mainspring.path import Answer, collect
from mainspring.types import Context, Head, Request, Responder, Response

T = TypeVar("T")


def head_headers(head: Head) -> dict[str, str]:
    """The response headers that a head becomes."""
    headers = {"x-model": head.model, **head.headers}
    if head.answer_id:
        headers["x-answer-id"] = head.answer_id
    if head.cache:
        headers["x-cache"] = head.cache
    return headers


def json_response(body: object, headers: Mapping[str, str] | None = None, status: int = 200) -> HttpResponse:
    """A JSON response encoded by orjson (NumPy arrays included)."""
    return HttpResponse(encode.dumps(body), status, dict(headers or {}), "application/json")


async def collected(http: HttpRequest, responder: Responder, request: Request, context: Context) -> Answer:
    """Answer and read to the end; a client that leaves cancels it."""

    async def work() -> Answer:
        return await collect(await responder.respond(request, context))

    return await while_connected(http, work())


async def streamed(
    http: HttpRequest,
    responder: Responder,
    request: Request,
    context: Context,
    kind: encode.Kind,
    include_usage: bool,
) -> HttpResponse:
    """Answer as server-sent events. Failures before the commit point still become an HTTP status."""
    response: Response = await while_connected(http, responder.respond(request, context))
    headers = {**head_headers(response.head), "cache-control": "no-cache", "x-accel-buffering": "no"}
    return EventStream(response, encode.stream(response, kind, include_usage), headers)


class EventStream(StreamingResponse):
    """Server-sent events of ``response``, which is closed when this ends, however it ends."""

    def __init__(self, response: Response, frames: AsyncGenerator[bytes, None], headers: Mapping[str, str]) -> None:
        super().__init__(frames, headers=headers, media_type="text/event-stream")
        self._response = response
        self._frames = frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            # A client that leaves while it is written to abandons the generator where it stands, or unstarted:
            # what runs beneath would run on until the garbage is collected.
            await self._frames.aclose()
            await self._response.aclose()


async def while_connected(http: HttpRequest, work: Awaitable[T]) -> T:
    """Await ``work``; cancel it and raise ``ClientDisconnect`` when the client goes away first."""
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(_disconnected(http))
    try:
        await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        watch.cancel()
        task.cancel()
        await asyncio.wait((task,))
        # Where this was cancelled itself, nobody asks how the work ended, which asyncio would complain about.
        _ = task.cancelled() or task.exception()


async def _disconnected(http: HttpRequest) -> None:
    while (await http.receive())["type"] != "http.disconnect":
        pass
