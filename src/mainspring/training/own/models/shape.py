"""How a model looks: its sizes, its number of parameters and the arithmetic that it costs. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from mainspring.core.errors import InvalidRequest, ModelError

Kind = Literal["decoder", "encoder", "encoder-decoder"]
Positions = Literal["rotary", "learned", "sine"]
"""``rotary`` turns queries and keys by their place (Su et al. 2021), ``learned`` adds a vector that is trained for each
place, ``sine`` adds a fixed one (Vaswani et al. 2017)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a model; it is what ``config.json`` holds.

    ``layers`` are those of the decoder, or of the encoder where there is none; ``encoder_layers`` are those of the
    encoder beside a decoder (0: as many as ``layers``). Each of ``heads`` heads of queries has ``width / heads``
    dimensions, and ``heads / kv_heads`` of them share keys and values. ``hidden`` is the inner width of the
    feed-forward layers (0: 8/3 of ``width``, rounded up to a multiple of 32). ``length`` is how many tokens the model
    is made for; learned positions end there. Raises ``InvalidRequest`` naming the size at fault.
    """

    kind: Kind
    vocabulary: int
    width: int = 256
    layers: int = 4
    encoder_layers: int = 0
    heads: int = 4
    kv_heads: int = 2
    hidden: int = 0
    length: int = 256
    positions: Positions = "rotary"
    theta: float = 10_000.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("vocabulary", "width", "layers", "heads", "kv_heads", "length"):
            if getattr(self, name) < 1:
                raise InvalidRequest(f"{name} is {getattr(self, name)}", remedy="Give at least 1", param=name)
        if self.width % self.heads:
            raise _wrong("heads", f"a width of {self.width} cannot be divided among {self.heads} heads")
        if self.heads % self.kv_heads:
            raise _wrong("kv_heads", f"{self.heads} heads cannot share {self.kv_heads} heads of keys and values")
        if self.positions == "rotary" and self.head % 2:
            raise _wrong("heads", f"rotary positions need heads of an even size, and theirs is {self.head}")
        if self.positions == "sine" and self.width % 2:
            raise _wrong("width", f"sine positions need an even width, and it is {self.width}")
        if not 0 <= self.dropout < 1:
            raise _wrong("dropout", f"dropout is {self.dropout}", "Give a share from 0 to below 1")

    @property
    def head(self) -> int:
        """Dimensions of a head."""
        return self.width // self.heads

    @property
    def inner(self) -> int:
        """Inner width of the feed-forward layers."""
        return self.hidden or -(-8 * self.width // 3 // 32) * 32

    @property
    def encoders(self) -> int:
        """Layers of the encoder."""
        return {"decoder": 0, "encoder": self.layers}.get(self.kind, self.encoder_layers or self.layers)

    @property
    def decoders(self) -> int:
        """Layers of the decoder."""
        return 0 if self.kind == "encoder" else self.layers

    @property
    def parameters(self) -> int:
        """Exactly as many as the model has; embeddings, which the head shares, are counted once."""
        attention = 2 * self.width * self.width + 2 * self.width * self.kv_heads * self.head
        forward = 3 * self.width * self.inner
        block = attention + forward + 2 * self.width
        cross = attention + self.width if self.kind == "encoder-decoder" else 0
        blocks = self.encoders * block + self.decoders * (block + cross)
        # A last norm for each of both stacks.
        norms = self.width * ((self.encoders > 0) + (self.decoders > 0))
        learned = self.length * self.width if self.positions == "learned" else 0
        return self.vocabulary * self.width + learned + blocks + norms

    def flops(self, tokens: int, source: int = 0) -> float:
        """Floating-point operations of one forward pass over a text of ``tokens`` tokens (with ``source`` tokens for
        the encoder beside a decoder). A pass backwards costs twice as many. Norms, positions and softmax are left out;
        attention is counted whole, as kernels without a causal shortcut do it.
        """
        queries, keys = 4 * self.width * self.width, 4 * self.width * self.kv_heads * self.head
        projections, forward = queries + keys, 6 * self.width * self.inner
        head = 2 * self.vocabulary * self.width

        def stack(layers: int, length: int) -> float:
            return layers * length * (projections + forward + 4 * length * self.width)

        if self.kind != "encoder-decoder":
            return stack(self.layers, tokens) + tokens * head
        cross = self.decoders * (tokens * queries + source * keys + 4 * tokens * source * self.width)
        return stack(self.encoders, source) + stack(self.decoders, tokens) + cross + tokens * head

    def told(self) -> dict[str, Any]:
        """As ``config.json`` holds it."""
        return asdict(self)

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Shape:
        """Raises ``ModelError`` if that is no shape of ours."""
        try:
            return cls(**told)
        except TypeError:
            raise ModelError(
                "this config.json is none of our own models", remedy="Name the folder of a model that pretrain made"
            ) from None


def _wrong(param: str, message: str, remedy: str = "Choose sizes that divide each other") -> InvalidRequest:
    return InvalidRequest(message, remedy=remedy, param=param)
