"""The parts of transformers: norm, attention, feed-forward layers, and the block of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mainspring.training.own.models.positions import Turn, turned
from mainspring.training.own.models.shape import Shape

KeysValues = tuple[Tensor, Tensor]
"""Keys and values, (batch, kv_heads, length, head) each."""


class Norm(nn.Module):
    """RMSNorm (Zhang and Sennrich 2019): divides by the root mean square, and scales each dimension."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, states: Tensor) -> Tensor:
        return functional.rms_norm(states, self.scale.shape, self.scale, 1e-5)


class Attention(nn.Module):
    """Grouped-query attention (Ainslie et al. 2023): several heads of queries share a head of keys and values, which
    makes the cache smaller by ``heads / kv_heads``."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head = shape.heads, shape.kv_heads, shape.head
        self.query = nn.Linear(shape.width, shape.heads * shape.head, bias=False)
        self.key = nn.Linear(shape.width, shape.kv_heads * shape.head, bias=False)
        self.value = nn.Linear(shape.width, shape.kv_heads * shape.head, bias=False)
        self.out = nn.Linear(shape.heads * shape.head, shape.width, bias=False)

    def keys_values(self, states: Tensor, by: Turn | None = None) -> KeysValues:
        """Of (batch, length, width): what later queries look at."""
        keys, values = self._split(self.key(states)), self._split(self.value(states))
        return (keys if by is None else turned(keys, by)), values

    def forward(
        self, states: Tensor, seen: KeysValues, by: Turn | None = None, mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """(batch, queries, width) to the same. ``mask`` is (batch or 1, 1, queries, keys): True where a query may look.
        ``causal``: query ``i`` sees the keys up to ``i``, as long as nothing else is masked."""
        queries = self._split(self.query(states))
        if by is not None:
            queries = turned(queries, by)
        mixed = functional.scaled_dot_product_attention(
            queries, *seen, attn_mask=mask, is_causal=causal and mask is None, enable_gqa=self.kv_heads != self.heads
        )
        return self.out(mixed.transpose(1, 2).flatten(2))

    def _split(self, states: Tensor) -> Tensor:
        """(batch, length, heads * head) to (batch, heads, length, head)."""
        return states.unflatten(-1, (-1, self.head)).transpose(1, 2)


class FeedForward(nn.Module):
    """SwiGLU (Shazeer 2020): (batch, length, width) to the same, through ``inner`` gated dimensions."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate = nn.Linear(shape.width, shape.inner, bias=False)
        self.up = nn.Linear(shape.width, shape.inner, bias=False)
        self.down = nn.Linear(shape.inner, shape.width, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        return self.down(functional.silu(self.gate(states)) * self.up(states))


class Cache:
    """Keys and values of the tokens so far, so that each new token costs one pass over itself alone."""

    def __init__(self, layers: int) -> None:
        self.own: list[KeysValues | None] = [None] * layers
        self.cross: list[KeysValues | None] = [None] * layers
        """These are of the encoder's states, which are the same for each new token."""

    @property
    def length(self) -> int:
        """Tokens so far."""
        first = self.own[0]
        return 0 if first is None else first[0].shape[2]

    def extend(self, layer: int, new: KeysValues) -> KeysValues:
        """All keys and values of a layer, with ``new`` at the end."""
        before = self.own[layer]
        if before is not None:
            new = (torch.cat((before[0], new[0]), dim=2), torch.cat((before[1], new[1]), dim=2))
        self.own[layer] = new
        return new

    def select(self, rows: Tensor) -> None:
        """Keep the rows ``rows`` of the batch, in their order and as often as they are named: for beams."""
        for kept in (self.own, self.cross):
            kept[:] = [None if each is None else (each[0][rows], each[1][rows]) for each in kept]


class Block(nn.Module):
    """One layer: attention to the own text, attention to a source where ``cross``, feed-forward; each reads a norm of
    the states and adds to them."""

    def __init__(self, shape: Shape, *, cross: bool = False) -> None:
        super().__init__()
        self.norm = Norm(shape.width)
        self.attention = Attention(shape)
        self.cross_norm = Norm(shape.width) if cross else None
        self.cross = Attention(shape) if cross else None
        self.forward_norm = Norm(shape.width)
        self.feed_forward = FeedForward(shape)
        self.dropout = nn.Dropout(shape.dropout)

    def forward(
        self,
        states: Tensor,
        by: Turn | None,
        mask: Tensor | None,
        causal: bool,
        source: Tensor | None = None,
        source_mask: Tensor | None = None,
        cache: Cache | None = None,
        layer: int = 0,
    ) -> Tensor:
        """(batch, length, width) to the same. ``source`` is (batch, source length, width)."""
        normed = self.norm(states)
        seen = self.attention.keys_values(normed, by)
        if cache is not None:
            seen = cache.extend(layer, seen)
        states = states + self.dropout(self.attention(normed, seen, by, mask, causal))
        if self.cross is not None and self.cross_norm is not None:
            kept = cache.cross[layer] if cache is not None else None
            if kept is None:
                assert source is not None
                kept = self.cross.keys_values(source)
                if cache is not None:
                    cache.cross[layer] = kept
            states = states + self.dropout(self.cross(self.cross_norm(states), kept, None, source_mask))
        return states + self.dropout(self.feed_forward(self.forward_norm(states)))
