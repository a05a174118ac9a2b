"""The contract of scorers."""

from __future__ import annotations

import pytest

from mainspring.core.types import Message
from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.evaluation.scorers import Scorer
from mainspring.testing.applications import context

ODD = ("", "\0 \ud800 日本語", "word " * 2000)


@pytest.mark.asyncio
class ScorerSuite:
    """A subclass has a fixture ``scorer``, and two answers to ``example``, of which ``better`` must score higher."""

    example = Example("1", (Message("user", "When does the harbour open?"),), references=("at six",))
    better = ExampleAnswer("at six")
    worse = ExampleAnswer("Marigolds want sun.")

    async def test_the_better_answer_scores_higher(self, scorer: Scorer) -> None:
        better, worse = [await scorer.score(self.example, each, context()) for each in (self.better, self.worse)]
        assert better is not None
        assert worse is not None
        assert better.value > worse.value

    async def test_scores_lie_between_0_and_1(self, scorer: Scorer) -> None:
        bare = Example("2", (Message("user", ""),))
        for example in (self.example, bare):
            for answer in (self.better, self.worse, *(ExampleAnswer(text) for text in ODD)):
                score = await scorer.score(example, answer, context())
                assert score is None or 0 <= score.value <= 1

    async def test_the_same_answer_has_the_same_score(self, scorer: Scorer) -> None:
        one, other = [await scorer.score(self.example, self.better, context()) for _ in range(2)]
        assert one == other

    async def test_its_name_stays(self, scorer: Scorer) -> None:
        name = scorer.name
        await scorer.score(self.example, self.better, context())
        assert scorer.name == name != ""
