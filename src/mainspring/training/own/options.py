"""The options of our recipes; they need no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from mainspring.core.errors import InvalidRequest
from mainspring.training.own import words
from mainspring.training.own.models.shape import Kind, Shape
from mainspring.training.own.texts import ROLES
from mainspring.training.own.words import Algorithm
from mainspring.training.parallel.layout import Layout, Shard
from mainspring.training.recipe import RecipeOptions

Objective = Literal["causal", "masked", "span"]
KINDS: Mapping[Objective, Kind] = {"causal": "decoder", "masked": "encoder", "span": "encoder-decoder"}
"""The model that learns each objective."""
_SPAN = 20
"""One sentinel for so many tokens: 15 % of them, in spans of three."""


class TokenizerOptions(RecipeOptions):
    """What a tokenizer looks like."""

    algorithm: Algorithm = Field("bpe", description="bpe (bytes), wordpiece, unigram, character or word")
    vocabulary: int = Field(8_000, ge=32, le=500_000, description="maximum number of tokens")
    lowercase: bool = Field(False, description="convert all letters to lower case first")
    sentinels: int = Field(64, ge=0, le=1_000, description="tokens for the spans of span corruption")
    special: list[str] = Field(
        default_factory=lambda: ["<|system|>", "<|user|>", "<|assistant|>"],
        max_length=200,
        description="additional tokens that are never divided",
    )

    def check_start(self, base: Path | None, given: Mapping[str, Path]) -> None:  # noqa: ARG002
        """See ``RecipeOptions``."""
        words.first(self.algorithm, self.vocabulary, self.sentinels, self.special)


class SizeOptions(RecipeOptions):
    """How large a model is."""

    width: int = Field(192, ge=16, le=8_192, description="dimensions of a token")
    layers: int = Field(4, ge=1, le=128, description="layers of a stack")
    heads: int = Field(6, ge=1, le=128, description="heads of attention")
    kv_heads: int = Field(2, ge=1, le=128, description="heads of keys and values, which the others share")
    length: int = Field(128, ge=8, le=32_768, description="tokens of a window")
    positions: Literal["rotary", "learned", "sine"] = Field("rotary", description="rotary, learned or sine")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of states that are dropped in training")

    @property
    def parameters(self) -> int:
        """Layers of 12 times the square of the width, in two stacks for ``span``; embeddings of the vocabulary, where
        the options tell it, and of positions."""
        stacks = 2.5 if getattr(self, "objective", "causal") == "span" else 1.0
        tokens = int(getattr(self, "vocabulary", 0)) + self.length
        return int(12 * self.width**2 * self.layers * stacks) + tokens * self.width


class StepOptions(RecipeOptions):
    """How the loop trains."""

    steps: int = Field(500, ge=1, le=10_000_000, description="steps of the optimiser")
    batch: int = Field(32, ge=1, le=65_536, description="windows or texts of a step")
    micro: int = Field(0, ge=0, le=65_536, description="how many of these in one pass (0: all); fewer save memory")
    rate: float = Field(1e-3, gt=0, le=1, description="highest learning rate")
    warmup: int = Field(30, ge=0, description="steps of warm-up to the learning rate")
    decay: float = Field(0.1, ge=0, le=1, description="decay of the weights")
    clip: float = Field(1.0, gt=0, description="largest norm of the gradients")
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="number format of the arithmetic; float16 scales losses and needs a GPU"
    )
    checkpointing: bool = Field(False, description="compute states again instead of keeping them; saves memory")
    every: int = Field(50, ge=1, description="steps between two evaluations of the held-out loss")
    patience: int = Field(4, ge=0, description="evaluations without a better loss after which training ends (0: never)")
    save: int = Field(50, ge=1, description="steps between two checkpoints")
    device: str = Field("cpu", pattern=r"^(cpu|cuda(:\d+)?)$", description="cpu or cuda")
    most_tokens: int = Field(20_000_000, ge=100, le=1_000_000_000, description="tokens of the data that are read")


class LayoutOptions(RecipeOptions):
    """How many processes train, and what each of them has. ``training.parallel`` says more."""

    data: int = Field(1, ge=1, le=4_096, description="processes that share each batch")
    tensor: int = Field(1, ge=1, le=64, description="processes that share each matrix")
    pipeline: int = Field(1, ge=1, le=64, description="processes that share the layers")
    shard: Shard = Field(
        "none", description="what data-parallel processes shard: optimiser (ZeRO-1), gradients, weights (FSDP)"
    )
    parts: int = Field(0, ge=0, le=4_096, description="parts of a batch in a pipeline (0: twice its processes)")

    @property
    def layout(self) -> Layout:
        """Raises ``InvalidRequest`` if parts of it do not go together."""
        return Layout(self.data, self.tensor, self.pipeline, self.shard, self.parts)

    @property
    def processes(self) -> int:
        return self.layout.processes


class PretrainWithOptions(SizeOptions, StepOptions, LayoutOptions):
    """Pretraining with a tokenizer that is given."""

    objective: Objective = Field("causal", description="causal (decoder), masked (encoder), span (both)")
    apart: bool = Field(False, description="tokens do not attend to other texts of their window (only causal)")
    prompts: list[str] = Field(default_factory=list, max_length=10, description="beginning of the samples")
    sample_tokens: int = Field(40, ge=1, le=1_000, description="maximum tokens of a sample")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Raises ``InvalidRequest`` for what would end the run at its first step."""
        self.layout.check(self.shape(1))
        if self.batch % self.data:
            raise InvalidRequest(
                f"a batch of {self.batch} rows cannot be shared by {self.data} processes",
                remedy="Choose a multiple",
                param="batch",
            )
        return self

    @property
    def spans(self) -> int:
        """The sentinels that a window needs."""
        return -(-self.length // _SPAN) + 1 if self.objective == "span" else 0

    def check_start(self, base: Path | None, given: Mapping[str, Path]) -> None:  # noqa: ARG002
        """See ``RecipeOptions``."""
        found = self.spans if base is None else len(words.sentinels_of(words.given(base)))
        if found < self.spans:
            shorter = f"a length of at most {_SPAN * (found - 1)}, or " if found > 1 else ""
            raise InvalidRequest(
                f"windows of {self.length} tokens need {self.spans} sentinels, and the tokenizer has {found}",
                remedy=f"Give {shorter}a base whose tokenizer was trained with `sentinels` of at least {self.spans}",
                param="options.length",
            )

    def shape(self, vocabulary: int) -> Shape:
        """The model that is trained, with a tokenizer of so many tokens. Raises ``InvalidRequest`` naming a size."""
        return Shape(
            KINDS[self.objective],
            vocabulary=vocabulary,
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            kv_heads=self.kv_heads,
            length=self.length,
            positions=self.positions,
            dropout=self.dropout,
        )


class PretrainOptions(PretrainWithOptions):
    """Pretraining with a tokenizer that is trained on the same texts."""

    algorithm: Algorithm = Field("bpe", description="algorithm of the tokenizer")
    vocabulary: int = Field(4_000, ge=32, le=500_000, description="maximum tokens of the tokenizer")
    lowercase: bool = Field(False, description="the tokenizer converts all letters to lower case")

    def check_start(self, base: Path | None, given: Mapping[str, Path]) -> None:  # noqa: ARG002
        """See ``RecipeOptions``."""
        words.first(self.algorithm, self.vocabulary, self.spans, ROLES)


class FinetuneOptions(StepOptions):
    """The second stage. The rate is lower than in the first one."""

    steps: int = Field(200, ge=1, le=10_000_000, description="steps of the optimiser")
    rate: float = Field(3e-4, gt=0, le=1, description="highest learning rate")
    answers_only: bool = Field(True, description="learn only the assistant's turns of conversations")
    prompts: list[str] = Field(default_factory=list, max_length=10, description="prompts of the samples")
    sample_tokens: int = Field(40, ge=1, le=1_000, description="maximum tokens of a sample")


class RewardOwnOptions(StepOptions):
    """A reward model of pairs."""

    steps: int = Field(150, ge=1, le=10_000_000, description="steps of the optimiser")
    rate: float = Field(3e-4, gt=0, le=1, description="highest learning rate")


class PpoOwnOptions(RecipeOptions):
    """Reinforcement learning against a reward model."""

    steps: int = Field(60, ge=1, le=1_000_000, description="rounds of answers")
    batch: int = Field(48, ge=2, le=4_096, description="prompts of a round")
    epochs: int = Field(2, ge=1, le=20, description="passes over the answers of a round")
    part: int = Field(24, ge=1, le=4_096, description="answers of one step of the optimiser")
    rate: float = Field(1e-4, gt=0, le=1, description="learning rate")
    answer: int = Field(32, ge=1, le=4_096, description="tokens of an answer at most")
    temperature: float = Field(1.0, gt=0, le=5, description="sampling temperature of answers")
    kl: float = Field(0.05, ge=0, le=10, description="weight of the KL divergence from the first model")
    clip_change: float = Field(0.2, gt=0, lt=1, description="clip range of a token's probability ratio in a round")
    decay: float = Field(0.95, gt=0, le=1, description="lambda of GAE: how far rewards reach back")
    length_cost: float = Field(0.0, ge=0, le=10, description="penalty per token of an answer")
    no_end: float = Field(1.0, ge=0, le=100, description="penalty for an answer that is cut off")
    clip: float = Field(1.0, gt=0, description="largest norm of the gradients")
    save: int = Field(10, ge=1, description="rounds between two checkpoints")
