"""Reads a child process's output, so that the reader can be stopped while the child is silent."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator
from typing import IO

BEAT_S = 0.2
_CHUNK = 1 << 16


def lines(stream: IO[bytes], beat: Callable[[], None], every_s: float = BEAT_S) -> Iterator[str]:
    """The lines of ``stream``, a pipe, without their ends. ``beat`` is called after ``every_s`` seconds of silence; an
    exception from it ends the reading."""
    rest = b""
    while True:
        ready, _, _ = select.select([stream], [], [], every_s)
        if not ready:
            beat()
            continue
        block = os.read(stream.fileno(), _CHUNK)
        if not block:
            break
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")
