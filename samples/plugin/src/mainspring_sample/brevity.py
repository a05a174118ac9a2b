"""A metric: how brief an answer is."""

from __future__ import annotations

from mainspring.rag.triad.live import GivenAnswer, MetricScore
from mainspring.rag.triad.metrics import Triad


class Brevity:
    """1 for an answer without words, 0.5 for one of ``half`` words, and so on. Implements ``AnswerMetric``."""

    def __init__(self, half: int) -> None:
        self._half = half
        self.version = f"1-{half}"

    async def score(self, given: GivenAnswer, triad: Triad) -> MetricScore | None:
        return MetricScore(self._half / (self._half + len(given.answer.split())))
