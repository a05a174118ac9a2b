"""The recipe ``classifier``: texts into classes, and a score of belonging to any of them."""

from __future__ import annotations

import json
from collections import Counter
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
from mainspring.training.encoders.options import ClassifierOptions
from mainspring.training.encoders.run_output import entry, made
from mainspring.training.recipe import Made, Work

LABELS = "labels.json"
_LABELS_IN_VALUE = 1_000


class Classifying:
    """A ``loop.Task`` over texts; ``labels`` are the classes in the order of the logits."""

    def __init__(
        self,
        base: weights.Base,
        train: Sequence[rows.Labelled],
        held: Sequence[rows.Labelled],
        options: ClassifierOptions,
        seed: int,
    ) -> None:
        self.labels = sorted({each.label for each in train})
        self._numbers = {label: number for number, label in enumerate(self.labels)}
        self.model = Scorer(base, len(self.labels), options, seed)
        self._texts = Texts(base, options.length)
        self._rows, self._wanted = self.encoded(train), [self._numbers[each.label] for each in train]
        known = [each for each in held if each.label in self._numbers]
        self._held_rows, self._held = self.encoded(known), [self._numbers[each.label] for each in known]

    @property
    def lengths(self) -> list[int]:
        return [len(each.ids) for each in self._rows]

    def encoded(self, given: Sequence[rows.Labelled]) -> list[Encoded]:
        return self._texts.single([each.text for each in given])

    def loss(self, places: Sequence[int]) -> torch.Tensor:
        logits = self.model(padded([self._rows[place] for place in places]))
        wanted = torch.tensor([self._wanted[place] for place in places], device=device())
        return functional.cross_entropy(logits, wanted)

    def validate(self) -> float | None:
        """Minus the mean loss on the validation rows."""
        if not self._held:
            return None
        logits = torch.from_numpy(through(self.model, self._held_rows))
        return -float(functional.cross_entropy(logits, torch.tensor(self._held)))


def belonging(logits: Any) -> Any:
    """How much a text looks like any of the classes: the logits' log-sum-exp (Liu et al., 2020), (rows,)."""
    given = np.asarray(logits, np.float64)
    most = given.max(1, keepdims=True)
    return most[:, 0] + np.log(np.exp(given - most).sum(1))


def measured(logits: Any, labels: Sequence[str], test: Sequence[rows.Labelled], outside: str) -> figures.Figures:
    """``accuracy`` and ``calibration_error`` of the rows inside, ``auroc_outside`` of telling them from the others."""
    numbers = {label: number for number, label in enumerate(labels)}
    inside = np.array([each.label != outside for each in test])
    logits = np.asarray(logits, np.float64)
    odds = np.exp(logits - logits.max(1, keepdims=True))
    kept = [at for at in range(len(test)) if inside[at]]
    found = figures.Figures()
    if kept:
        wanted = [numbers.get(test[at].label, -1) for at in kept]
        found = figures.classes((odds / odds.sum(1, keepdims=True))[kept], wanted, [test[at].group for at in kept])
    scores = belonging(logits)
    found.add("auroc_outside", lambda at: figures.auroc(scores[at], inside[at]), [each.group for each in test])
    return found


def run(work: Work) -> Made:
    """Train, measure on the test side, and write a classifier with its labels. A head that is drawn at random knows
    nothing, so ``before`` is the share of the most frequent class."""
    options: Any = work.options
    base = weights.read(work.base)
    found = rows.sides(work, rows.labelled, options.most_rows)
    train, held = ([each for each in side if each.label != options.outside] for side in (found.train, found.validation))
    if rows.distinct(each.label for each in train) < 2:
        raise NothingLearned("the training rows have fewer than two classes", remedy="Give rows of several classes")
    task = Classifying(base, train, held, options, work.seed)
    fitted = fit(work, task, options)
    files = weights.write(work.output, arrays(task.model), base, int8=options.int8)
    (work.output / LABELS).write_text(json.dumps(task.labels, ensure_ascii=False), encoding="utf-8")
    after, before = figures.Figures(), figures.Figures()
    if found.test:
        thawed = options.model_copy(update={"freeze": 0})
        written = Scorer(weights.read(work.output), len(task.labels), thawed, work.seed)
        with autocast("f32"):
            logits = through(written, task.encoded(found.test))
        after = measured(logits, task.labels, found.test, options.outside)
        commonest = Counter(each.label for each in train).most_common(1)[0][0]
        inside = [each for each in found.test if each.label != options.outside]
        right = np.array([each.label == commonest for each in inside], float)
        before.add("accuracy", lambda at: float(right[at].mean()), [each.group for each in inside])
    told = entry("classifier", base, options.length)
    value = {"labels": task.labels[:_LABELS_IN_VALUE], "outside": options.outside}
    return made("classifier", (*files, LABELS), after, before, told, fitted, notes=found.notes, value=value)
