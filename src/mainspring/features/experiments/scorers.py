"""Built-in scorers: measures of texts, forms, refusals, time and cost, and the RAG triad."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from mainspring.core.types import Context
from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.evaluation.scorers import Score, Scorer
from mainspring.feature import Rooms
from mainspring.features.experiments.builtin import forms, grounds
from mainspring.features.experiments.builtin.options import Factory, Options, only
from mainspring.features.experiments.evals import graders

_LONGEST = 8_000
_MOST_REFERENCES = 16


@dataclass(frozen=True, slots=True)
class TextScorer:
    """A measure of texts against the references; of several the best counts."""

    name: str

    async def score(self, example: Example, answered: ExampleAnswer, context: Context) -> Score | None:  # noqa: ARG002
        from mainspring.evaluation.texts.measures import score

        if not example.references:
            return None
        # Some take quadratic time, and texts are as long as senders like.
        said, wanted = answered.text[:_LONGEST], [each[:_LONGEST] for each in example.references[:_MOST_REFERENCES]]
        found = (await asyncio.to_thread(score, [said], [wanted], [self.name]))[self.name]
        return Score(min(1.0, max(0.0, found.each[0] / (found.most or 1.0))))


@dataclass(frozen=True, slots=True)
class Contains:
    """1 if a reference is in the answer, without case, articles and punctuation."""

    name: str = "contains"

    async def score(self, example: Example, answered: ExampleAnswer, context: Context) -> Score | None:  # noqa: ARG002
        from mainspring.evaluation.texts.measures import plain

        if not example.references:
            return None
        said = plain(answered.text)
        return Score(float(any(plain(each) in said for each in example.references if plain(each))))


def _text(name: str) -> Factory:
    def make(_: Rooms, options: Options) -> Scorer:
        only(name, options)
        return TextScorer(name)

    return make


def _contains(_: Rooms, options: Options) -> Scorer:
    only("contains", options)
    return Contains()


_TEXTS = ("exact", "f1", "rouge-1", "rouge-2", "rouge-l", "chrf", "bleu", "meteor")
SCORERS: Mapping[str, Factory] = {
    **{name: _text(name) for name in _TEXTS},
    "contains": _contains,
    "regex": forms.make_pattern,
    "json-schema": forms.make_schema,
    "latency": forms.make_latency,
    "cost": forms.make_cost,
    **grounds.factories(),
    **graders.FACTORIES,
}
