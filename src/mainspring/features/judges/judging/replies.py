"""A chat model's reply on a scale: its probability of each reply where the engine tells it, else what it wrote.

The expectation over the scale is the score of G-Eval (Liu et al., EMNLP 2023): finer than the likeliest reply alone.
An engine that tells the chosen token's probability only gives it for scales of two replies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mainspring.core.path import Answer
from mainspring.core.types import TokenLogprob

# Below this mass on the scale, the model said something else.
_LEAST_MASS = 0.05


@dataclass(frozen=True, slots=True)
class Reply:
    """The probability of each reply of a scale, together 1. ``graded``: by probabilities, and not the reply alone."""

    chances: Mapping[str, float]
    graded: bool

    def expected(self, scale: Mapping[str, float]) -> float:
        return sum(chance * scale[label] for label, chance in self.chances.items())

    @property
    def likeliest(self) -> str:
        return max(self.chances, key=lambda label: self.chances[label])


def read(answer: Answer, labels: Sequence[str]) -> Reply | None:
    """The reply by the scale ``labels``; None if it is none of them."""
    tokens = answer.choices[0].logprobs if answer.choices else []
    first = next((each for each in tokens if each.token.strip()), None)
    if first is not None:
        found = _chances(first, labels)
        if found is not None:
            return found
    said = named(answer.text, labels)
    return None if said is None else Reply({label: float(label == said) for label in labels}, graded=False)


def named(text: str, labels: Sequence[str]) -> str | None:
    """The label that ``text`` begins with; None if there is none."""
    said = text.strip().strip("\"'*([").lower()
    fitting = [label for label in labels if said.startswith(label.lower())]
    return max(fitting, key=len, default=None)


def _chances(first: TokenLogprob, labels: Sequence[str]) -> Reply | None:
    if len(first.top) > 1:
        mass = dict.fromkeys(labels, 0.0)
        for token, logprob in first.top:
            label = _begun(token, labels)
            if label is not None:
                mass[label] += math.exp(logprob)
        total = sum(mass.values())
        if total >= _LEAST_MASS:
            return Reply({label: each / total for label, each in mass.items()}, graded=True)
        return None
    label = _begun(first.token, labels)
    if label is None or len(labels) != 2:
        return None
    chance = min(1.0, math.exp(first.logprob))
    return Reply({each: chance if each == label else 1 - chance for each in labels}, graded=True)


def _begun(token: str, labels: Sequence[str]) -> str | None:
    """The one label that begins with a token; None if there is none, or several."""
    said = token.strip().strip("\"'*([").lower()
    if not said:
        return None
    fitting = [label for label in labels if label.lower().startswith(said) or said == label.lower()]
    return fitting[0] if len(fitting) == 1 else None
