"""Scorers of what an answer rests on: whether it refuses rightly, and the RAG triad."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mainspring.core.types import Context
from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.evaluation.scorers import Score, Scorer
from mainspring.feature import Rooms
from mainspring.features.experiments.builtin.options import Factory, Options, only
from mainspring.rag.answer.generate import REFUSAL
from mainspring.rag.triad.metrics import Triad

TRIAD = ("faithfulness", "answer-relevancy", "context-precision", "context-recall", "context-relevance")


@dataclass(frozen=True, slots=True)
class RefusesRightly:
    """1 if the answer refuses where a refusal is right, and answers where it is not."""

    name: str = "refusal"

    async def score(self, example: Example, answered: ExampleAnswer, context: Context) -> Score | None:  # noqa: ARG002
        if example.refused is None:
            return None
        refused = answered.refused
        if refused is None:
            refused = answered.text.strip().startswith(REFUSAL)
        right = refused == example.refused
        reason = "" if right else "it answers" if example.refused else "it refuses"
        return Score(float(right), reason)


@dataclass(frozen=True, slots=True)
class OfTriad:
    """A measure of the RAG triad over the passages of the answer, or of the example."""

    name: str
    rooms: Rooms

    async def score(self, example: Example, answered: ExampleAnswer, context: Context) -> Score | None:
        passages = answered.passages or example.passages
        if not passages and self.name != "answer-relevancy":
            return None
        triad = Triad(self.rooms.path.charged.embedder(self.rooms.engines.embedder, context.nested()))
        question = example.question
        match self.name:
            case "faithfulness":
                found = await triad.faithfulness(answered.text, passages, question, most=40)
                against = "; ".join(claim.text for claim in found.claims if not claim.supported)
                return Score(found.score, against[:1000])
            case "answer-relevancy":
                return Score(await triad.answer_relevancy(question, answered.text, passages))
            case "context-precision":
                return Score(await triad.context_precision(question, passages))
            case "context-recall":
                return Score(await triad.context_recall(question, passages))
            case _:
                each = await triad.context_relevance(question, passages)
                return Score(min(1.0, max(0.0, sum(each) / len(each))))


def _refusal(_: Rooms, options: Options) -> Scorer:
    only("refusal", options)
    return RefusesRightly()


def _triad(name: str) -> Factory:
    def make(rooms: Rooms, options: Options) -> Scorer:
        only(name, options)
        return OfTriad(name, rooms)

    return make


def factories() -> Mapping[str, Factory]:
    """The scorers of this module, by name."""
    return {"refusal": _refusal, **{name: _triad(name) for name in TRIAD}}
