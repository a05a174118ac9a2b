"""Measures how long each callback of an event loop keeps its thread busy, in every Python process that finds this.

Put the folder on ``PYTHONPATH`` and name a folder in ``HOLDS``: each process keeps a file there, named by its id, of
two doubles: the longest CPU seconds of one callback, and the sum of all. Whoever reads may set them to zero. The loop
is asyncio's own, since no other lets itself be watched.
"""

import asyncio.events
import mmap
import os
import struct
import sys
import threading
import time

_FIGURES = struct.Struct("=dd")


def _watch(folder: str) -> None:
    sys.modules["uvloop"] = None  # type: ignore[assignment]
    path = os.path.join(folder, str(os.getpid()))
    with open(path, "wb+") as file:
        file.write(bytes(_FIGURES.size))
        file.flush()
        shared = mmap.mmap(file.fileno(), _FIGURES.size)
    run, main = asyncio.events.Handle._run, threading.main_thread().ident

    def timed(handle: asyncio.events.Handle) -> None:
        if threading.get_ident() != main:
            run(handle)
            return
        began = time.thread_time()
        run(handle)
        took = time.thread_time() - began
        longest, total = _FIGURES.unpack_from(shared)
        _FIGURES.pack_into(shared, 0, max(longest, took), total + took)

    asyncio.events.Handle._run = timed  # type: ignore[method-assign,assignment]


if os.environ.get("HOLDS"):
    _watch(os.environ["HOLDS"])
