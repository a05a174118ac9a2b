"""The recipe ``reranker``: a cross-encoder with one logit a pair, trained by binary cross-entropy."""

from __future__ import annotations

import json
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
from mainspring.training.encoders.options import RerankerOptions
from mainspring.training.encoders.run_output import entry, made
from mainspring.training.recipe import Made, Work

PARITY = "parity.jsonl"
_CHECKED = 32


class Reranking:
    """A ``loop.Task`` over pairs."""

    def __init__(
        self,
        base: weights.Base,
        train: Sequence[rows.Pair],
        held: Sequence[rows.Pair],
        options: RerankerOptions,
        seed: int,
    ) -> None:
        self.model = Scorer(base, 1, options, seed)
        self._texts = Texts(base, options.length)
        self._rows = self.encoded(train)
        self._labels = [each.label for each in train]
        self._held, self._held_rows = held, self.encoded(held)

    @property
    def lengths(self) -> list[int]:
        return [len(each.ids) for each in self._rows]

    def encoded(self, pairs: Sequence[rows.Pair]) -> list[Encoded]:
        return self._texts.pairs([each.first for each in pairs], [each.second for each in pairs])

    def loss(self, places: Sequence[int]) -> torch.Tensor:
        logits = self.model(padded([self._rows[place] for place in places]))[:, 0]
        wanted = torch.tensor([self._labels[place] for place in places], device=device())
        return functional.binary_cross_entropy_with_logits(logits, wanted)

    def validate(self) -> float | None:
        """Minus the mean loss on the validation rows: it moves where rankings do not."""
        if not self._held:
            return None
        logits = torch.from_numpy(through(self.model, self._held_rows)[:, 0])
        wanted = torch.tensor([each.label for each in self._held])
        return -float(functional.binary_cross_entropy_with_logits(logits, wanted))


def measured(model: Scorer, encoded: Sequence[Encoded], test: Sequence[rows.Pair]) -> figures.Figures:
    scores = through(model, encoded)[:, 0].tolist()
    return figures.ranking(scores, [each.label for each in test], [each.group for each in test])


def run(work: Work) -> Made:
    """Train, measure before and after on the test side, and write a reranker of the catalogue's form."""
    options: Any = work.options
    base = weights.read(work.base)
    found = rows.sides(work, rows.rerank, options.most_rows)
    if rows.distinct(each.label > 0 for each in found.train) < 2:
        raise NothingLearned("all training rows have the same label", remedy="Give relevant and other passages")
    task = Reranking(base, found.train, found.validation, options, work.seed)
    fitted = fit(work, task, options)
    notes = list(found.notes)
    if task.model.fresh:
        notes.append("the base had no head for relevance: its figures before are those of a head drawn at random")
    files = weights.write(work.output, arrays(task.model), base, int8=options.int8)
    # What is measured is what was written, in its eight bits.
    written = Scorer(weights.read(work.output), 1, options.model_copy(update={"freeze": 0}), work.seed)
    after, before = figures.Figures(), figures.Figures()
    if found.test:
        encoded = task.encoded(found.test)
        with autocast("f32"):
            after = measured(written, encoded, found.test)
            before = measured(Scorer(base, 1, options, work.seed), encoded, found.test)
    parity(work, written, task, found.test or found.validation or found.train)
    told = entry("reranker", base, options.length)
    return made("reranker", (*files, PARITY), after, before, told, fitted, notes=notes)


def parity(work: Work, model: Scorer, task: Reranking, pairs: Sequence[rows.Pair]) -> None:
    """Logits by torch, with which the converted graph must agree."""
    some = pairs[:_CHECKED]
    with autocast("f32"):
        scores = through(model, task.encoded(some))[:, 0].astype(np.float64).tolist()
    with (work.output / PARITY).open("w", encoding="utf-8") as file:
        for each, score in zip(some, scores, strict=True):
            row = {"query": each.first, "passage": each.second, "score": score}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
