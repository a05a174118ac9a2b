"""Cached vectors: each passage is embedded once for all arms, and queries are embedded each time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from mainspring.engines.base import Embedded
from mainspring.features.evaluate.ablate.vector_cache import KeptEmbedder
from tests.features.evaluate.conftest import WordEmbedder


class Watched(WordEmbedder):
    """Remembers what it was asked to embed."""

    def __init__(self, fingerprint: str = "one") -> None:
        self.fingerprint = fingerprint
        self.asked: list[str] = []

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        self.asked += texts
        return await super().embed(texts, kind)


async def test_a_passage_is_embedded_once_over_several_openings(tmp_path: Path) -> None:
    inner = Watched()
    first = await KeptEmbedder(inner, tmp_path).embed(["a bowline", "an otter", "a bowline"])
    assert inner.asked == ["a bowline", "an otter"]
    again = await KeptEmbedder(inner, tmp_path).embed(["an otter", "the tide", "a bowline"])
    assert inner.asked == ["a bowline", "an otter", "the tide"]
    expected = (await WordEmbedder().embed(["an otter", "the tide", "a bowline"])).vectors
    np.testing.assert_array_equal(again.vectors, expected)
    np.testing.assert_array_equal(first.vectors[0], first.vectors[2])


async def test_tokens_are_counted_as_if_nothing_had_been_kept(tmp_path: Path) -> None:
    kept = KeptEmbedder(Watched(), tmp_path)
    for _ in range(2):
        assert (await kept.embed(["three words here", "two words"])).tokens == 5
    assert (await kept.embed([])).vectors.shape == (0, 512)


async def test_queries_and_other_embedders_share_nothing(tmp_path: Path) -> None:
    inner, other = Watched(), Watched("other")
    kept = KeptEmbedder(inner, tmp_path)
    for _ in range(2):
        await kept.embed(["a bowline"], "query")
    await kept.embed(["a bowline"])
    await KeptEmbedder(other, tmp_path).embed(["a bowline"])
    assert inner.asked == ["a bowline"] * 3
    assert other.asked == ["a bowline"]
