"""Works on several messages at once, and takes the next one as soon as any of them is done."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

from mainspring.features.desk.channels.store import Claimed

AT_ONCE = 8
Claim = Callable[[int, Mapping[str, int]], Awaitable[Sequence[Claimed]]]
"""Claims so many messages at most; the numbers of those in work, by tenant, are given."""


class Slots:
    """``AT_ONCE`` places for this process. ``freed`` is called when one is free again."""

    def __init__(
        self, claim: Claim, work: Callable[[Claimed], Awaitable[None]], freed: Callable[[], None] = lambda: None
    ) -> None:
        self._claim = claim
        self._work = work
        self._freed = freed
        self._running: dict[asyncio.Task[None], str] = {}

    async def fill(self) -> int:
        """Begin what is due, as far as there is room; how many. Without room, wait for it."""
        if len(self._running) >= AT_ONCE:
            await asyncio.wait(list(self._running), return_when=asyncio.FIRST_COMPLETED)
        claimed = await self._claim(AT_ONCE - len(self._running), Counter(self._running.values()))
        for each in claimed:
            task = asyncio.create_task(self._one(each), name="desk: message")
            self._running[task] = each.tenant
            task.add_done_callback(self._done)
        return len(claimed)

    async def idle(self) -> None:
        """Wait until nothing is in work. Raises what ended one of them."""
        await asyncio.gather(*list(self._running))

    async def until_cancelled(self) -> None:
        """Wait, and stop what is in work then: it is due again later."""
        try:
            await asyncio.Event().wait()
        finally:
            for task in list(self._running):
                task.cancel()
            await asyncio.gather(*list(self._running), return_exceptions=True)

    async def _one(self, claimed: Claimed) -> None:
        await self._work(claimed)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._freed()
