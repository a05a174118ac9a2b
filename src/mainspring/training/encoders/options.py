"""The options of the encoders' recipes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field

from mainspring.core.errors import InvalidRequest
from mainspring.training.folder import read_json
from mainspring.training.recipe import RecipeOptions


class EncoderOptions(RecipeOptions):
    """What all of them have. A step is one change of the weights."""

    epochs: int = Field(2, ge=1, le=1000, description="passes over the rows")
    steps: int = Field(0, ge=0, le=10_000_000, description="maximum steps; 0: all steps of the epochs")
    batch: int = Field(16, ge=1, le=4096, description="rows of a batch")
    accumulate: int = Field(1, ge=1, le=1024, description="batches per optimiser step")
    learning_rate: float = Field(3e-5, gt=0, le=1, description="highest learning rate")
    warmup: float = Field(0.1, ge=0, le=1, description="share of the steps in which the learning rate rises")
    weight_decay: float = Field(0.01, ge=0, le=1, description="weight decay of AdamW")
    clip: float = Field(1.0, gt=0, le=1000, description="maximum norm of a step's gradient")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout while training")
    length: int = Field(256, ge=8, le=8192, description="maximum tokens of a row; longer rows are cut")
    freeze: int = Field(
        0,
        ge=0,
        le=1000,
        description="number of lowest layers that are frozen, with the word embeddings; makes steps faster",
    )
    precision: Literal["f32", "bf16", "fp16"] = Field(
        "bf16", description="number format of matrix products; fp16 scales its loss and needs a GPU"
    )
    evaluate_every: int = Field(200, ge=1, le=1_000_000, description="steps between evaluations on the validation rows")
    patience: int = Field(3, ge=0, le=1000, description="evaluations without a gain before training stops; 0: never")
    save_every_s: float = Field(60, gt=0, le=86_400, description="seconds between checkpoints")
    most_rows: int = Field(200_000, ge=1, le=5_000_000, description="rows of a side that are held in memory")
    int8: bool = Field(True, description="write matrices in eight bits, a quarter of the size")

    def check_start(self, base: Path | None, given: Mapping[str, Path]) -> None:  # noqa: ARG002
        """See ``RecipeOptions``."""
        told = (read_json(base / "config.json") if base is not None else None) or {}
        longest, layers = told.get("max_position_embeddings"), told.get("num_hidden_layers")
        if longest is not None and self.length > longest:
            raise InvalidRequest(
                f"the base reads {longest} tokens, not {self.length}",
                remedy=f"Give a length of at most {longest}, or another base",
                param="options.length",
            )
        if layers is not None and self.freeze >= layers:
            raise InvalidRequest(
                f"the base has {layers} layers: freeze fewer",
                remedy=f"Freeze at most {layers - 1}, or name a larger base",
                param="options.freeze",
            )


class RerankerOptions(EncoderOptions):
    """Options of the recipe ``reranker``."""


class ReaderOptions(EncoderOptions):
    """Options of the recipe ``reader``."""

    answerability: float = Field(0.5, ge=0, le=1, description="weight of the answerability in the loss")


class NliOptions(EncoderOptions):
    """Options of the recipe ``nli``."""


class ClassifierOptions(EncoderOptions):
    """Options of the recipe ``classifier``."""

    outside: str = Field(
        "", max_length=200, description="label of texts that belong to no class; it is not trained, only recognised"
    )
    length: int = Field(64, ge=8, le=8192, description="maximum tokens of a text; longer texts are cut")
    learning_rate: float = Field(1e-4, gt=0, le=1, description="highest learning rate")


class EmbedderOptions(EncoderOptions):
    """Options of the recipe ``embedder``."""

    scale: float = Field(20.0, gt=0, le=1000, description="factor of cosines in the loss")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout while training")
