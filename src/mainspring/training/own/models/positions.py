"""Positions: attention alone does not know in which order tokens stand. Three ways to tell it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mainspring.core.errors import InvalidRequest

Turn = tuple[Tensor, Tensor]
"""Cosines and sines, (batch or 1, 1, length, head / 2)."""


def turn(positions: Tensor, head: int, theta: float) -> Turn:
    """The angles by which rotary positions turn queries and keys: dimension pair ``i`` turns by
    ``position * theta ** (-2i / head)``. ``positions`` is (batch or 1, length)."""
    pairs = torch.arange(0, head, 2, device=positions.device, dtype=torch.float32)
    angles = positions[:, None, :, None].float() * theta ** (-pairs / head)
    return angles.cos(), angles.sin()


def turned(states: Tensor, by: Turn) -> Tensor:
    """Turn (batch, heads, length, head): dimension ``i`` together with ``i + head / 2``, as Llama pairs them. The
    product of a turned query and a turned key depends on how far they are apart alone."""
    cosine, sine = (each.to(states.dtype) for each in by)
    first, second = states.chunk(2, dim=-1)
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine), dim=-1)


class Sine(nn.Module):
    """Fixed: (batch or 1, length) to (batch or 1, length, width), sines beside cosines of falling frequency."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, positions: Tensor) -> Tensor:
        pairs = torch.arange(0, self.width, 2, device=positions.device, dtype=torch.float32)
        angles = positions[..., None].float() * 10_000.0 ** (-pairs / self.width)
        return torch.cat((angles.sin(), angles.cos()), dim=-1)


class Learned(nn.Module):
    """One trained vector for each place: (batch or 1, length) to (batch or 1, length, width)."""

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(length, width)

    def forward(self, positions: Tensor) -> Tensor:
        """Raises ``InvalidRequest`` for a place beyond the last one."""
        if int(positions.max()) >= self.table.num_embeddings:
            raise InvalidRequest(
                f"the model's learned positions end at {self.table.num_embeddings} tokens",
                remedy="Cut the text, or train with rotary positions",
                param="length",
            )
        return self.table(positions)
