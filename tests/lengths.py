"""Whether a function that reads a text takes a time that grows with the text's length, and not with its square."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from tests.test_expressions import PIECES

SHORT, LONG, MOST = 2_000, 16_000, 20
"""Eight times the text may take twenty times as long; a square takes sixty-four times."""
FAST_S = 0.02
"""What takes less for the long text has no square that anybody would feel."""


def squares(function: Callable[[str], object]) -> Iterator[str]:
    """The pieces of which a long text takes the function too long."""
    for piece in PIECES:
        short, long = (f"How much is {piece * (size // len(piece))} ~" for size in (SHORT, LONG))
        if (taken := _seconds(function, long)) > FAST_S:
            # Of several times the least, so that what the machine does beside it does not count.
            least = min(_seconds(function, short) for _ in range(3))
            if min(taken, _seconds(function, long)) > MOST * least:
                yield piece


def _seconds(function: Callable[[str], object], text: str) -> float:
    began = time.process_time()
    function(text)
    return time.process_time() - began
