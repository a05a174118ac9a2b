"""Work on texts beside the event loop: long documents must not keep everybody else waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from mainspring.core.errors import Overloaded
from mainspring.core.fair.threads import FairThreads

T = TypeVar("T")


class Aside:
    """One thread, in which tenants take turns: several would only wait for each other, and what it works with needs no
    lock. At most ``most`` texts of a tenant wait for it."""

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._thread = FairThreads(1, "translate: texts")

    async def __call__(self, work: Callable[[], T], *, begun: bool = False) -> T:
        """Do it in the thread. ``begun``: a request that has begun goes on. Raises ``Overloaded`` for others."""
        if not begun and (waiting := self._thread.waiting()) >= self._most:
            raise Overloaded(f"{waiting} texts of this tenant wait to be read", remedy="Send fewer at once, or later")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
