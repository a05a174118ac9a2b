"""The protocol between an engine child and its parent: length-prefixed JSON messages over an inherited socket.

A frame is four bytes (big-endian length) and one JSON object. ``Frames`` decodes on either side; ``Channel`` is
the child's blocking end. The first frame that a child receives is its configuration; the first that it sends is
``{"ready": {...}}``, or ``{"fatal": message}`` before it exits.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson

Message = dict[str, Any]
HEADER = struct.Struct(">I")
MAX_FRAME = 256 * 2**20
_READ_SIZE = 2**18
_PR_SET_PDEATHSIG = 1


def encode(message: Message) -> bytes:
    """One frame. Raises ``TypeError`` for what JSON cannot hold (lone surrogates, say)."""
    body = orjson.dumps(message)
    return HEADER.pack(len(body)) + body


class Frames:
    """Reassembles messages from a byte stream."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Take ``data`` in and yield every message that is complete. Raises ``ValueError`` on garbage."""
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            (length,) = HEADER.unpack_from(self._buffer)
            if length > MAX_FRAME:
                raise ValueError(f"a frame of {length} bytes exceeds {MAX_FRAME}")
            end = HEADER.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[HEADER.size : end])
            del self._buffer[:end]
            yield orjson.loads(body)


class ParentGone(Exception):
    """The parent closed its end: there is no more work."""


class Channel:
    """The child's end of the socket."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(True)
        self._connection = connection
        self._frames = Frames()

    def send(self, message: Message) -> None:
        """Send one message; blocks while the parent does not read. Raises ``ParentGone``."""
        try:
            self._connection.sendall(encode(message))
        except (BrokenPipeError, ConnectionResetError):
            raise ParentGone from None

    def receive(self, *, wait: bool) -> list[Message]:
        """All messages that are there; with ``wait``, at least one. Raises ``ParentGone``."""
        messages: list[Message] = []
        while True:
            readable, _, _ = select.select([self._connection], [], [], None if wait and not messages else 0)
            if not readable:
                return messages
            try:
                data = self._connection.recv(_READ_SIZE)
            except ConnectionResetError:
                raise ParentGone from None
            if not data:
                raise ParentGone
            messages.extend(self._frames.feed(data))


def run_child(serve: Callable[[Channel, Message], None], arguments: Sequence[str] | None = None) -> None:
    """The main function of a child module: connect, read the configuration, ``serve``, exit.

    Exits with 0 when the parent is gone and with 1, after a ``fatal`` message, when ``serve`` raises.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--die-with-parent", action="store_true")
    options = parser.parse_args(arguments)
    if options.die_with_parent:
        die_with_parent()
    # The terminal's Ctrl-C reaches the whole process group; the parent decides when a child ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=options.fd))
    status = 0
    try:
        configuration = channel.receive(wait=True)[0]
        serve(channel, configuration)
    except ParentGone:
        status = 0
    except Exception as error:
        status = 1
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        _report(channel, error)
    finally:
        sys.stderr.flush()
        # Destructors of inference runtimes take long and may crash on the way out.
        os._exit(status)


def _report(channel: Channel, error: Exception) -> None:
    try:
        channel.send({"fatal": f"{type(error).__name__}: {error}"})
    except ParentGone:
        print("the parent is gone", file=sys.stderr, flush=True)


def die_with_parent() -> None:
    """Have this process ended when the thread that started it ends, on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
