"""Identifiers: unique, unguessable in their second half, and sorted by the time at which they were made.

A task that may be done a second time after the death of its process plans the ids of what it makes. Then the second
time has the same ids, so that it finds what the first one made, and no two of it can be made.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_PLANNED: ContextVar[dict[str, str] | None] = ContextVar("planned", default=None)
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]


def new(prefix: str) -> str:
    """``prefix`` and 26 base-32 digits: 64 bits of Unix time in nanoseconds, then 64 random bits. The first one of a
    task that planned one of this prefix is that."""
    return (_PLANNED.get() or {}).pop(prefix, "") or prefix + _written(time.time_ns())


@contextmanager
def planning(prefixes: Iterable[str], digits: str) -> Iterator[None]:
    """Within the block the first new id of each prefix has these ``digits``, which ``new("")`` made. It holds for the
    tasks that are begun within, and for no thread of a pool."""
    plan = {each: each + digits for each in prefixes}
    token = _PLANNED.set(plan)
    try:
        yield
    finally:
        # What still runs behind the block plans nothing any more.
        plan.clear()
        _PLANNED.reset(token)


def planned(prefix: str) -> str:
    """The planned id of this prefix, which stays planned; empty without one."""
    return (_PLANNED.get() or {}).get(prefix, "")


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
