"""What all three models share: embeddings with positions, a stack of blocks, the head, and how weights begin."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from mainspring.training.own.models.layers import Block, Cache, Norm
from mainspring.training.own.models.positions import Learned, Sine, Turn, turn
from mainspring.training.own.models.shape import Shape

IGNORE = -1
"""A target that no loss is taken of."""


class TokenEmbedding(nn.Module):
    """Tokens and, unless positions are rotary, their places: (batch, length) to (batch, length, width)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.tokens = nn.Embedding(shape.vocabulary, shape.width)
        self.places: nn.Module | None = None
        self.scale = 1.0
        if shape.positions == "learned":
            self.places = Learned(shape.length, shape.width)
        if shape.positions == "sine":
            # Sines have an amplitude of one, in which unscaled embeddings would drown.
            self.places, self.scale = Sine(shape.width), sqrt(shape.width)
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        states = self.tokens(ids) * self.scale
        if self.places is not None:
            states = states + self.places(positions)
        return self.dropout(states)


class Stack(nn.Module):
    """Blocks and a last norm. ``checkpointing``: keep the states between blocks alone and compute the rest again in
    the pass backwards, which costs a third more time and saves most of the memory."""

    def __init__(self, shape: Shape, layers: int, *, cross: bool = False) -> None:
        super().__init__()
        self.shape = shape
        self.blocks = nn.ModuleList(Block(shape, cross=cross) for _ in range(layers))
        self.norm = Norm(shape.width)
        self.checkpointing = False

    def forward(
        self,
        states: Tensor,
        positions: Tensor,
        mask: Tensor | None,
        causal: bool,
        source: Tensor | None = None,
        source_mask: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """(batch, length, width) to the same; ``positions`` is (batch or 1, length)."""
        by: Turn | None = None
        if self.shape.positions == "rotary":
            by = turn(positions, self.shape.head, self.shape.theta)
        for layer, block in enumerate(self.blocks):
            given = (states, by, mask, causal, source, source_mask, cache, layer)
            again = self.checkpointing and self.training and cache is None
            states = checkpoint(block, *given, use_reentrant=False) if again else block(*given)
        return self.norm(states)


def places(ids: Tensor, positions: Tensor | None, past: int = 0) -> Tensor:
    """(batch or 1, length): those that are given, or one after the other from ``past``."""
    if positions is not None:
        return positions
    return torch.arange(past, past + ids.shape[1], device=ids.device)[None]


def head(states: Tensor, embedding: TokenEmbedding) -> Tensor:
    """Logits: (..., width) to (..., vocabulary), by the same weights that embed tokens."""
    return functional.linear(states, embedding.tokens.weight)


def loss_of(states: Tensor, embedding: TokenEmbedding, targets: Tensor) -> Tensor:
    """The sum of the cross-entropies (nats) over the targets that are not ``IGNORE``. Logits are made for them alone.
    ``states`` is (batch, length, width), ``targets`` (batch, length)."""
    wanted = targets != IGNORE
    logits = head(states[wanted], embedding)
    return functional.cross_entropy(logits.float(), targets[wanted], reduction="sum")


def begin(model: nn.Module, layers: int) -> None:
    """Random weights as GPT-2's: normal with a deviation of .02, and smaller by the square root of the number of sums
    for those that add to the states, so that their size does not grow with depth."""
    for name, weight in model.named_parameters():
        if weight.dim() < 2:
            continue
        adds = name.endswith(("out.weight", "down.weight"))
        nn.init.normal_(weight, std=0.02 / sqrt(2 * layers) if adds else 0.02)


def checkpointed(model: nn.Module, on: bool) -> None:
    """Switch gradient checkpointing of all stacks."""
    apply: Callable[[Any], None] = lambda each: setattr(each, "checkpointing", on)  # noqa: E731
    for each in model.modules():
        if isinstance(each, Stack):
            apply(each)
