"""The options of the encoders' recipes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mainspring.training.recipe import RecipeOptions


class EncoderOptions(RecipeOptions):
    """What all of them have. A step is one change of the weights."""

    epochs: int = Field(2, ge=1, le=1000, description="times that each row is read")
    steps: int = Field(0, ge=0, le=10_000_000, description="the most steps; 0: as many as the epochs have")
    batch: int = Field(16, ge=1, le=4096, description="rows of a step, before accumulation")
    accumulate: int = Field(1, ge=1, le=1024, description="batches of a step")
    learning_rate: float = Field(3e-5, gt=0, le=1)
    warmup: float = Field(0.1, ge=0, le=1, description="share of the steps in which the learning rate rises")
    weight_decay: float = Field(0.01, ge=0, le=1)
    clip: float = Field(1.0, gt=0, le=1000, description="the greatest norm of a step's gradient")
    dropout: float = Field(0.1, ge=0, lt=1)
    length: int = Field(256, ge=8, le=8192, description="the most tokens of a row; longer ones are cut")
    freeze: int = Field(
        0, ge=0, le=1000, description="lowest layers that stay as they are, with the table of words: less work a step"
    )
    precision: Literal["f32", "bf16", "fp16"] = Field(
        "bf16", description="that of the matrices' products; fp16 scales its loss and needs a GPU"
    )
    evaluate_every: int = Field(200, ge=1, le=1_000_000, description="steps between looks at the validation rows")
    patience: int = Field(3, ge=0, le=1000, description="looks without a gain before it stops; 0: it never does")
    save_every_s: float = Field(60, gt=0, le=86_400, description="seconds between checkpoints")
    most_rows: int = Field(200_000, ge=1, le=5_000_000, description="rows of a side that are held in memory")
    int8: bool = Field(True, description="write matrices in eight bits, a quarter of the size")


class RerankerOptions(EncoderOptions):
    """Options of the recipe ``reranker``."""


class ReaderOptions(EncoderOptions):
    """Options of the recipe ``reader``."""

    answerability: float = Field(0.5, ge=0, le=1, description="share of the loss for whether there is an answer")


class NliOptions(EncoderOptions):
    """Options of the recipe ``nli``."""


class ClassifierOptions(EncoderOptions):
    """Options of the recipe ``classifier``."""

    outside: str = Field(
        "", max_length=200, description="label of texts that belong to no class; it is not trained, only recognised"
    )
    length: int = Field(64, ge=8, le=8192, description="the most tokens of a text; longer ones are cut")
    learning_rate: float = Field(1e-4, gt=0, le=1)


class EmbedderOptions(EncoderOptions):
    """Options of the recipe ``embedder``."""

    scale: float = Field(20.0, gt=0, le=1000, description="what cosines are multiplied by in the loss")
    dropout: float = Field(0.0, ge=0, lt=1)
