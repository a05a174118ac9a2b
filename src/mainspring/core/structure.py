"""Measures the structure of a JSON text on its bytes, before anything parses it.

A parsed value takes up to eighty times the bytes that it is written in, and a validator keeps an error for each that is
wrong: a body within its bound of bytes could still take gigabytes. The count is of brackets and commas outside of
strings; a text has at most that many values plus one.
"""

from __future__ import annotations

import numpy as np
import orjson

from mainspring.core.errors import InvalidRequest, TooLarge

MAX_VALUES = 100_000
"""Limits of one body: 512 messages of 20 parts are a tenth of this."""
MAX_DEPTH = 512
"""Of one body. Code that walks one of its fields has a bound of its own and names the field."""

_OTHERS = bytes(byte for byte in range(256) if byte not in b'"[]{},')
# The bit in which a brace differs from its bracket.
_BRACE = 0x20
# Below it counting in the interpreter is faster.
_SHORT = 1024
PIECE = 256 * 1024
"""Bytes that are counted at a time: a millisecond."""


def check(text: bytes, what: str = "the body", *, values: int = MAX_VALUES) -> None:
    """Raise ``TooLarge`` if ``text`` has more than ``values`` values, ``InvalidRequest`` if it nests deeper than
    ``MAX_DEPTH``.

    Linear in the length of ``text``; stops as soon as there are too many. It needs not be JSON: its parser fails no
    later than where this and it begin to see different things.
    """
    # Marks within strings are counted too: a text that has few of them has few values.
    opened = _opened(text)
    few = len(text) < values or opened + text.count(b",") < values
    if few and opened <= MAX_DEPTH:
        return
    counting = Count(what, values=values)
    for start in range(0, len(text), PIECE):
        counting.add(text[start : start + PIECE])


class Count:
    """Counts a text that comes in pieces; see ``check``."""

    def __init__(self, what: str = "the body", *, values: int = MAX_VALUES) -> None:
        self._what = what
        self._values = values
        self._seen = self._depth = 0
        # Whether the next byte is in a string, and whether a backslash precedes it.
        self._inside = np.uint8(0)
        self._escaped = False

    def add(self, piece: bytes) -> None:
        """The next bytes of the text. Raises as ``check`` does, and then counts no further."""
        if not piece:
            return
        if self._escaped:
            piece = piece[1:]
        behind = len(piece) - len(piece.rstrip(b"\\"))
        self._escaped = behind % 2 == 1
        if b"\\" in piece:
            piece = piece.replace(b"\\\\", b"").replace(b'\\"', b"")
        marks = np.frombuffer(piece.translate(None, _OTHERS), np.uint8)
        if not marks.size:
            return
        inside = np.bitwise_xor.accumulate((marks == ord('"')).view(np.uint8)) ^ self._inside
        self._inside = inside[-1]
        outside = inside == 0
        brackets = marks | _BRACE
        opening = (brackets == ord("{")) & outside
        commas = (marks == ord(",")) & outside
        self._seen += int(np.count_nonzero(opening)) + int(np.count_nonzero(commas))
        if self._seen >= self._values:
            raise TooLarge(f"{self._what} holds more than {self._values} values", remedy="Send several smaller ones")
        steps = (opening.view(np.int8) - ((brackets == ord("}")) & outside).view(np.int8)).cumsum(dtype=np.int32)
        if self._depth + int(steps.max()) > MAX_DEPTH:
            raise InvalidRequest(f"{self._what} is nested deeper than {MAX_DEPTH} levels", remedy="Flatten it")
        self._depth += int(steps[-1])


def _opened(text: bytes) -> int:
    if len(text) < _SHORT:
        return text.count(b"[") + text.count(b"{")
    return int(np.count_nonzero((np.frombuffer(text, np.uint8) | _BRACE) == ord("{")))


def loads(text: bytes, what: str = "the body") -> object:
    """``text`` parsed, if ``check`` accepts it. Raises what that does, and ``orjson.JSONDecodeError``."""
    check(text, what)
    return orjson.loads(text)
