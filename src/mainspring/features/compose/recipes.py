"""The recipes that make models of mails. Importing it needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, model_validator

from mainspring.core.errors import InvalidRequest
from mainspring.features.compose.learn import starting
from mainspring.training.own.models.shape import Shape
from mainspring.training.recipe import Recipe, RecipeOptions


class ComposeOptions(RecipeOptions):
    """Options of the recipe ``compose``. A model that starts from another has its tokenizer and its sizes."""

    named: ClassVar[Mapping[str, tuple[str, ...]]] = {"start": ("composer",)}

    start: str = Field(
        "",
        max_length=256,
        description="a version (NAME@NUMBER) of this recipe to learn on from; none: it starts from nothing",
    )
    vocabulary: int = Field(8192, ge=300, le=32_768, description="tokens of the tokenizer")
    width: int = Field(256, ge=16, le=1024, description="width of the model")
    layers: int = Field(5, ge=1, le=24, description="layers of the model")
    heads: int = Field(4, ge=1, le=16, description="heads of queries")
    kv_heads: int = Field(2, ge=1, le=16, description="heads of keys and values")
    hidden: int = Field(640, ge=0, le=4096, description="inner width of feed-forward layers; 0: 8/3 of the width")
    length: int = Field(
        128, ge=48, le=1024, description="tokens that the model sees at once; subject and recipient take up to 35"
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout while training")
    batch_tokens: int = Field(2048, ge=64, le=262_144, description="tokens of a step")
    general_epochs: float = Field(1.0, ge=0, le=100, description="passes over all text, general and mails")
    mail_epochs: float = Field(3.0, ge=0, le=100, description="passes over mails alone, after that")
    learning_rate: float = Field(2e-3, gt=0, le=0.1, description="the highest learning rate")
    weight_decay: float = Field(0.1, ge=0, le=1, description="weight decay of AdamW")
    every: int = Field(
        200, ge=1, description="steps between two evaluations on the validation side, and between checkpoints"
    )
    precision: str = Field("bf16", pattern="^(bf16|f32)$", description="number format of the arithmetic in training")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Raises ``InvalidRequest`` for what would end the run at its beginning, or teach nothing."""
        self.shape(self.vocabulary)
        if not self.general_epochs + self.mail_epochs:
            raise InvalidRequest("nothing is learned in no pass", remedy="Give at least a part", param="mail_epochs")
        return self

    def check_start(self, base: Path | None, given: Mapping[str, Path]) -> None:  # noqa: ARG002
        """See ``RecipeOptions``."""
        starting.found(given.get("start"))

    def shape(self, vocabulary: int) -> Shape:
        """Raises ``InvalidRequest`` naming the size at fault."""
        return Shape(
            "decoder", vocabulary, width=self.width, layers=self.layers, heads=self.heads, kv_heads=self.kv_heads,
            hidden=self.hidden, length=self.length, dropout=self.dropout,
        )  # fmt: skip


class PhrasesOptions(RecipeOptions):
    """Options of the recipe ``compose-phrases``."""

    named: ClassVar[Mapping[str, tuple[str, ...]]] = {"start": ("composer",)}

    start: str = Field(
        "", max_length=256, description="a version (NAME@NUMBER) to put the phrases beside; none: the server's model"
    )
    least_mails: int = Field(
        2, ge=1, le=1000, description="mails that must have the same three words or more before they are suggested"
    )
    most_share: float = Field(0.9, gt=0, lt=1, description="maximum share of the phrases in each probability")


RECIPES = (
    Recipe(
        "compose-phrases",
        "Phrases of your own mails beside a model that completes mails: seconds for some thousand mails, without torch",
        "composer",
        PhrasesOptions,
        "mainspring.features.compose.learn.phrases:run",
        ("text",),
        needs=(),
        source="Kneser and Ney 1995; guide F.1, example 4",
    ),
    Recipe(
        "compose",
        "A small decoder that completes mails: general English first, then mails with their subject and recipient",
        "composer",
        ComposeOptions,
        "mainspring.features.compose.learn.train:run",
        ("text",),
        source="guide F.1, example 4",
    ),
)
