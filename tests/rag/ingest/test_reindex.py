"""Re-indexing: what is searched meanwhile, what is followed, what a death leaves behind."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from mainspring import stores as store_room
from mainspring.core.errors import Conflict
from mainspring.core.settings import Settings, StoresSettings
from mainspring.engines.base import Embedded
from mainspring.rag.ingest.reindex import reindex
from mainspring.stores import Stores
from mainspring.stores.documents import table_moves
from mainspring.stores.documents.collections import Collection
from mainspring.stores.vectors.base import ChunkRow
from tests.databases import database


class Hashing:
    """An embedder whose vectors are drawn from the text's digest."""

    max_tokens = 64

    def __init__(self, name: str, dimensions: int) -> None:
        self.name = name
        self.dimensions = dimensions
        self.calls = 0

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        self.calls += 1
        rows = [
            np.random.default_rng(list(f"{self.name}{text}".encode())).normal(size=self.dimensions) for text in texts
        ]
        matrix = np.array(rows, np.float32)
        return Embedded(matrix / np.linalg.norm(matrix, axis=1, keepdims=True), 0)

    async def close(self) -> None: ...


@pytest.fixture(params=["lance", "postgres"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stores]:
    if request.param == "lance":
        async with store_room.open(Settings(home=tmp_path / "home")) as each:
            yield each
        return
    async with database(vectors=True) as url:
        stores = StoresSettings(database=url, vectors="postgres")
        async with store_room.open(Settings(home=tmp_path / "home", stores=stores)) as each:
            yield each


async def publish(opened: Stores, collection: Collection, embedder: Hashing, source: str, text: str) -> str:
    begun = await opened.collections.begin(collection, source, hashlib.sha256(text.encode()).hexdigest(), source)
    vector = (await embedder.embed([text])).vectors[0]
    name, number = begun.document_id, begun.generation
    await opened.vectors.write(
        collection.table, [ChunkRow(f"{name}.{number}.0", name, number, text, 0, len(text), None, "", vector)]
    )
    blob = await opened.blobs.put(text.encode())
    await opened.collections.publish(collection, name, number, chars=len(text), chunks=1, parser="t", text_blob=blob)
    return name


async def found(opened: Stores, collection: Collection, embedder: Hashing, text: str) -> str:
    vector = (await embedder.embed([text])).vectors[0]
    current = await opened.collections.current(collection, None)
    (hit,) = await opened.vectors.search(collection.table, vector=vector, k=1, current=current)
    assert hit.dense == pytest.approx(1, abs=1e-5)
    return hit.text


async def test_the_new_vectors_are_read_after_the_switch_and_the_old_ones_before(opened: Stores) -> None:
    old, new = Hashing("old", 8), Hashing("new", 12)
    collection = await opened.collections.create("a", "c", embedder="old")
    await publish(opened, collection, old, "one", "first text")
    changed: list[int] = []
    embed = new.embed

    async def meanwhile(texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        if not changed:
            changed.append(1)
            assert await found(opened, collection, old, "first text") == "first text"
            await publish(opened, collection, old, "one", "first text, changed")
            await publish(opened, collection, old, "two", "second text")
        return await embed(texts, kind)

    new.embed = meanwhile  # type: ignore[method-assign]
    moved = await reindex(opened, collection, new, grace_s=0)
    assert (moved.embedder, moved.id, moved.building) == ("new", collection.id, "")
    assert moved.table != collection.table
    assert await opened.vectors.count(moved.table) == 2
    assert await opened.vectors.count(collection.table) == 0
    for text in ("first text, changed", "second text"):
        assert await found(opened, moved, new, text) == text
    with pytest.raises(Conflict, match="re-indexed"):
        await publish(opened, collection, old, "three", "written for the old table")


async def test_what_dies_leaves_the_old_one_and_is_swept_up(opened: Stores) -> None:
    old, new = Hashing("old", 8), Hashing("new", 12)
    collection = await opened.collections.create("a", "c", embedder="old")
    await publish(opened, collection, old, "one", "first text")

    table, left = await table_moves.begin(opened.database, collection)
    assert left == ""
    await opened.vectors.write(table, [ChunkRow("x", "x", 1, "x", 0, 1, None, "", np.ones(12, np.float32))])
    assert await found(opened, await opened.collections.get("a", "c"), old, "first text") == "first text"
    moved = await reindex(opened, collection, new, grace_s=0)
    assert await opened.vectors.count(table) == 0
    assert await found(opened, moved, new, "first text") == "first text"
    with pytest.raises(Conflict, match="another re-index"):
        await table_moves.switch(opened.database, moved, table, "old", moved.version)
