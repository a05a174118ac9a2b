"""A reranker that computes in this process does so in its tenant's turn; one that waits elsewhere holds no turn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mainspring.engines.base import Reranked
from mainspring.rag.search.retrieve import Retriever
from mainspring.rag.search.selection import SearchOptions
from mainspring.rag.tenant_turns import TenantTurns
from tests.rag.conftest import Room

EVERYONE: frozenset[str] = frozenset()


class Counting:
    """Counts how many are read at a time; each takes until ``go``."""

    name, fingerprint = "counting", "1"

    def __init__(self, computes_here: bool) -> None:
        self.computes_here = computes_here
        self.running = self.most = 0
        self.go = asyncio.Event()

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        self.running += 1
        self.most = max(self.most, self.running)
        await self.go.wait()
        self.running -= 1
        return Reranked(np.zeros(len(passages), np.float32), 1)

    async def close(self) -> None: ...


@pytest.mark.parametrize(("computes_here", "most"), [(True, 2), (False, 8)])
async def test_how_many_of_a_tenant_are_reread_at_a_time(
    room: Room, tmp_path: Path, computes_here: bool, most: int
) -> None:
    for name in ("otters", "seals"):
        (tmp_path / f"{name}.md").write_text(f"# {name}\n\nMany {name} sleep in the bay.\n")
    await room.ingestor.ingest_path(room.collection, [tmp_path])
    reranker = Counting(computes_here)
    retriever = Retriever(
        *(room.stores.collections, room.stores.blobs, room.stores.vectors, room.embedder, room.settings), reranker
    )
    retriever.turns = TenantTurns(alone=2, beside=1)
    searches = [
        asyncio.create_task(
            retriever.search(room.collection, "bay", 2, groups=EVERYONE, options=SearchOptions(rerank=True))
        )
        for _ in range(8)
    ]
    async with asyncio.timeout(20):
        while reranker.running < most:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert reranker.running == most
    reranker.go.set()
    assert all(len(found) == 2 for found in await asyncio.gather(*searches))
    assert reranker.most == most
