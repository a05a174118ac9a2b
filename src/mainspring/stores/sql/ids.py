"""Identifiers: unique, unguessable in their second half, and sorted by the time at which they were made."""

from __future__ import annotations

import os
import time

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]


def new(prefix: str) -> str:
    """``prefix`` and 26 base-32 digits: 64 bits of Unix time in nanoseconds, then 64 random bits."""
    return prefix + _written(time.time_ns())


def after(previous: str, prefix: str) -> str:
    """A new id that sorts after ``previous``, even if the clock was set back since.

    ``previous`` is an id that ``new(prefix)`` made.
    """
    number = 0
    for digit in previous.removeprefix(prefix):
        number = number << 5 | _DIGITS.index(digit)
    return prefix + _written(max(time.time_ns(), (number >> 64) + 1))


def at(prefix: str, moment: float) -> str:
    """The smallest id of a moment (Unix seconds): older ones sort before it."""
    number = round(moment * 1e9) << 64
    return prefix + "".join([_PAIRS[number >> bits & 1023] for bits in range(120, -1, -10)])


def _written(time_ns: int) -> str:
    number = time_ns << 64 | int.from_bytes(os.urandom(8))
    return "".join([_PAIRS[number >> bits & 1023] for bits in range(120, -1, -10)])


def is_id(text: str, prefix: str) -> bool:
    """Whether ``text`` has the form of an id that ``new(prefix)`` makes."""
    digits = text.removeprefix(prefix)
    return text.startswith(prefix) and len(digits) == 26 and all(digit in _DIGITS for digit in digits)
