"""How the time of a scan grows with the length of the text."""

from __future__ import annotations

import time
from collections.abc import Callable


def assert_linear(scan: Callable[[str], object], unit: str, characters: int) -> None:
    """Eight times ``characters`` of repeated ``unit`` take about eight times as long, not sixty-four."""

    def seconds(length: int) -> float:
        text = (unit * length)[:length]
        best = float("inf")
        for _ in range(3):
            # Of this thread: others may have the cores meanwhile.
            begin = time.thread_time()
            scan(text)
            best = min(best, time.thread_time() - begin)
        return best

    scan(unit * 100)
    assert seconds(8 * characters) < 32 * max(seconds(characters), 1e-4)
