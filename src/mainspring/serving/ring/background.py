"""Work that must outlive the caller who started it: settling after a disconnect, answers shared by several."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Background:
    """Owns detached tasks. The owner of the rings closes it last, so that nothing is cut short."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Run ``work`` in a task of its own, kept until it ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Await ``work``; if the caller is cancelled, it still runs to its end."""
        task = self.start(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_report)
            raise

    async def close(self) -> None:
        """Wait for everything that still runs."""
        while self._tasks:
            await asyncio.wait(self._tasks)


def _report(task: asyncio.Task[Any]) -> None:
    # The caller has left, so only the log can record the failure.
    if not task.cancelled() and (error := task.exception()):
        _log.error("detached work failed: %s: %s", type(error).__name__, error)
