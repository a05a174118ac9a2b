"""Options that the recipes of chat models share. No torch here: the command line and the server list them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from mainspring.core.errors import InvalidRequest
from mainspring.training.recipe import RecipeOptions

Module = Literal["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
MODULES: tuple[Module, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""Those that ``engines.catalogue.lora`` merges."""


class WantedScore(BaseModel):
    """A scorer by its name, with its options and its weight among several."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100, description="a scorer that needs no server: exact, f1, regex ...")
    options: dict[str, Any] = Field(default_factory=dict, description="its own options")
    weight: float = Field(1.0, ge=-100, le=100, description="its weight in a sum of rewards")


class TuneOptions(RecipeOptions):
    """What every recipe of a chat model takes."""

    method: Literal["lora", "full", "qlora"] = Field("lora", description="what is trained: an adapter, or all weights")
    rank: int = Field(16, ge=1, le=256, description="rank of the adapter")
    alpha: float = Field(32.0, gt=0, le=1024, description="the adapter is scaled by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout of the adapter's inputs")
    modules: tuple[Module, ...] = Field(MODULES, min_length=1, max_length=7, description="matrices with an adapter")
    epochs: float = Field(1.0, gt=0, le=100, description="passes over all rows")
    steps: int = Field(0, ge=0, le=1_000_000, description="maximum steps; 0: all steps of the epochs")
    learning_rate: float = Field(2e-4, gt=0, le=1, description="highest learning rate of the schedule")
    schedule: Literal["cosine", "linear", "constant"] = Field("cosine", description="how the learning rate falls")
    warmup: float = Field(0.03, ge=0, lt=1, description="share of the steps in which the learning rate rises")
    weight_decay: float = Field(0.0, ge=0, le=1, description="of AdamW")
    batch: int = Field(4, ge=1, le=1024, description="rows that are computed at once")
    accumulation: int = Field(2, ge=1, le=1024, description="batches per optimiser step")
    length: int = Field(1024, ge=16, le=131_072, description="maximum tokens of a row; longer rows are left out")
    precision: Literal["auto", "bf16", "fp32", "fp16"] = Field("auto", description="auto: bf16 where it is native")
    gradient_checkpointing: bool = Field(False, description="compute activations twice instead of keeping them")
    evaluate_every: int = Field(0, ge=0, description="steps between losses on validation; 0: a tenth of the run")
    patience: int = Field(3, ge=0, description="stop after this many evaluations without a better loss; 0: never")
    save_every: int = Field(
        50, ge=1, description="steps between checkpoints; a checkpoint is also written every two minutes"
    )
    samples: int = Field(3, ge=0, le=50, description="questions whose answers are kept before and after")
    scorers: tuple[WantedScore, ...] = Field((), max_length=8, description="what scores answers on the side test")
    tested: int = Field(100, ge=0, le=10_000, description="rows of the side test that are answered and scored")
    answer_tokens: int = Field(128, ge=1, le=4096, description="maximum tokens of such an answer")

    @field_validator("modules")
    @classmethod
    def _once(cls, value: tuple[Module, ...]) -> tuple[Module, ...]:
        return tuple(dict.fromkeys(value))


class SftOptions(TuneOptions):
    """Options of ``sft``."""

    packing: bool = Field(False, description="fill each row of a batch with several rows, apart by attention")
    turns: Literal["last", "all"] = Field("last", description="which answers of a conversation are learned")
    min_rows: int = Field(8, ge=1, description="minimum number of rows")


class PreferenceOptions(TuneOptions):
    """Options of ``dpo``. Lengths of answers are measured before and after: preferences are often for longer ones."""

    method: Literal["lora", "qlora"] = Field("lora", description="an adapter; the model without it is the reference")
    learning_rate: float = Field(5e-5, gt=0, le=1, description="highest learning rate of the schedule")
    beta: float = Field(0.1, gt=0, le=10, description="higher values keep the model closer to its base")
    loss: Literal["sigmoid", "ipo", "hinge", "robust", "sppo_hard", "apo_zero"] = Field(
        "sigmoid", description="the loss of DPO, or one of its variants"
    )
    label_smoothing: float = Field(0.0, ge=0, lt=0.5, description="share of preferences that may be wrong")
    lengths_apart: float = Field(
        1.0,
        ge=0,
        le=1,
        description="weight of tokens beyond the shorter answer's length; a lower value rewards length less",
    )
    min_rows: int = Field(8, ge=1, description="minimum number of pairs")


class KtoOptions(TuneOptions):
    """Options of ``kto``."""

    method: Literal["lora", "qlora"] = Field("lora", description="an adapter; the model without it is the reference")
    learning_rate: float = Field(5e-5, gt=0, le=1, description="highest learning rate of the schedule")
    beta: float = Field(0.1, gt=0, le=10, description="higher values keep the model closer to its base")
    up_weight: float = Field(1.0, gt=0, le=100, description="weight of answers with thumbs up")
    down_weight: float = Field(1.0, gt=0, le=100, description="weight of answers with thumbs down")
    batch: int = Field(4, ge=2, le=1024, description="rows of a batch; KTO compares the rows of one batch")
    min_rows: int = Field(8, ge=2, description="minimum number of rows")


class RewardOptions(TuneOptions):
    """Options of ``reward``."""

    learning_rate: float = Field(1e-4, gt=0, le=1, description="highest learning rate of the schedule")
    method: Literal["lora"] = Field("lora", description="an adapter learns, and the layer that gives the number")
    centre: float = Field(0.01, ge=0, le=1, description="keeps rewards around zero")
    min_rows: int = Field(8, ge=1, description="minimum number of pairs")


class RewardedOptions(TuneOptions):
    """What recipes take that learn from rewards of answers that the model writes itself. The reward of an answer is the
    weighted sum of its scores, of the reward model, and of its length."""

    named: ClassVar[Mapping[str, tuple[str, ...]]] = {"reward_model": ("reward",)}

    method: Literal["lora", "qlora"] = Field("lora", description="an adapter; the model without it is the reference")
    learning_rate: float = Field(2e-5, gt=0, le=1, description="highest learning rate of the schedule")
    batch: int = Field(8, ge=2, le=1024, description="answers that are computed at once")
    accumulation: int = Field(1, ge=1, le=1024, description="batches per optimiser step")
    rewards: tuple[WantedScore, ...] = Field((), max_length=8, description="scorers whose scores are the reward")
    reward_model: str = Field(
        "", max_length=4096, description="a version that the recipe reward made; on the command line also its folder"
    )
    reward_model_weight: float = Field(1.0, ge=-100, le=100, description="weight of the score of the reward model")
    word_price: float = Field(0.0, ge=0, le=1, description="penalty per word of an answer")
    right: str = Field(
        "",
        pattern=r"^(\w[\w-]{0,63})?$",
        description="field of a row with its right answers; empty: references, else the last answer",
    )
    new_tokens: int = Field(64, ge=1, le=4096, description="maximum tokens of an answer")
    temperature: float = Field(1.0, gt=0, le=2, description="sampling temperature of the answers that it learns from")
    beta: float = Field(0.02, ge=0, le=10, description="weight of the KL divergence from the base; 0: none")
    min_rows: int = Field(4, ge=1, description="minimum number of prompts")

    def check_start(self, base: Path | None, given: Mapping[str, Path]) -> None:  # noqa: ARG002
        """See ``RecipeOptions``."""
        if not self.rewards and not self.reward_model:
            raise InvalidRequest(
                "no reward is given",
                remedy="Give rewards, such as [{name: contains}], or a reward_model",
                param="options.rewards",
            )


class GrpoOptions(RewardedOptions):
    """Options of ``grpo``."""

    group: int = Field(4, ge=2, le=256, description="answers to a prompt that are compared with each other")

    def check_start(self, base: Path | None, given: Mapping[str, Path]) -> None:
        """See ``RecipeOptions``."""
        if self.batch * self.accumulation % self.group:
            raise InvalidRequest(
                f"{self.batch} x {self.accumulation} answers a step are not whole groups of {self.group}",
                remedy="Choose a batch that is a multiple of group",
                param="options.batch",
            )
        super().check_start(base, given)


class PpoOptions(RewardedOptions):
    """Options of ``ppo``."""

    beta: float = Field(0.05, ge=0, le=10, description="weight of each token's KL divergence from the base")
    passes: int = Field(2, ge=1, le=16, description="passes over the answers")
    clip: float = Field(0.2, gt=0, lt=1, description="clip range of a token's probability ratio")
    discount: float = Field(1.0, gt=0, le=1, description="discount of later rewards")
    trace: float = Field(0.95, ge=0, le=1, description="lambda of the advantages (GAE)")
    value_weight: float = Field(0.1, ge=0, le=10, description="weight of the loss of values")


class RaftOptions(SftOptions):
    """Options of ``raft``. The rows of the export kind ``raft`` are seen by difficulty; see ``curriculum``."""

    learning_rate: float = Field(1e-4, gt=0, le=1, description="highest learning rate of the schedule")
    schedule: Literal["cosine", "linear", "constant"] = Field("constant", description="how the learning rate falls")
    curriculum: bool = Field(True, description="answerable first, then other subjects, then near misses")
    refusals: float = Field(0.2, ge=0, le=0.5, description="maximum share of refusals within a stage that has any")
    answer_tokens: int = Field(64, ge=1, le=4096, description="maximum tokens of an answer")


class DistilOptions(SftOptions):
    """Options of ``distil``."""

    named: ClassVar[Mapping[str, tuple[str, ...]]] = {"teacher": ("chat",)}
    leaving: ClassVar[tuple[str, ...]] = ("teacher_url",)

    level: Literal["sequence", "logits"] = Field(
        "sequence", description="learn the teacher's texts, or its probabilities of each token"
    )
    teacher: str = Field(
        "",
        pattern=r"^[\w.@-]*$",
        max_length=200,
        description="a pulled chat model, a version, or one of models.remote (for the operator)",
    )
    teacher_url: str = Field(
        "",
        max_length=2048,
        description="an OpenAI-compatible API at a public address, without key (for the operator)",
    )
    teacher_model: str = Field("", max_length=200, description="the teacher's name at teacher_url")
    teacher_tokens: int = Field(256, ge=1, le=4096, description="maximum tokens of a teacher's answer")
    teacher_temperature: float = Field(0.0, ge=0, le=2, description="sampling temperature of the teacher's answers")
    softness: float = Field(1.0, gt=0, le=20, description="temperature of the probabilities (logits)")
    mix: float = Field(0.5, ge=0, le=1, description="weight of the teacher's probabilities against the texts (logits)")

    def check_start(self, base: Path | None, given: Mapping[str, Path]) -> None:  # noqa: ARG002
        """See ``RecipeOptions``."""
        if bool(self.teacher) == bool(self.teacher_url):
            raise InvalidRequest("name one teacher", remedy="Give teacher or teacher_url", param="options.teacher")
        if self.level == "logits" and "teacher" not in given:
            raise InvalidRequest(
                "an API does not return the probabilities of all tokens",
                remedy="Use level: sequence, or a pulled model as teacher",
                param="options.level",
            )
