"""Work on texts beside the event loop: long documents must not keep everybody else waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mainspring.core.errors import Overloaded

T = TypeVar("T")


class Aside:
    """One thread: several would only wait for each other, and what it works with needs no lock."""

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="translate: texts")

    async def __call__(self, work: Callable[[], T], *, begun: bool = False) -> T:
        """Do it in the thread. ``begun``: a request that has begun goes on. Raises ``Overloaded`` for others."""
        if self._waiting >= self._most and not begun:
            raise Overloaded(f"{self._waiting} texts wait to be read", remedy="Send fewer at once, or later")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
