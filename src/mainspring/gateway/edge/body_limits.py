"""Bounds on what a connection may send, enforced while the body is read and before anything parses it.

A body of a request that was answered early (no key, an unknown route, a body too large) is read and dropped up to
``LINGER_BYTES`` or ``LINGER_S`` seconds; then the connection is closed.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mainspring.core.errors import TooLarge
from mainspring.http.openai import encode

UPLOADS = re.compile(r"/v1/(files|uploads/[^/]+/parts|audio/(transcriptions|translations))")
"""The paths of routes that take files."""
LINGER_S = 10.0
LINGER_BYTES = 128 * 2**20
# Bodies up to this size are read after the answer, so that the connection can be reused.
SPARED_BYTES = 64 * 2**10


class BodyLimit:
    """Refuses bodies above a bound: at once by Content-Length, else when the bound is passed.

    Routes that take files have a bound of their own.
    """

    def __init__(self, app: ASGIApp, *, max_body: int, max_upload: int) -> None:
        self.app = app
        self.max_body = max_body
        self.max_upload = max_upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        upload = UPLOADS.fullmatch(scope["path"]) is not None
        limit, setting = (self.max_upload, "max_upload_bytes") if upload else (self.max_body, "max_body_bytes")

        def too_large() -> TooLarge:
            return TooLarge(f"the body is larger than {limit} bytes", remedy=f"Send less, or raise gateway.{setting}")

        headers = dict(scope["headers"])
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > limit:
            await _refuse(scope, receive, send, too_large())
            return
        seen = 0
        chunked = b"transfer-encoding" in headers
        more = chunked or int(declared) > 0
        spared = not chunked and int(declared) <= SPARED_BYTES
        started = unread = False

        async def bounded() -> Message:
            nonlocal seen, more
            message = await receive()
            seen += len(message.get("body", b""))
            more = message.get("more_body", False)
            if seen > limit:
                raise too_large()
            return message

        async def watched(message: Message) -> None:
            nonlocal started, unread
            # The framework turns an error of its body parser into a vague 400, which our error replaces.
            if not started and seen > limit:
                return
            if not started:
                started = True
                unread = more and not spared
                if unread:
                    message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            elif unread and not message.get("more_body", False):
                message = {**message, "more_body": True}
            await send(message)

        try:
            await self.app(scope, bounded, watched)
        except TooLarge:
            if started:
                raise
        if seen > limit and not started:
            await _refuse(scope, receive, send, too_large(), more=more)
        elif unread:
            await _linger(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send, error: TooLarge, *, more: bool = True) -> None:
    body = encode.dumps(encode.error_body(error))
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await _linger(scope, receive, send, more=more)


async def _linger(scope: Scope, receive: Receive, send: Send, *, more: bool = True) -> None:
    # Closing on a client that still sends resets the connection, and it never sees the answer: read on for a while.
    # (A client that asked before sending is not told to continue.)
    if more and b"expect" not in dict(scope["headers"]):
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                await _discard(receive, LINGER_BYTES)
    await send({"type": "http.response.body", "body": b""})


async def _discard(receive: Receive, most: int) -> None:
    more = True
    while more and most > 0:
        message = await receive()
        most -= len(message.get("body", b""))
        more = message.get("more_body", False)
