"""The HTTP/1.1 connection: uvicorn's, with bounds on how slowly a request may come and how much of it is headers.

Uvicorn waits for a request forever, and buffers headers without end. Here the headers have ``read_timeout_s`` seconds
and a body as long again plus a second for every ``SLOWEST`` bytes of it, so that a large upload over a thin line is
let through and one that drips is not. Refusals are in the error envelope of everything else, and close the connection.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from mainspring.errors import HeadersTooLarge, InvalidRequest, MainspringError, TooSlow
from mainspring.gateway import encode

MAX_HEADERS = 100
# Names and values of all headers, with the request's path.
MAX_HEADER_BYTES = 32 * 1024
SLOWEST = 4096
# Closing on a client that still sends resets the connection, and it never sees the answer: what comes is dropped
# for a while.
LINGER_S = 2.0


class _WholeHead:
    """A transport that sends the head of an answer with the first part of its body, where both come in one turn of
    the event loop: one packet that wakes the client once."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head + data)
        elif data.startswith(b"HTTP/1.1 "):
            self._head = data
            self._loop.call_soon(self.flush)
        else:
            self._transport.write(data)

    def write_eof(self) -> None:
        self.flush()
        self._transport.write_eof()

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        """Send a head that still waits for its body."""
        if self._head:
            self.write(b"")


class BoundedProtocol(HttpToolsProtocol):
    """One connection. ``read_timeout_s`` is set by ``bounded_protocol``."""

    read_timeout_s = 30.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # What is awaited of the client, until when, and what will look whether it came.
        self._awaited: Literal["nothing", "headers", "body"] = "nothing"
        self._deadline = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._header_count = 0
        self._header_bytes = 0
        self._begun = False
        self._refusal: MainspringError | None = None
        self._closing = False

    # --- the connection -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_WholeHead(transport, self.loop))  # type: ignore[arg-type]
        self._await("headers")

    def connection_lost(self, exc: Exception | None) -> None:
        self._await("nothing")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        if self._awaited == "nothing":
            self._await("headers")
        if self._awaited == "headers":
            # A header that does not end is not handed over: it has to be counted here.
            self._header_bytes += len(data)
        super().data_received(data)
        if self._awaited == "headers" and self._header_bytes > MAX_HEADER_BYTES:
            self._refuse(_too_large())

    # --- the parser's callbacks -----------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._header_count = 0
        if self._awaited == "nothing":
            self._await("headers")
        self._begun = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        if self._header_count > MAX_HEADERS:
            # The parser ends here, and what handles its errors answers with this.
            self._refusal = _too_large()
            raise self._refusal
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEADER_BYTES:
            self._refusal = _too_large()
            raise self._refusal
        self._await("body")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._deadline += len(body) / SLOWEST
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._await("nothing")
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """What uvicorn calls when the parser fails."""
        self._refuse(self._refusal or InvalidRequest("this is not HTTP/1.1"))

    # --- time and refusals ----------------------------------------------------------------------------------------

    def _await(self, awaited: Literal["nothing", "headers", "body"]) -> None:
        self._awaited = awaited
        if awaited == "headers":
            self._header_bytes = 0
            self._begun = False
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if awaited != "nothing":
            self._deadline = self.loop.time() + self.read_timeout_s
            self._watch = self.loop.call_later(self.read_timeout_s, self._look)

    def _look(self) -> None:
        now = self.loop.time()
        if self.flow.read_paused:
            # It is us who do not read: an earlier request of this connection is still being answered.
            self._deadline = max(self._deadline, now + self.read_timeout_s)
        if now < self._deadline:
            self._watch = self.loop.call_at(self._deadline, self._look)
        elif not self._begun:
            # Nothing was asked, so there is nothing to answer: a browser holds connections ready like this.
            self.transport.close()
        else:
            self._refuse(
                TooSlow(
                    f"the {self._awaited} of the request did not come in time",
                    remedy="Send faster, or raise gateway.read_timeout_s",
                )
            )

    def _refuse(self, error: MainspringError) -> None:
        in_body = self._awaited == "body"
        self._closing = True
        self._await("nothing")
        self._unset_keepalive_if_required()
        if in_body:
            if self.cycle.response_started or self.pipeline:
                # Another answer in the middle of one that is under way would be read as a part of it.
                self.transport.close()
                return
            # The application learns that its client is gone, and what it may still say is not sent.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        elif self.cycle is not None and not self.cycle.response_complete:
            # The request before this one is being answered: that is its answer's place, and then it is over.
            self.cycle.keep_alive = False
            return
        body = encode.dumps(encode.error_body(error))
        self.transport.write(
            STATUS_LINE[error.status]
            + b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
            + body
        )
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._watch = self.loop.call_later(LINGER_S, self.transport.close)


def bounded_protocol(read_timeout_s: float) -> type[BoundedProtocol]:
    """The protocol with that timeout; uvicorn takes a class."""
    return type("BoundedProtocol", (BoundedProtocol,), {"read_timeout_s": read_timeout_s})


def _too_large() -> HeadersTooLarge:
    return HeadersTooLarge(
        f"the headers are more than {MAX_HEADERS}, or larger than {MAX_HEADER_BYTES} bytes with the path",
        remedy="Send fewer; what is long belongs into the body",
    )
