"""The recipe ``embedder``: vectors in which a query lies near its passage and far from all others of its batch.

The loss is the in-batch softmax over cosines of sentence-transformers' ``MultipleNegativesRankingLoss`` (Henderson et
al., 2017), with the rows' own negatives among the candidates. A passage that another row of the batch has as its own
positive is no negative there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mainspring.training.encoders import figures, weights
from mainspring.training.encoders.data import rows
from mainspring.training.encoders.loop import autocast, device, fit
from mainspring.training.encoders.models import Encoded, Texts, arrays, body, freeze, padded, through
from mainspring.training.encoders.options import EmbedderOptions, EncoderOptions
from mainspring.training.encoders.run_output import entry, made
from mainspring.training.recipe import Made, Work

PARITY = "parity.jsonl"
_CHECKED = 32


class Vectors(nn.Module):
    """A body whose states are averaged over the tokens: unit vectors (texts, hidden)."""

    def __init__(self, base: weights.Base, options: EncoderOptions, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.body = body(base, options, pooler=False)
        freeze(self.body, options.freeze)
        self.to(device())

    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        # The engine's graph of an embedder knows no second text.
        states = self.body(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).last_hidden_state
        kept = inputs["attention_mask"][:, :, None].float()
        pooled = (states.float() * kept).sum(1) / kept.sum(1)
        return functional.normalize(pooled, dim=1)


class Embedding:
    """A ``loop.Task`` over triplets."""

    def __init__(
        self,
        base: weights.Base,
        train: Sequence[rows.Triplet],
        held: Sequence[rows.Triplet],
        options: EmbedderOptions,
        seed: int,
    ) -> None:
        self.model = Vectors(base, options, seed)
        self._scale = options.scale
        self._texts = Texts(base, options.length)
        self._train, self._held = train, held
        self._anchors, self._positives, self._negatives = self._sides(train)
        self._held_sides = self._sides(held)

    def _sides(self, given: Sequence[rows.Triplet]) -> tuple[list[Encoded], list[Encoded], list[Encoded]]:
        anchors, positives, negatives = (
            self.encoded([getattr(each, name) or " " for each in given]) for name in ("anchor", "positive", "negative")
        )
        return anchors, positives, negatives

    def encoded(self, texts: Sequence[str]) -> list[Encoded]:
        return self._texts.single(texts) if texts else []

    @property
    def lengths(self) -> list[int]:
        parts = zip(self._anchors, self._positives, self._negatives, strict=True)
        return [sum(len(each.ids) for each in part) for part in parts]

    def loss(self, places: Sequence[int]) -> torch.Tensor:
        rows_ = [self._train[place] for place in places]
        hard = [place for place in places if self._train[place].negative]
        anchors = self.model(padded([self._anchors[place] for place in places]))
        passages = [self._positives[place] for place in places] + [self._negatives[place] for place in hard]
        scores = self._scale * anchors @ self.model(padded(passages)).T
        texts = [each.positive for each in rows_] + [self._train[place].negative for place in hard]
        return _softmax(scores, rows_, texts)

    def validate(self) -> float | None:
        """Minus the mean loss over the validation rows, each against all others of its hundred."""
        if not self._held:
            return None
        anchors, positives, negatives = (through(self.model, side) for side in self._held_sides)
        total = 0.0
        for start in range(0, len(self._held), 100):
            part = list(self._held[start : start + 100])
            hard = [at for at, each in enumerate(part, start) if each.negative]
            passages = np.concatenate([positives[start : start + len(part)], negatives[hard]])
            scores = self._scale * torch.from_numpy(anchors[start : start + len(part)] @ passages.T)
            texts = [each.positive for each in part] + [self._held[at].negative for at in hard]
            total += float(_softmax(scores, part, texts)) * len(part)
        return -total / len(self._held)


def _softmax(scores: torch.Tensor, given: Sequence[rows.Triplet], texts: Sequence[str]) -> torch.Tensor:
    """The mean loss of (queries, passages) scores, where passage n is the one of query n."""
    own: dict[str, set[str]] = {}
    for each in given:
        own.setdefault(each.anchor, set()).add(each.positive)
    same = [
        [place != number and text in own[each.anchor] for place, text in enumerate(texts)]
        for number, each in enumerate(given)
    ]
    masked = scores.masked_fill(torch.tensor(same, device=scores.device), -1e4)
    return functional.cross_entropy(masked, torch.arange(len(given), device=scores.device))


def measured(model: nn.Module, task: Embedding, test: Sequence[rows.Triplet]) -> figures.Figures:
    """Rankings of all passages of the test side for each of its queries."""
    queries = list(dict.fromkeys(each.anchor for each in test))
    passages = list(dict.fromkeys(text for each in test for text in (each.positive, each.negative) if text))
    right = {(each.anchor, each.positive) for each in test}
    scores = through(model, task.encoded(queries)) @ through(model, task.encoded(passages)).T
    gains = np.array([[float((query, passage) in right) for passage in passages] for query in queries])
    found = figures.Figures()
    for name, measure in (("ndcg@10", figures.ndcg), ("mrr", figures.reciprocal_rank)):
        per = np.array([measure(scores[at].astype(np.float64), gains[at]) for at in range(len(queries))])
        found.add(name, lambda at, per=per: float(per[at].mean()), queries)  # type: ignore[misc]
    return found


def run(work: Work) -> Made:
    """Train, measure before and after on the test side, and write an embedder of the catalogue's form."""
    options: Any = work.options
    base = weights.read(work.base)
    found = rows.sides(work, rows.triplet, options.most_rows)
    task = Embedding(base, found.train, found.validation, options, work.seed)
    fitted = fit(work, task, options)
    files = weights.write(work.output, arrays(task.model), base, int8=options.int8)
    thawed = options.model_copy(update={"freeze": 0})
    written = Vectors(weights.read(work.output), thawed, work.seed)
    after, before = figures.Figures(), figures.Figures()
    with autocast("f32"):
        if found.test:
            after = measured(written, task, found.test)
            before = measured(Vectors(base, thawed, work.seed), task, found.test)
        texts = [each.positive for each in (found.test or found.train)[:_CHECKED]]
        vectors = through(written, task.encoded(texts)).astype(np.float64)
    with (work.output / PARITY).open("w", encoding="utf-8") as file:
        for text, vector in zip(texts, vectors.tolist(), strict=True):
            file.write(json.dumps({"text": text, "vector": vector}, ensure_ascii=False) + "\n")
    more = {"dimensions": int(base.config["hidden_size"]), "pooling": "mean"}
    told = entry("embedding", base, options.length, **more)
    return made("embedding", (*files, PARITY), after, before, told, fitted, notes=found.notes)
