"""The options of the recipe ``translate``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from mainspring.features.translate.engine.card import brought
from mainspring.features.translate.training import starting
from mainspring.training.recipe import RecipeOptions


class TranslateOptions(RecipeOptions):
    """What a translator is made of, and how long it learns. One that starts from another has its sizes and pieces."""

    named: ClassVar[Mapping[str, tuple[str, ...]]] = {"start": ("translator",)}
    packaged: ClassVar[Mapping[str, Path]] = {each.name: each for each in brought()}

    start: str = Field(
        "",
        max_length=256,
        description="a version (NAME@NUMBER), or `everyday` of the package, to learn on from; none: from nothing",
    )
    pairs: tuple[str, ...] = Field(
        (), max_length=64, description="pairs such as `en-fr` to learn; none: all of the data"
    )
    both: bool = Field(True, description="learn each pair in both directions")
    vocabulary: int = Field(6_000, ge=200, le=64_000, description="pieces of the joint vocabulary")
    width: int = Field(192, ge=16, le=1024, multiple_of=8, description="width of the model")
    inner: int = Field(768, ge=16, le=8192, description="width of the feed-forward layers")
    heads: int = Field(4, ge=1, le=16, description="attention heads; they divide the width")
    encoder_layers: int = Field(3, ge=1, le=24, description="encoder layers")
    decoder_layers: int = Field(2, ge=1, le=24, description="decoder layers")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout while training")
    pretrain_steps: int = Field(100, ge=0, le=1_000_000, description="steps of span corruption on each side alone")
    steps: int = Field(1_200, ge=1, le=1_000_000, description="steps of translation")
    batch_tokens: int = Field(4_096, ge=64, le=262_144, description="pieces of a batch on its longer side")
    rate: float = Field(2e-3, gt=0, le=1, description="highest learning rate")
    warmup: int = Field(100, ge=0, description="warm-up steps, in which the learning rate rises")
    decay: float = Field(0.5, gt=0, le=1, description="last share of the steps, in which the learning rate falls")
    smoothing: float = Field(0.1, ge=0, lt=1, description="label smoothing: probability that is spread over all pieces")
    masked: float = Field(0.3, ge=0, le=1, description="share of pairs in which shared names and numbers become marks")
    longest: int = Field(96, ge=8, le=512, description="maximum pieces of a sentence")
    aligned: bool = Field(True, description="initialise pieces that occur in the same pairs with similar vectors")
    checkpoint_s: float = Field(120, gt=0, description="seconds between checkpoints")
    precision: str = Field("bf16", pattern="^(bf16|fp32)$", description="number format of the matrix products")
    weights: str = Field("int8", pattern="^(int8|float32)$", description="number format of the finished model")
    beam: int = Field(4, ge=1, le=16, description="beams while it is measured")
    tested: int = Field(0, ge=0, description="maximum pairs of each kind that are measured; 0: all")

    @property
    def parameters(self) -> int:
        """Attention and feed-forward of each layer (two attentions in those that write), and the embeddings."""
        attention, forward = 4 * self.width**2, 2 * self.width * self.inner
        reads, writes = attention + forward, 2 * attention + forward
        return self.encoder_layers * reads + self.decoder_layers * writes + self.vocabulary * self.width

    def check_start(self, base: Path | None, given: Mapping[str, Path]) -> None:  # noqa: ARG002
        """See ``RecipeOptions``."""
        starting.found(given.get("start"))
