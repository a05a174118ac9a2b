"""OpenAI's official client over a whole system in process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai

import tests.world as worlds


@asynccontextmanager
async def client_of(home: Path, **sections: Any) -> AsyncIterator[tuple[Any, worlds.World]]:
    """The client of the key ``red``, and the world that it asks. The engines are the caller's concern."""
    async with worlds.opened(home, **sections) as world:
        yield client_for(world, "red"), world


def client_for(world: worlds.World, name: str) -> Any:
    transport: Any = world.client
    return openai.AsyncOpenAI(
        base_url="http://here/v1", api_key=world.keys[name].secret, http_client=transport, max_retries=0
    )


async def until(asked: Any, over: tuple[str, ...] = ("completed", "failed", "cancelled"), seconds: float = 30) -> Any:
    """What ``asked`` returns once its status is one of ``over``."""
    end = time.monotonic() + seconds
    while (found := await asked()).status not in over:
        assert time.monotonic() < end, found
        await asyncio.sleep(0.02)
    return found
