"""The embedder that keeps the vectors of short texts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from mainspring.core.errors import EngineError
from mainspring.engines.base import Embedded
from mainspring.rag.query import vector_memo
from mainspring.rag.query.vector_memo import CachingEmbedder


class Counting:
    """Vectors that tell text and kind apart; ``read`` are the texts it was given."""

    name = "counting"
    dimensions = 2
    max_tokens = 128

    def __init__(self) -> None:
        self.read: list[str] = []
        self.closed = False

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def embed(self, texts: Sequence[str], kind: Any = "passage") -> Embedded:
        if self.closed:
            raise EngineError("closed")
        self.read += texts
        rows = [[len(text), float(kind == "query")] for text in texts]
        return Embedded(np.array(rows, np.float32).reshape(-1, 2), 3 * len(texts), 0)

    async def close(self) -> None:
        self.closed = True


async def test_a_text_is_read_once_and_each_kind_for_itself() -> None:
    inner = Counting()
    embedder = CachingEmbedder(inner)
    first = await embedder.embed(["one", "three", "one"])
    assert inner.read == ["one", "three"]
    assert first.vectors.tolist() == [[3, 0], [5, 0], [3, 0]]
    assert first.tokens == 6
    second = await embedder.embed(["three", "seven"])
    assert inner.read == ["one", "three", "seven"]
    assert second.vectors.tolist() == [[5, 0], [5, 0]]
    assert second.tokens == 3
    assert (await embedder.embed(["one"], "query")).vectors.tolist() == [[3, 1]]
    assert (await embedder.embed(["one"])).tokens == 0


async def test_what_a_caller_does_to_its_vectors_changes_nothing_kept() -> None:
    embedder = CachingEmbedder(Counting())
    given = await embedder.embed(["one"])
    given.vectors[:] = 9
    again = await embedder.embed(["one"])
    again.vectors[:] = 8
    assert (await embedder.embed(["one"])).vectors.tolist() == [[3, 0]]


async def test_long_texts_and_old_ones_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_memo, "_KEPT", 2)
    inner = Counting()
    embedder = CachingEmbedder(inner)
    long = "x" * (vector_memo._LONGEST + 1)
    for text in (long, long, "a", "b", "c", "b", "a"):
        await embedder.embed([text])
    assert inner.read == [long, long, "a", "b", "c", "a"]


async def test_each_owner_reads_for_himself_by_his_own_embedder() -> None:
    shared, mine, yours = CachingEmbedder(Counting()), Counting(), Counting()
    for _ in range(2):
        await shared.of("me", mine).embed(["one"])
    given = await shared.of("you", yours).embed(["one"])
    assert (mine.read, yours.read, given.tokens) == (["one"], ["one"], 3)
    assert (await shared.of("me", yours).embed(["one"])).tokens == 0
    assert (await shared.embed(["one"])).tokens == 3


async def test_it_is_the_embedder_otherwise() -> None:
    inner = Counting()
    embedder = CachingEmbedder(inner)
    assert (embedder.name, embedder.dimensions, embedder.max_tokens) == ("counting", 2, 128)
    assert embedder.count_tokens(["two words"]) == [2]
    assert (await embedder.embed([])).vectors.shape == (0, 2)
    await embedder.embed(["one"])
    await embedder.close()
    with pytest.raises(EngineError):
        await embedder.embed(["one"])
