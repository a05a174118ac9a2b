"""How much structure a JSON text has, counted on its bytes before anything parses it.

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
"""Of one body. What walks one of its fields has a bound of its own, and names the field."""

_OTHERS = bytes(byte for byte in range(256) if byte not in b'"[]{},')
# The bit in which a brace differs from its bracket.
_BRACE = 0x20
# Below it counting in the interpreter is faster.
_SHORT = 1024


def check(text: bytes, what: str = "the body", *, values: int = MAX_VALUES) -> None:
    """Raise ``TooLarge`` if ``text`` has more than ``values`` values, ``InvalidRequest`` if it nests deeper than
    ``MAX_DEPTH``.

    Linear in the length of ``text``, which needs not be JSON: its parser fails no later than where this and it begin
    to see different things.
    """
    # Marks within strings are counted too: a text that has few of them has few values.
    opened = _opened(text)
    few = len(text) < values or opened + text.count(b",") < values
    if few and opened <= MAX_DEPTH:
        return
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = np.frombuffer(text.translate(None, _OTHERS), np.uint8)
    outside = ~np.bitwise_xor.accumulate(marks == ord('"'))
    brackets = marks | _BRACE
    opening = (brackets == ord("{")) & outside
    opened = int(np.count_nonzero(opening))
    if not few and opened + np.count_nonzero((marks == ord(",")) & outside) >= values:
        raise TooLarge(f"{what} holds more than {values} values", remedy="Send several smaller ones")
    if opened <= MAX_DEPTH:
        return
    steps = opening.view(np.int8) - ((brackets == ord("}")) & outside).view(np.int8)
    if int(steps.cumsum(dtype=np.int32).max(initial=0)) > MAX_DEPTH:
        raise InvalidRequest(f"{what} is nested deeper than {MAX_DEPTH} levels", remedy="Flatten it")


def _opened(text: bytes) -> int:
    if len(text) < _SHORT:
        return text.count(b"[") + text.count(b"{")
    return int(np.count_nonzero((np.frombuffer(text, np.uint8) | _BRACE) == ord("{")))


def loads(text: bytes, what: str = "the body") -> object:
    """``text`` parsed, if ``check`` lets it pass. Raises what that does, and ``orjson.JSONDecodeError``."""
    check(text, what)
    return orjson.loads(text)
