"""The recipe ``nli``: whether a text supports a statement, says something else, or contradicts it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from mainspring.core.errors import NothingLearned
from mainspring.training.encoders import figures, weights
from mainspring.training.encoders.data import rows
from mainspring.training.encoders.loop import autocast, device, fit
from mainspring.training.encoders.models import Encoded, Scorer, Texts, arrays, padded, through
from mainspring.training.encoders.options import NliOptions
from mainspring.training.encoders.run_output import entry, made
from mainspring.training.recipe import Made, Work

SHARE = 0.8
"""Of the length, what the premise may take: the statement must be whole."""


class Inference:
    """A ``loop.Task`` over premises and hypotheses; a logit for each of ``rows.NLI_LABELS``."""

    def __init__(
        self,
        base: weights.Base,
        train: Sequence[rows.Pair],
        held: Sequence[rows.Pair],
        options: NliOptions,
        seed: int,
    ) -> None:
        self.model = Scorer(base, len(rows.NLI_LABELS), options, seed)
        self._texts = Texts(base, options.length)
        self._rows, self._labels = self.encoded(train), [int(each.label) for each in train]
        self._held, self._held_rows = held, self.encoded(held)

    @property
    def lengths(self) -> list[int]:
        return [len(each.ids) for each in self._rows]

    def encoded(self, pairs: Sequence[rows.Pair]) -> list[Encoded]:
        return self._texts.pairs([each.first for each in pairs], [each.second for each in pairs], SHARE)

    def loss(self, places: Sequence[int]) -> torch.Tensor:
        logits = self.model(padded([self._rows[place] for place in places]))
        wanted = torch.tensor([self._labels[place] for place in places], device=device())
        return functional.cross_entropy(logits, wanted)

    def validate(self) -> float | None:
        """Minus the mean loss on the validation rows."""
        if not self._held:
            return None
        logits = torch.from_numpy(through(self.model, self._held_rows))
        wanted = torch.tensor([int(each.label) for each in self._held])
        return -float(functional.cross_entropy(logits, wanted))


def support(logits: Any) -> Any:
    """The probability of ``entailment`` of each row, (rows,)."""
    given = np.asarray(logits, np.float64)
    odds = np.exp(given - given.max(1, keepdims=True))
    return odds[:, 0] / odds.sum(1)


def measured(model: Scorer, encoded: Sequence[Encoded], test: Sequence[rows.Pair]) -> figures.Figures:
    """``auroc`` of support, ``accuracy`` and ``calibration_error`` of the three labels."""
    logits = through(model, encoded).astype(np.float64)
    odds = np.exp(logits - logits.max(1, keepdims=True))
    groups = [each.group for each in test]
    labels = [int(each.label) for each in test]
    found = figures.classes(odds / odds.sum(1, keepdims=True), labels, groups)
    scores, supported = support(logits), np.array(labels) == 0
    found.add("auroc", lambda at: figures.auroc(scores[at], supported[at]), groups)
    return found


def run(work: Work) -> Made:
    """Train, measure before and after on the test side, and write a support check of the catalogue's form."""
    options: Any = work.options
    base = weights.read(work.base)
    found = rows.sides(work, rows.nli, options.most_rows)
    if rows.distinct(each.label for each in found.train) < 2:
        raise NothingLearned("all training rows have the same label", remedy="Give supported statements and others")
    task = Inference(base, found.train, found.validation, options, work.seed)
    fitted = fit(work, task, options)
    notes = list(found.notes)
    if task.model.fresh:
        notes.append("the base had no head of three labels: its figures before are those of a head drawn at random")
    files = weights.write(work.output, arrays(task.model), base, int8=options.int8)
    after, before = figures.Figures(), figures.Figures()
    if found.test:
        thawed, encoded = options.model_copy(update={"freeze": 0}), task.encoded(found.test)
        with autocast("f32"):
            after = measured(Scorer(weights.read(work.output), 3, thawed, work.seed), encoded, found.test)
            before = measured(Scorer(base, 3, thawed, work.seed), encoded, found.test)
    return made("nli", files, after, before, entry("nli", base, options.length), fitted, notes=notes)
