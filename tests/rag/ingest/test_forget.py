"""The background work of forgetting: it begins, it is woken, and above all it ends."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from mainspring.rag.ingest.forget import Forgetter


class Pending:
    """Notes of which there are none; ``looks`` is how often somebody asked."""

    def __init__(self) -> None:
        self.looks = 0

    async def list_all(self) -> list[Any]:
        self.looks += 1
        return []


@pytest.mark.parametrize("turns", range(6))
async def test_it_ends_whatever_it_is_at(turns: int) -> None:
    """Closed so many turns of the event loop after it was woken."""
    pending = Pending()
    forgetter = Forgetter(SimpleNamespace(forgetting=pending), again_s=1.0)  # type: ignore[arg-type]
    await forgetter.start()
    async with asyncio.timeout(30):
        while not pending.looks:
            await asyncio.sleep(0)
        # It rests for ten times as long as it took, and waits from then on.
        await asyncio.sleep(0.05)
        forgetter.soon()
        for _ in range(turns):
            await asyncio.sleep(0)
        await forgetter.close()
    assert pending.looks > 1
