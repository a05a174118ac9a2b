"""Encoder and decoder: the decoder's tokens see those before them, and the whole source by cross-attention. What T5 and
the first transformer are."""

from __future__ import annotations

from torch import Tensor, nn

from mainspring.training.own.models.layers import Cache
from mainspring.training.own.models.masks import among, causal
from mainspring.training.own.models.shape import Shape
from mainspring.training.own.models.stack import Stack, TokenEmbedding, begin, head, loss_of, places


class EncoderDecoder(nn.Module):
    """Turns a source into a text. Both sides share their embeddings."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = TokenEmbedding(shape)
        self.encoder = Stack(shape, shape.encoders)
        self.decoder = Stack(shape, shape.decoders, cross=True)
        begin(self, shape.encoders + shape.decoders)

    def forward(
        self,
        source: Tensor,
        ids: Tensor,
        targets: Tensor | None = None,
        *,
        source_keep: Tensor | None = None,
        keep: Tensor | None = None,
    ) -> Tensor:
        """Logits (batch, length, vocabulary) of the token after each of ``ids`` (batch, length), given ``source``
        (batch, source length). With ``targets`` (batch, length), instead the sum of their cross-entropies in nats;
        targets of -1 do not count. ``source_keep`` and ``keep`` are False for padding."""
        states = self.decode(ids, self.encode(source, source_keep), source_keep=source_keep, keep=keep)
        return head(states, self.embedding) if targets is None else loss_of(states, self.embedding, targets)

    def encode(self, source: Tensor, source_keep: Tensor | None = None) -> Tensor:
        """(batch, source length) to (batch, source length, width)."""
        at = places(source, None)
        mask = None if source_keep is None else among(source_keep)
        return self.encoder(self.embedding(source, at), at, mask, False)

    def decode(
        self,
        ids: Tensor,
        encoded: Tensor,
        *,
        source_keep: Tensor | None = None,
        keep: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """The last states, (batch, length, width). With a ``cache``, ``ids`` are the new tokens alone, and ``keep``
        is of all tokens so far."""
        past = 0 if cache is None else cache.length
        at = places(ids, None, past)
        mask = causal(ids.shape[1], past, ids.device, keep=keep)
        source_mask = None if source_keep is None else among(source_keep)
        states = self.embedding(ids, at)
        return self.decoder(states, at, mask, ids.shape[1] > 1, encoded, source_mask, cache)

    def logits(self, states: Tensor) -> Tensor:
        """(..., width) to (..., vocabulary)."""
        return head(states, self.embedding)

    def new_cache(self) -> Cache:
        return Cache(self.shape.decoders)
