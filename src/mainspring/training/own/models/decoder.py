"""Decoder-only: each token sees those before it. What GPT, Llama and Gemini are."""

from __future__ import annotations

from torch import Tensor, nn

from mainspring.training.own.models.layers import Cache
from mainspring.training.own.models.masks import causal
from mainspring.training.own.models.shape import Shape
from mainspring.training.own.models.stack import Stack, TokenEmbedding, begin, head, loss_of, places


class Decoder(nn.Module):
    """A language model."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = TokenEmbedding(shape)
        self.decoder = Stack(shape, shape.decoders)
        begin(self, shape.decoders)

    def forward(
        self,
        ids: Tensor,
        targets: Tensor | None = None,
        *,
        positions: Tensor | None = None,
        documents: Tensor | None = None,
        keep: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Logits (batch, length, vocabulary) of the token after each of ``ids`` (batch, length). With ``targets``
        (batch, length), instead the sum of their cross-entropies in nats; targets of -1 do not count.

        ``documents`` (batch, length) keeps documents that are packed together apart. ``keep`` (batch, past + length)
        is False for padding. With a ``cache``, ``ids`` are the new tokens alone.
        """
        states = self.states(ids, positions=positions, documents=documents, keep=keep, cache=cache)
        return head(states, self.embedding) if targets is None else loss_of(states, self.embedding, targets)

    def states(
        self,
        ids: Tensor,
        *,
        positions: Tensor | None = None,
        documents: Tensor | None = None,
        keep: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """The last states, (batch, length, width)."""
        past = 0 if cache is None else cache.length
        at = places(ids, positions, past)
        mask = causal(ids.shape[1], past, ids.device, documents=documents, keep=keep)
        return self.decoder(self.embedding(ids, at), at, mask, ids.shape[1] > 1, cache=cache)

    def new_cache(self) -> Cache:
        return Cache(self.shape.decoders)
