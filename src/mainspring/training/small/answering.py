"""The recipe ``answering``: the evidence, its threshold, and the weights by which sentences are chosen.

The weights maximise the chance of a right sentence among all of its question (a softmax over their scores), are never
below 0, and are pulled towards the shipped ones. The evidence is a logistic regression of "the documents answer". What
is no better than the shipped one on the side ``validation`` is left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from mainspring.core.errors import NothingLearned
from mainspring.core.settings import RagSettings, load
from mainspring.engines import builtin
from mainspring.engines.base import Embedder
from mainspring.rag.answer.evidence.features import NAMES
from mainspring.rag.answer.verbatim.choice_weights import SHIPPED, TERMS
from mainspring.statistics.significance import interval
from mainspring.training.recipe import Made, Side, Work
from mainspring.training.small.logistic import logistic
from mainspring.training.small.options import AnsweringOptions
from mainspring.training.small.searched import Searched, searched

_MOST = 10.0
_BUILT_IN = {"chunk": 7.71, "sentence": 6.69, "covered": 4.21}
_BUILT_IN_CONSTANT = -7.23
Figures = Sequence[float]


@dataclass(frozen=True, slots=True)
class _Evidence:
    """``weights`` and ``constant`` of the evidence, and the ``threshold`` below which it refuses."""

    weights: Mapping[str, float]
    constant: float
    threshold: float

    def of(self, found: Searched) -> float:
        total = self.constant + sum(weight * found.features.get(name, 0.0) for name, weight in self.weights.items())
        return float(1 / (1 + np.exp(-np.clip(total, -60, 60))))

    def right(self, found: Searched) -> float:
        """1 if it answers what can be answered, or refuses the rest."""
        return float((self.of(found) >= self.threshold) == found.answerable)


def run(work: Work) -> Made:
    """Raises ``NothingLearned`` if what is shipped is as good."""
    return asyncio.run(_run(work))


async def _run(work: Work) -> Made:
    options = cast(AnsweringOptions, work.options)
    settings = load().settings
    embedder = await builtin.embedder(settings)
    try:
        train = await _read(work, "train", options, embedder)
        validation = await _read(work, "validation", options, embedder) or train
        test = await _read(work, "test", options, embedder)
    finally:
        await embedder.close()
    value: dict[str, Any] = {}
    told: dict[str, Figures] = {}
    before: dict[str, Figures] = {}
    weights = _weights(work, train, validation, options)
    if weights is not None:
        value["weights"] = {name: round(float(each), 4) for name, each in zip(TERMS, weights, strict=True)}
        told["first_right"], before["first_right"] = _firsts(test, weights), _firsts(test, _shipped())
    built_in = _Evidence(_BUILT_IN, _BUILT_IN_CONSTANT, RagSettings().refuse_below)
    evidence = _evidence(train, validation, options, built_in)
    if evidence is not None:
        named = {name: round(each, 5) for name, each in evidence.weights.items()}
        value["calibration"] = {"weights": named, "constant": evidence.constant, "threshold": evidence.threshold}
        value["calibration"]["embedder"] = embedder.name
        told["judged_right"], before["judged_right"] = _judged(test, evidence), _judged(test, built_in)
    if not value:
        raise NothingLearned("neither evidence nor weights are better than the shipped ones on the side validation")
    return _made(value, told, before)


async def _read(work: Work, side: Side, options: AnsweringOptions, embedder: Embedder) -> list[Searched]:
    found: list[Searched] = []
    for number, row in enumerate(work.rows(side)):
        if number >= options.max_rows or work.finishing():
            break
        one = await searched(row, embedder)
        if one is not None:
            found.append(one)
    return found


def _weights(
    work: Work, train: Sequence[Searched], validation: Sequence[Searched], options: AnsweringOptions
) -> Any | None:
    """The weights that put a right sentence first most often on ``validation``; None: the shipped ones do."""
    useful = [each for each in train if each.right.any() and not each.right.all()]
    checked = [each for each in validation if each.right.any() and not each.right.all()]
    if len(useful) < 10 or not checked:
        return None
    best, most = None, float(np.mean(_firsts(checked, _shipped())))
    for number, ridge in enumerate(options.ridges):
        fitted = fit(useful, ridge, options)
        share = float(np.mean(_firsts(checked, fitted)))
        work.log(number, first_right=share, ridge=ridge)
        if share > most:
            best, most = fitted, share
    return best


def fit(useful: Sequence[Searched], ridge: float, options: AnsweringOptions) -> Any:
    """The weights [terms] after ``options.steps`` steps of Adam, projected to 0 and above."""
    shipped, weights = _shipped(), _shipped()
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, options.steps + 1):
        gradient = 2 * ridge * (weights - shipped)
        for each in useful:
            chance = _softmax(each.terms @ weights / options.temperature)
            right = chance * each.right
            right /= max(right.sum(), 1e-12)
            gradient -= (right - chance) @ each.terms / options.temperature / len(useful)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        rate = 0.02 * (1 - step / options.steps) + 1e-4
        weights -= rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-9)
        weights = np.clip(weights, 0.0, _MOST)
    return weights


def _evidence(
    train: Sequence[Searched], validation: Sequence[Searched], options: AnsweringOptions, built_in: _Evidence
) -> _Evidence | None:
    """None: the built-in evidence judges as many right, or the rows are of one kind."""
    known = [each for each in train if each.answerable is not None]
    checked = [each for each in validation if each.answerable is not None]
    try:
        weights, constant = logistic([each.values for each in known], [each.answerable for each in known])
    except ValueError:
        return None
    named = {name: float(each) for name, each in zip(NAMES, weights, strict=True)}
    fitted = _Evidence(named, round(constant, 5), 0.0)
    scores = sorted(fitted.of(each) for each in known if each.answerable)
    fitted = _Evidence(named, fitted.constant, round(scores[int(options.refused * len(scores))], 5))
    return fitted if np.mean(_judged(checked, fitted)) > np.mean(_judged(checked, built_in)) else None


def _judged(rows: Sequence[Searched], evidence: _Evidence) -> list[float]:
    return [evidence.right(each) for each in rows if each.answerable is not None]


def _firsts(rows: Sequence[Searched], weights: Any) -> list[float]:
    """Of each question that has right and wrong sentences: 1 if a right one has the greatest score."""
    useful = [each for each in rows if each.right.any() and not each.right.all()]
    return [float(each.right[int(np.argmax(each.terms @ weights))]) for each in useful]


def _shipped() -> Any:
    return np.array([getattr(SHIPPED, name) for name in TERMS], np.float64)


def _softmax(scores: Any) -> Any:
    found = np.exp(scores - scores.max())
    return found / found.sum()


def _made(value: Mapping[str, Any], told: Mapping[str, Figures], before: Mapping[str, Figures]) -> Made:
    told = {name: each for name, each in told.items() if each}
    bounds = {name: interval(each) for name, each in told.items()}
    gains = {name: interval([a - b for a, b in zip(each, before[name], strict=True)]) for name, each in told.items()}
    notes = tuple(
        f"{name}: {each.text()} more than what is shipped, {each.n} questions" for name, each in gains.items()
    )
    return Made(
        "answering",
        figures={name: float(np.mean(each)) for name, each in told.items()},
        intervals={name: (each.low, each.high) for name, each in bounds.items()},
        counted={name: len(each) for name, each in told.items()},
        before={name: float(np.mean(before[name])) for name in told},
        value=value,
        notes=notes,
    )
