"""Rerankers behind their call rings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mainspring.core.types import Context, Principal
from mainspring.engines.base import Reranked
from mainspring.serving.money.charged_models import ChargedModels


class Pointing:
    """Points at the first word of each passage."""

    name = fingerprint = "pointing"

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        spans = [(0, text.index(" ")) for text in passages]
        return Reranked(np.full(len(passages), 0.5, np.float32), len(query), spans=spans)

    async def close(self) -> None:
        return None


async def test_what_a_reader_points_at_comes_through_its_ring() -> None:
    models = ChargedModels(lambda inner, _name, _provider: inner)
    charged = models.reranker(Pointing(), Context(Principal("t", "k")))
    found = await charged.rerank("Who?", ["Martha knows.", "Nobody does."])
    assert list(found.spans) == [(0, 6), (0, 6)]
    assert (found.scores.tolist(), found.tokens) == ([0.5, 0.5], 4)
