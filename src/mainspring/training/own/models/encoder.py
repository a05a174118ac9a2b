"""Encoder-only: each token sees all others. What BERT is."""

from __future__ import annotations

from torch import Tensor, nn

from mainspring.training.own.models.masks import among
from mainspring.training.own.models.shape import Shape
from mainspring.training.own.models.stack import Stack, TokenEmbedding, begin, head, loss_of, places


class Encoder(nn.Module):
    """A masked language model."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = TokenEmbedding(shape)
        self.encoder = Stack(shape, shape.encoders)
        begin(self, shape.encoders)

    def forward(
        self,
        ids: Tensor,
        targets: Tensor | None = None,
        *,
        positions: Tensor | None = None,
        keep: Tensor | None = None,
    ) -> Tensor:
        """Logits (batch, length, vocabulary) of the token at each place of ``ids`` (batch, length). With ``targets``
        (batch, length), instead the sum of their cross-entropies in nats; targets of -1 do not count. ``keep`` (batch,
        length) is False for padding."""
        states = self.states(ids, positions=positions, keep=keep)
        return head(states, self.embedding) if targets is None else loss_of(states, self.embedding, targets)

    def states(self, ids: Tensor, *, positions: Tensor | None = None, keep: Tensor | None = None) -> Tensor:
        """The last states, (batch, length, width)."""
        at = places(ids, positions)
        mask = None if keep is None else among(keep)
        return self.encoder(self.embedding(ids, at), at, mask, False)
