"""The HTTP/1.1 connection: uvicorn's, with bounds on how slowly a request may come and how much of it is headers.

Uvicorn waits for a request forever, and buffers headers without end. Headers must arrive within ``read_timeout_s``
seconds, and a body within the same time plus a second for every ``SLOWEST`` bytes: a large upload over a thin line
passes, a dripping one does not. A client that does not read its answer is cut off at the same rate. It also refuses
requests that two parsers could read differently (RFC 9112: a bare line feed, a second host or length, a transfer coding
other than ``chunked`` alone), because a proxy before us may be the other parser. Refusals are in the error envelope of
everything else, and close the connection.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Literal

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from mainspring.core.errors import HeadersTooLarge, InvalidRequest, MainspringError, Overloaded, TooSlow
from mainspring.gateway.edge import sockets
from mainspring.gateway.edge.addresses import Connections
from mainspring.gateway.edge.trace_headers import SECURITY, trace_names
from mainspring.http.openai import encode

if sys.platform == "linux":
    import fcntl
    import termios

MAX_HEADERS = 100
# Names and values of all headers, with the request's path.
MAX_HEADER_BYTES = 32 * 1024
SLOWEST = 4096
# Headers that two readers would choose from differently.
ONCE = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"content-type", b"authorization", b"x-api-key", b"api-key"}
)
# Closing the connection on a client that still sends resets it, and the client never sees the answer: its data is
# dropped for a while.
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
    """One connection. ``read_timeout_s`` and ``open`` (the connections of each address) are set by
    ``bounded_protocol``."""

    read_timeout_s = 30.0
    open_of = Connections(0)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # The part that the client must send next, its deadline, and the timer that checks the deadline.
        self._awaited: Literal["nothing", "headers", "body"] = "nothing"
        self._deadline = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._header_count = 0
        self._header_bytes = 0
        self._trailer_bytes = 0
        self._begun = False
        self._refusal: MainspringError | None = None
        self._closing = False
        self._counted = ""
        # The unsent bytes of an answer at the last check, and the timer of the next check.
        self._unsent = 0
        self._reader: asyncio.TimerHandle | None = None

    # --- the connection -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_WholeHead(transport, self.loop))  # type: ignore[arg-type]
        self._await("headers")
        if self.client is not None:
            if not self.open_of.open(self.client[0]):
                error = Overloaded("this address has too many connections open", remedy="Use fewer at a time")
                self._refuse(error, linger_s=0.0)
                return
            self._counted = self.client[0]

    def connection_lost(self, exc: Exception | None) -> None:
        self._await("nothing")
        self.resume_writing()
        if self._counted:
            self.open_of.close(self._counted)
            self._counted = ""
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        if self._awaited == "nothing":
            self._await("headers")
        if self._awaited == "headers":
            # A header that does not end is not handed over: it has to be counted here.
            self._header_bytes += len(data)
        self._feed(data)
        if self._awaited == "headers" and self._header_bytes > MAX_HEADER_BYTES:
            self._refuse(_too_large())

    def _feed(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as stopped:
            rest = data[stopped.args[0] :]
            if self.ws_protocol_class is not None and sockets.wanted(self.parser.get_method(), self.url, self.headers):
                self._open_socket(rest)
            else:
                self._decline_upgrade(rest)
        except httptools.HttpParserError:
            self._refuse(self._refusal or InvalidRequest("this is not HTTP/1.1"))

    def _open_socket(self, rest: bytes) -> None:
        """Become a socket, with the same transport; the connection still counts as its address's."""
        self._await("nothing")
        self.connections.discard(self)
        head = [self.parser.get_method(), b" ", self.url, b" HTTP/1.1\r\n"]
        head += [part for name, value in self.headers for part in (name, b": ", value, b"\r\n")]
        made = self.ws_protocol_class(config=self.config, server_state=self.server_state, app_state=self.app_state)  # type: ignore[call-arg, misc]
        counted, self._counted = self._counted, ""
        transport = self.transport
        protocol = sockets.opened(
            b"".join([*head, b"\r\n", rest]), made, transport, lambda: self.open_of.close(counted) if counted else None
        )
        transport.set_protocol(protocol)

    def _decline_upgrade(self, rest: bytes) -> None:
        """Ignore a request for another protocol, as HTTP permits. (Java's client asks for HTTP/2 with every first
        request.)"""
        head = [self.parser.get_method(), b" ", self.url, b" HTTP/1.1\r\n"]
        for name, value in self.headers:
            if name not in (b"upgrade", b"connection", b"http2-settings"):
                head += [name, b": ", value, b"\r\n"]
        self.parser = httptools.HttpRequestParser(self)
        self._feed(b"".join([*head, b"\r\n", rest]))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unsent = self._pending()
        self._reader = self.loop.call_later(self.read_timeout_s, self._look_at_reader)

    def resume_writing(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None
        super().resume_writing()

    def _look_at_reader(self) -> None:
        """Cut off clients that took less than ``SLOWEST`` bytes a second of the data that is ready."""
        unsent = self._pending()
        if self._unsent - unsent < SLOWEST * self.read_timeout_s:
            self.transport.abort()
            return
        self._unsent = unsent
        self._reader = self.loop.call_later(self.read_timeout_s, self._look_at_reader)

    def _pending(self) -> int:
        """Bytes that the client has not taken yet: here, and in the kernel, which takes megabytes at a time."""
        waiting = self.transport.get_write_buffer_size()
        connection = self.transport.get_extra_info("socket")
        if connection is None or sys.platform != "linux":
            return waiting
        with suppress(OSError):
            waiting += int.from_bytes(fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        return waiting

    # --- the parser's callbacks -----------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._header_count = self._trailer_bytes = 0
        if self._awaited == "nothing":
            self._await("headers")
        self._begun = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        if self._awaited == "body":
            # A trailer, after the body: the header checks have not seen it, so it does not become a header.
            self._trailer_bytes += len(name) + len(value)
            if self._trailer_bytes > MAX_HEADER_BYTES or self._header_count > MAX_HEADERS:
                self._refusal = _too_large()
                raise self._refusal
            return
        if self._header_count > MAX_HEADERS:
            # The parser stops here, and its error handler answers with this refusal.
            self._refusal = _too_large()
            raise self._refusal
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEADER_BYTES:
            self._refusal = _too_large()
            raise self._refusal
        if problem := framing_problem(self.parser.get_http_version(), self.parser.get_method(), self.headers):
            self._refusal = InvalidRequest(problem)
            raise self._refusal
        if self.parser.should_upgrade():
            # The parser stops here, and ``data_received`` continues without the upgrade request.
            return
        self._await("body")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._deadline += len(body) / SLOWEST
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._await("nothing")
        super().on_message_complete()

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
            # No request came, so no response is due: browsers keep spare connections open like this.
            self.transport.close()
        else:
            self._refuse(
                TooSlow(
                    f"the {self._awaited} of the request did not arrive in time",
                    remedy="Send faster, or raise gateway.read_timeout_s",
                )
            )

    def _refuse(self, error: MainspringError, *, linger_s: float = LINGER_S) -> None:
        in_body = self._awaited == "body"
        self._closing = True
        self._await("nothing")
        self._unset_keepalive_if_required()
        if in_body:
            if self.cycle.response_started or self.pipeline:
                # A client would read a second response in the middle of a running one as part of the first.
                self.transport.close()
                return
            # The application learns that its client has left, and its further output is not sent.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        elif self.cycle is not None and not self.cycle.response_complete:
            # The request before this one is being answered: that is its answer's place, and then it is over.
            self.cycle.keep_alive = False
            return
        body = encode.dumps(encode.error_body(error))
        self.transport.write(
            STATUS_LINE[error.status]
            + b"content-type: application/json\r\nconnection: close\r\n"
            + b"".join(b"%b: %b\r\n" % header for header in (*trace_names(secrets.token_hex(16)), *SECURITY))
            + b"content-length: %d\r\n\r\n" % len(body)
            + body
        )
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._watch = self.loop.call_later(linger_s, self.transport.close)


def bounded_protocol(read_timeout_s: float, open_of: Connections | None = None) -> type[BoundedProtocol]:
    """The protocol with that timeout and those bounds on connections; uvicorn takes a class."""
    bounds = {"read_timeout_s": read_timeout_s, "open_of": open_of or Connections(0)}
    return type("BoundedProtocol", (BoundedProtocol,), bounds)


def framing_problem(version: str, method: bytes, headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The ambiguity that lets a request mean different things to different readers; empty: none. (The parser has
    already refused other ambiguities: two lengths, a length beside a transfer coding, bare line feeds, folded
    lines.)"""
    if version not in ("1.0", "1.1"):
        return f"HTTP/{version} is not supported"
    if method == b"CONNECT":
        return "this server is not a proxy: CONNECT is not supported"
    seen: set[bytes] = set()
    for name, value in headers:
        if name in ONCE:
            if name in seen:
                return f"the header {name.decode()} occurs twice"
            seen.add(name)
        if name == b"transfer-encoding" and (version == "1.0" or value.strip().lower() != b"chunked"):
            return "the only transfer coding is chunked, in HTTP/1.1"
    if version == "1.1" and b"host" not in seen:
        return "the header host is missing"
    return ""


def _too_large() -> HeadersTooLarge:
    return HeadersTooLarge(
        f"the headers are more than {MAX_HEADERS}, or larger than {MAX_HEADER_BYTES} bytes with the path",
        remedy="Send fewer; put long values into the body",
    )
