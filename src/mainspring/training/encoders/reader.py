"""The recipe ``reader``: whether a passage answers a question, and which of its words do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from mainspring.core.errors import NothingLearned
from mainspring.training.encoders import figures, weights
from mainspring.training.encoders.data import rows
from mainspring.training.encoders.loop import autocast, device, fit
from mainspring.training.encoders.models import Encoded, Reader, Texts, arrays, padded
from mainspring.training.encoders.options import ReaderOptions
from mainspring.training.encoders.run_output import entry, made
from mainspring.training.recipe import Made, Work

_AT_ONCE = 32
_LONGEST = 30
"""Tokens of an answer, at most."""


@dataclass(frozen=True, slots=True)
class ReaderOutput:
    """What a reader says: the logit of an answer being there, and the characters of the best span."""

    score: float
    start: int
    end: int


class _Places:
    """A row in tokens: ``first`` and ``last`` are the answer's, -1 and -1 if there is none within reach."""

    def __init__(self, row: rows.Reading, encoded: Encoded, offsets: Sequence[tuple[int, int]]) -> None:
        self.encoded, self.offsets = encoded, offsets
        self.first = self.last = -1
        if row.start < 0:
            return
        inside = range(encoded.second, len(encoded.ids) - 1)
        touched = [place for place in inside if offsets[place][0] < row.end and offsets[place][1] > row.start]
        # An answer that the length cuts off is none that could be pointed at.
        if touched and offsets[touched[-1]][1] >= row.end:
            self.first, self.last = touched[0], touched[-1]


class ReadingTask:
    """A ``loop.Task`` over questions and passages."""

    def __init__(
        self,
        base: weights.Base,
        train: Sequence[rows.Reading],
        held: Sequence[rows.Reading],
        options: ReaderOptions,
        seed: int,
    ) -> None:
        self.model = Reader(base, options, seed)
        self._share = options.answerability
        self._texts = Texts(base, options.length)
        self._rows, self._train = self.placed(train), train
        self._held_rows, self._held = self.placed(held), held

    @property
    def lengths(self) -> list[int]:
        return [len(each.encoded.ids) for each in self._rows]

    def placed(self, given: Sequence[rows.Reading]) -> list[_Places]:
        both = self._texts.pairs_with_offsets([each.question for each in given], [each.passage for each in given])
        return [_Places(row, *each) for row, each in zip(given, both, strict=True)]

    def loss(self, places: Sequence[int]) -> torch.Tensor:
        given = [self._rows[place] for place in places]
        score, spans = self.model.read(padded([each.encoded for each in given]))
        wanted = torch.tensor([float(self._train[place].answerable) for place in places], device=device())
        whether = functional.binary_cross_entropy_with_logits(score, wanted)
        known = [number for number, each in enumerate(given) if each.first >= 0]
        if not known:
            return self._share * whether
        ends = torch.tensor([[given[number].first, given[number].last] for number in known], device=device())
        where = functional.cross_entropy(spans[known].transpose(1, 2).flatten(0, 1), ends.flatten())
        return self._share * whether + (1 - self._share) * where

    def validate(self) -> float | None:
        """Minus the loss of whether, on the validation rows."""
        if not self._held:
            return None
        found = torch.tensor([each.score for each in read(self.model, self._held_rows)])
        wanted = torch.tensor([float(each.answerable) for each in self._held])
        return -float(functional.binary_cross_entropy_with_logits(found, wanted))


def read(model: Reader, given: Sequence[_Places]) -> list[ReaderOutput]:
    """What the model says of each row, without gradients."""
    order = sorted(range(len(given)), key=lambda place: len(given[place].encoded.ids))
    found: list[Any] = [None] * len(given)
    model.eval()
    with torch.no_grad():
        for start in range(0, len(order), _AT_ONCE):
            part = order[start : start + _AT_ONCE]
            scores, spans = model.read(padded([given[place].encoded for place in part]))
            for number, place in enumerate(part):
                first, last = best_span(spans[number].cpu().numpy())
                offsets = given[place].offsets
                found[place] = ReaderOutput(float(scores[number]), offsets[first][0], offsets[last][1])
    return found


def best_span(logits: Any) -> tuple[int, int]:
    """The first and last token of the span with the greatest sum of (tokens, 2) logits."""
    sums = logits[:, None, 0] + logits[None, :, 1]
    places = np.arange(len(logits))
    apart = places[None, :] - places[:, None]
    sums = np.where((apart >= 0) & (apart < _LONGEST), sums, -np.inf)
    first, last = divmod(int(sums.argmax()), len(logits))
    return first, last


def measured(model: Reader, placed: Sequence[_Places], test: Sequence[rows.Reading]) -> figures.Figures:
    """``auroc`` and ``calibration_error`` of whether, ``exact`` and ``overlap`` (F1 in characters) of where, the latter
    over the rows whose answers are known."""
    found = read(model, placed)
    groups = [each.passage for each in test]
    scores = np.array([each.score for each in found])
    wanted = np.array([each.answerable for each in test])
    chances = 1 / (1 + np.exp(-scores))
    sure, right = np.maximum(chances, 1 - chances), (chances >= 0.5) == wanted
    whether = figures.Figures()
    whether.add("auroc", lambda at: figures.auroc(scores[at], wanted[at]), groups)
    whether.add("accuracy", lambda at: float(right[at].mean()), groups)
    whether.add_calibration(sure, right, groups)
    known = [number for number, each in enumerate(test) if each.start >= 0]
    if known:
        exact = np.array([(found[at].start, found[at].end) == (test[at].start, test[at].end) for at in known])
        shared = np.array([overlap(found[at], test[at]) for at in known])
        whether.add("exact", lambda at: float(exact[at].mean()), [groups[at] for at in known])
        whether.add("overlap", lambda at: float(shared[at].mean()), [groups[at] for at in known])
    return whether


def overlap(found: ReaderOutput, wanted: rows.Reading) -> float:
    common = min(found.end, wanted.end) - max(found.start, wanted.start)
    if common <= 0:
        return 0.0
    return 2 * common / (found.end - found.start + wanted.end - wanted.start)


def run(work: Work) -> Made:
    """Train, measure before and after on the test side, and write a reader of the catalogue's form."""
    options: Any = work.options
    base = weights.read(work.base)
    found = rows.sides(work, rows.reading, options.most_rows)
    if rows.distinct(each.answerable for each in found.train) < 2:
        raise NothingLearned(
            "all training rows are answerable, or none is", remedy="Give passages that answer and others that do not"
        )
    task = ReadingTask(base, found.train, found.validation, options, work.seed)
    fitted = fit(work, task, options)
    files = weights.write(work.output, arrays(task.model), base, int8=options.int8)
    notes = list(found.notes)
    if "span.weight" not in base.weights:
        notes.append("the base had no head for spans: its figures of where are those of a head drawn at random")
    after, before = figures.Figures(), figures.Figures()
    if found.test:
        thawed = options.model_copy(update={"freeze": 0})
        placed = task.placed(found.test)
        with autocast("f32"):
            after = measured(Reader(weights.read(work.output), thawed, work.seed), placed, found.test)
            before = measured(Reader(base, thawed, work.seed), placed, found.test)
    return made("reader", files, after, before, entry("reader", base, options.length), fitted, notes=notes)
