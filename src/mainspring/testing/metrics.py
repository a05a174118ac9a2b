"""The contract of metrics."""

from __future__ import annotations

import pytest

from mainspring.engines.base import Embedder
from mainspring.rag.triad.live import AnswerMetric, GivenAnswer
from mainspring.rag.triad.metrics import Triad
from mainspring.testing.embedders import WordEmbedder

ODD = (
    GivenAnswer("", ""),
    GivenAnswer("When?", "\0 \ud800 日本語", ("",)),
    GivenAnswer("word " * 2000, "word " * 2000, ("word " * 2000,) * 3),
)


@pytest.mark.asyncio
class MetricSuite:
    """A subclass has a fixture ``metric``, and two answers: ``better`` must score higher than ``worse``."""

    better: GivenAnswer
    worse: GivenAnswer

    @pytest.fixture
    def embedder(self) -> Embedder:
        return WordEmbedder()

    async def test_the_better_answer_scores_higher(self, metric: AnswerMetric, embedder: Embedder) -> None:
        better, worse = [await metric.score(each, Triad(embedder)) for each in (self.better, self.worse)]
        assert better is not None
        assert worse is not None
        assert better.value > worse.value

    async def test_scores_lie_between_0_and_1(self, metric: AnswerMetric, embedder: Embedder) -> None:
        for given in (self.better, self.worse, *ODD):
            score = await metric.score(given, Triad(embedder))
            assert score is None or 0 <= score.value <= 1
            assert score is None or 0 <= score.supported <= score.claims

    async def test_the_same_answer_has_the_same_score(self, metric: AnswerMetric, embedder: Embedder) -> None:
        one, other = [await metric.score(self.better, Triad(embedder)) for _ in range(2)]
        assert one == other

    async def test_its_version_is_text(self, metric: AnswerMetric) -> None:
        assert isinstance(metric.version, str)
