"""Encoders in torch: their bodies with heads, made from arrays and turned into arrays again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import BertConfig, BertModel

from mainspring.core.errors import InvalidRequest
from mainspring.engines.encode.tokens import clean, joined, plain_tokenizer, second_of
from mainspring.training.encoders.loop import device
from mainspring.training.encoders.options import EncoderOptions
from mainspring.training.encoders.weights import Base

_TOKENS_AT_ONCE = 4_096


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids of one input; those from ``second`` on are of the second text."""

    ids: Sequence[int]
    second: int


class Scorer(nn.Module):
    """A body with a pooler and a linear head: ``outputs`` logits a row."""

    def __init__(self, base: Base, outputs: int, options: EncoderOptions, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.body = body(base, options, pooler=True)
        self.dropout = nn.Dropout(options.dropout)
        self.classifier = nn.Linear(self.body.config.hidden_size, outputs)
        nn.init.normal_(self.classifier.weight, std=0.02)
        nn.init.zeros_(self.classifier.bias)
        self.fresh = not takes_head(self, base, outputs)
        freeze(self.body, options.freeze)
        self.to(device())

    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Float32 logits (rows, outputs)."""
        pooled = self.body(**inputs).pooler_output
        return self.classifier(self.dropout(pooled)).float()


class Reader(Scorer):
    """A scorer of whether the second text answers the first, with a head for where: a start and an end logit a token.

    The scorer's head is that of a cross-encoder, so that one of those is a reader already that only says whether.
    """

    def __init__(self, base: Base, options: EncoderOptions, seed: int) -> None:
        super().__init__(base, 1, options, seed)
        self.span = nn.Linear(self.body.config.hidden_size, 2)
        nn.init.normal_(self.span.weight, std=0.02)
        nn.init.zeros_(self.span.bias)
        if "span.weight" in base.weights:
            with torch.no_grad():
                self.span.weight.copy_(torch.from_numpy(np.array(base.weights["span.weight"])))
                self.span.bias.copy_(torch.from_numpy(np.array(base.weights["span.bias"])))
        self.to(device())

    def read(self, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Float32 answerability logits (rows,), and span logits (rows, tokens, 2): -1e4 outside the passage."""
        found = self.body(**inputs)
        score = self.classifier(self.dropout(found.pooler_output)).float()[:, 0]
        spans = self.span(self.dropout(found.last_hidden_state)).float()
        # The last token closes the passage and belongs to no answer.
        inside = inputs["token_type_ids"].roll(-1, 1) * inputs["token_type_ids"] * inputs["attention_mask"]
        return score, spans.masked_fill(inside[:, :, None] == 0, -1e4)


def takes_head(model: Any, base: Base, outputs: int) -> bool:
    """Whether the base has such a head, which is taken then."""
    weight = base.weights.get("classifier.weight")
    if weight is None or weight.shape != (outputs, model.classifier.in_features):
        return False
    with torch.no_grad():
        model.classifier.weight.copy_(torch.from_numpy(np.array(weight)))
        model.classifier.bias.copy_(torch.from_numpy(np.array(base.weights["classifier.bias"])))
    return True


def body(base: Base, options: EncoderOptions, *, pooler: bool) -> Any:
    """The base as ``transformers.BertModel``. Raises ``InvalidRequest`` if it cannot read so many tokens."""
    config = BertConfig(**base.config)
    if options.length > config.max_position_embeddings:
        raise InvalidRequest(
            f"the base reads {config.max_position_embeddings} tokens, not {options.length}", param="options.length"
        )
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = options.dropout
    if device().type == "cpu":
        # The fused attention of torch is slower there, forwards and backwards.
        config._attn_implementation = "eager"
    model = BertModel(config, add_pooling_layer=pooler)
    known = model.state_dict()
    given = {name: torch.from_numpy(np.array(each)) for name, each in base.weights.items() if name in known}
    missing = [name for name in known if name not in given and "pooler" not in name and "_ids" not in name]
    if missing:
        raise InvalidRequest(f"the base lacks {missing[0]}", param="base")
    model.load_state_dict(given, strict=False)
    return model


def freeze(model: Any, layers: int) -> None:
    """Have the lowest layers, and the embeddings below them, stay as they are."""
    if not layers:
        return
    if layers >= len(model.encoder.layer):
        raise InvalidRequest(f"the base has {len(model.encoder.layer)} layers: freeze fewer", param="options.freeze")
    for part in (model.embeddings, *model.encoder.layer[:layers]):
        for each in part.parameters():
            each.requires_grad_(False)


def arrays(model: nn.Module) -> dict[str, NDArray[np.float32]]:
    """Its weights by the names that the engines know."""
    return {
        name.removeprefix("body."): each.detach().float().cpu().numpy()
        for name, each in model.state_dict().items()
        if not name.endswith("_ids")
    }


class Texts:
    """Turns texts into tokens as the engines do: the first of two texts takes at most half of the length."""

    def __init__(self, base: Base, length: int) -> None:
        self._tokenizer = plain_tokenizer(str(base.tokenizer))
        self.length = length

    def single(self, texts: Sequence[str]) -> list[Encoded]:
        found = []
        for each in self._tokenizer.encode_batch([clean(text) for text in texts]):
            ids = each.ids if len(each.ids) <= self.length else [*each.ids[: self.length - 1], each.ids[-1]]
            found.append(Encoded(ids, len(ids)))
        return found

    def pairs(self, firsts: Sequence[str], seconds: Sequence[str], share: float = 0.5) -> list[Encoded]:
        """``share`` of the length is the most that the first text takes."""
        return [each for each, _ in self.pairs_with_offsets(firsts, seconds, share)]

    def pairs_with_offsets(
        self, firsts: Sequence[str], seconds: Sequence[str], share: float = 0.5
    ) -> list[tuple[Encoded, list[tuple[int, int]]]]:
        """With the characters of each token in its own text."""
        pairs = joined(self._tokenizer, firsts, seconds, self.length, share)
        return [(Encoded(each.ids, second_of(each)), each.offsets) for each in pairs]


def padded(rows: Sequence[Encoded]) -> dict[str, torch.Tensor]:
    """``input_ids``, ``attention_mask`` and ``token_type_ids``, (rows, tokens) each."""
    width = max(len(row.ids) for row in rows)
    ids, mask, types = (np.zeros((len(rows), width), np.int64) for _ in range(3))
    for number, row in enumerate(rows):
        ids[number, : len(row.ids)] = row.ids
        mask[number, : len(row.ids)] = 1
        types[number, row.second : len(row.ids)] = 1
    named = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    return {name: torch.from_numpy(each).to(device()) for name, each in named.items()}


def through(model: nn.Module, rows: Sequence[Encoded]) -> NDArray[np.float32]:
    """The model's output for all rows, float32 (rows, ...), without gradients."""
    order = sorted(range(len(rows)), key=lambda place: len(rows[place].ids))
    found: list[Any] = [None] * len(rows)
    model.eval()
    start = 0
    with torch.no_grad():
        while start < len(order):
            end = start + 1
            while end < len(order) and (end + 1 - start) * len(rows[order[end]].ids) <= _TOKENS_AT_ONCE:
                end += 1
            part = order[start:end]
            result = model(padded([rows[place] for place in part])).float().cpu().numpy()
            for place, each in zip(part, result, strict=True):
                found[place] = each
            start = end
    return np.stack(found) if found else np.zeros((0, 1), np.float32)
