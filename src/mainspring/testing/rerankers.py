"""The contract of rerankers."""

from __future__ import annotations

import numpy as np
import pytest

from mainspring.engines.base import Reranker

ODD = ("", "\0 \ud800 日本語", "word " * 5000)


@pytest.mark.asyncio
class RerankerSuite:
    """A subclass has a fixture ``reranker``, and passages of which ``better`` answers ``query``."""

    query = "When does the harbour open?"
    better = "The harbour opens at six in the morning."
    worse = "Marigolds want sun and little water."

    async def test_the_better_passage_scores_higher(self, reranker: Reranker) -> None:
        found = await reranker.rerank(self.query, [self.worse, self.better])
        assert found.scores[1] > found.scores[0]

    async def test_scores_are_one_a_passage_and_lie_between_0_and_1(self, reranker: Reranker) -> None:
        for query in (self.query, *ODD):
            found = await reranker.rerank(query, [self.better, *ODD])
            assert found.scores.shape == (1 + len(ODD),)
            assert found.scores.dtype == np.float32
            assert bool(np.all((found.scores >= 0) & (found.scores <= 1)))
            assert found.tokens >= 0

    async def test_no_passages_have_no_scores(self, reranker: Reranker) -> None:
        assert (await reranker.rerank(self.query, [])).scores.shape == (0,)

    async def test_a_score_does_not_depend_on_the_other_passages(self, reranker: Reranker) -> None:
        alone = await reranker.rerank(self.query, [self.better])
        among = await reranker.rerank(self.query, [self.worse, self.better, self.worse])
        assert among.scores[1] == pytest.approx(alone.scores[0], abs=0.02)

    async def test_it_has_a_name_and_a_fingerprint(self, reranker: Reranker) -> None:
        assert reranker.name
        assert reranker.fingerprint == reranker.fingerprint != ""
