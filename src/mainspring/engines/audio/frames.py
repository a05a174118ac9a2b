"""Messages between the server and the process that hears: a length (8 bytes, big-endian) and as many bytes of JSON; the
audio follows a request."""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

import orjson

LENGTH = struct.Struct(">Q")
MOST = 16 * 2**20
"""Bytes of a message."""


def packed(message: dict[str, Any]) -> bytes:
    data = orjson.dumps(message, option=orjson.OPT_SERIALIZE_NUMPY)
    return LENGTH.pack(len(data)) + data


def read(stream: BinaryIO) -> dict[str, Any] | None:
    """The next message; None at the end."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    found: dict[str, Any] = orjson.loads(stream.read(LENGTH.unpack(head)[0]))
    return found
