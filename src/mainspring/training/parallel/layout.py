"""How the processes of a run divide its work. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mainspring.core.errors import InvalidRequest
from mainspring.training.own.models.shape import Shape

Shard = Literal["none", "optimiser", "gradients", "weights"]
"""What the processes that share the data keep a part of only: nothing (DDP), the optimiser's state (ZeRO-1), also the
gradients (ZeRO-2), also the weights (ZeRO-3, which FSDP is). Rajbhandari et al. 2020, guide E.8."""


@dataclass(frozen=True, slots=True)
class Layout:
    """``data`` processes share each batch, ``tensor`` processes share each matrix of a layer, ``pipeline`` processes
    share the layers; ``data * tensor * pipeline`` run in all. ``parts`` are what a pipeline divides a batch into, so
    that its processes work at the same time (0: twice as many as processes). Raises ``InvalidRequest`` naming what does
    not fit.
    """

    data: int = 1
    tensor: int = 1
    pipeline: int = 1
    shard: Shard = "none"
    parts: int = 0

    def __post_init__(self) -> None:
        for name in ("data", "tensor", "pipeline"):
            if getattr(self, name) < 1:
                raise InvalidRequest(f"{name} is {getattr(self, name)}", remedy="Give at least 1", param=name)
        if self.shard == "optimiser" and (self.tensor > 1 or self.pipeline > 1):
            raise InvalidRequest(
                "ZeRO-1 goes with data parallelism alone",
                remedy="With tensor or pipeline parallelism, shard gradients or weights",
                param="shard",
            )

    @property
    def processes(self) -> int:
        return self.data * self.tensor * self.pipeline

    @property
    def bubble(self) -> float:
        """The share of time in which a process of the pipeline waits: (p - 1) / (m + p - 1), as GPipe has it (Huang et
        al. 2019)."""
        parts = self.parts or 2 * self.pipeline
        return (self.pipeline - 1) / (parts + self.pipeline - 1)

    def check(self, shape: Shape) -> None:
        """Raises ``InvalidRequest`` if a model of this shape cannot be divided so."""
        if shape.kv_heads % self.tensor or shape.heads % self.tensor or shape.inner % self.tensor:
            raise InvalidRequest(
                f"{shape.heads} heads, {shape.kv_heads} of keys and values, and an inner width of {shape.inner} "
                f"cannot be divided among {self.tensor} processes",
                remedy="Choose a divisor of all three",
                param="tensor",
            )
        if self.pipeline > 1 and shape.kind != "decoder":
            raise InvalidRequest(
                f"an {shape.kind} cannot be divided by layers", remedy="Use a decoder, or pipeline 1", param="pipeline"
            )
        if shape.layers < self.pipeline:
            raise InvalidRequest(
                f"{shape.layers} layers cannot be divided among {self.pipeline} processes",
                remedy="Use at most one process a layer",
                param="pipeline",
            )

    def layers_of(self, stage: int, layers: int) -> range:
        """The layers of a process of the pipeline; the first ones have one more where they cannot be equal."""
        least, more = divmod(layers, self.pipeline)
        first = stage * least + min(stage, more)
        return range(first, first + least + (stage < more))
