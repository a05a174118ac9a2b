"""The larger chat model of ``mainspring up``: pulled while the server already answers, then loaded and announced."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from mainspring.core.errors import MainspringError

if TYPE_CHECKING:
    from mainspring.engines.catalogue.pull import PulledModel
    from mainspring.system import System


@asynccontextmanager
async def arriving(system: System, name: str) -> AsyncIterator[None]:
    """Within it the model ``name`` is pulled and served as soon as it can be (empty: nothing comes)."""
    if not name:
        yield
        return
    from mainspring.engines.catalogue.larger_model import BackgroundPull
    from mainspring.engines.catalogue.pull import Puller

    loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()

    async def bring_in() -> None:
        behind.tell("loading")
        try:
            await system.bring_in(name)
        except MainspringError as error:
            behind.tell("failed", error.message)
        else:
            behind.tell("served")
            system.registry.coming.pop(name, None)
        _say(str(behind.progress))

    def arrived(_: PulledModel) -> None:
        loop.call_soon_threadsafe(lambda: tasks.add(asyncio.create_task(bring_in())))

    behind = BackgroundPull(Puller(system.settings), name, arrived)
    system.registry.coming[name] = lambda: behind.progress
    size = behind.size_bytes
    _say(f"{name} ({size / 1e9:.1f} GB) is pulled behind this server, which answers meanwhile with what it has")
    behind.start()
    try:
        yield
    finally:
        await asyncio.to_thread(behind.stop)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _say(text: str) -> None:
    print(text)
    sys.stdout.flush()
