"""The updates of tasks as they happen in this process, for those who follow a task."""

from __future__ import annotations

import asyncio
import copy

from mainspring.features.a2a.shapes import Json


class Feed:
    """One task while a turn of it is worked on here: the task as it is now, and the updates that led there.

    ``working`` says that this process works on it; otherwise its followers look into the store.
    """

    def __init__(self, task: Json) -> None:
        self.task = task
        self.updates: list[Json] = []
        self.working = self.over = False
        self.followers = 0
        self._more = asyncio.Event()

    def tell(self, *updates: Json) -> None:
        """Take updates in, and wake the followers."""
        self.updates += updates
        self._wake()

    def end(self) -> None:
        """No more updates come in this turn."""
        self.over = True
        self._wake()

    def snapshot(self) -> tuple[Json, int]:
        """The task as of now, and the number of updates that it includes."""
        return copy.deepcopy(self.task), len(self.updates)

    async def more(self, after: int, seconds: float) -> list[Json]:
        """The updates behind the first ``after``; waits up to ``seconds`` for one."""
        if len(self.updates) <= after and not self.over:
            waiting = self._more
            try:
                async with asyncio.timeout(seconds):
                    await waiting.wait()
            except TimeoutError:
                return []
        return self.updates[after:]

    def _wake(self) -> None:
        more, self._more = self._more, asyncio.Event()
        more.set()


class Feeds:
    """The feeds of this process, by tenant and task."""

    def __init__(self) -> None:
        self._feeds: dict[tuple[str, str], Feed] = {}

    def open(self, tenant: str, task: Json) -> Feed:
        """A new feed for a turn of ``task``, in place of the one of the turn before."""
        feed = self._feeds[tenant, task["id"]] = Feed(task)
        return feed

    def get(self, tenant: str, task_id: str) -> Feed | None:
        return self._feeds.get((tenant, task_id))

    def drop(self, tenant: str, feed: Feed) -> None:
        """Forget it, unless another turn has one by now."""
        key = (tenant, feed.task["id"])
        if self._feeds.get(key) is feed:
            del self._feeds[key]
