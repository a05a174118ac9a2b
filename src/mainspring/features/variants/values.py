"""The values of candidates, by kind: read, bounded and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mainspring.core.errors import InvalidRequest, TooLarge
from mainspring.rag.answer.evidence.calibration import Calibration
from mainspring.rag.answer.evidence.features import NAMES
from mainspring.rag.answer.verbatim.choice_weights import ChoiceWeights
from mainspring.stores.sql import rows
from mainspring.training.ports import MOST_SOURCES, Candidate

MOST_CHARACTERS = 1_000_000
MOST_EXAMPLES = 1_000
Served = Annotated[str, Field(min_length=1, max_length=256)]
Chance = Annotated[float, Field(ge=0, le=1)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class VariantValue(BaseModel):
    """The value of a candidate of one kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelValue(VariantValue):
    """Another served chat model, or a served version of the tenant's, as ``NAME@NUMBER``."""

    model: Served


class PromptValue(VariantValue):
    """A version of a prompt of the tenant; or a ``text`` that was found for the application, with the ids of answers
    (``sources``) that were read to write it, so that it goes with the people whose words they have."""

    prompt: str = Field("", max_length=256)
    version: int = Field(0, ge=0)
    text: str = Field("", max_length=64_000)
    sources: tuple[Annotated[str, Field(min_length=1, max_length=256)], ...] = Field((), max_length=MOST_SOURCES)

    @model_validator(mode="after")
    def _one(self) -> PromptValue:
        if bool(self.prompt) == bool(self.text.strip()):
            raise ValueError("give prompt with its version, or text")
        if bool(self.prompt) != bool(self.version):
            raise ValueError("give the version of the prompt")
        return self


class Shot(VariantValue):
    """A question with its answer. ``source`` is the id of the answer (``ans_...``) that it was made of, ``sources`` are
    all of them where there are several, so that it goes with the people whose words it has. It goes with each of the
    ``documents``, or collections, of these ids, too."""

    question: str = Field(min_length=1, max_length=8_000)
    answer: str = Field(min_length=1, max_length=8_000)
    source: str = Field("", max_length=256)
    sources: tuple[Annotated[str, Field(min_length=1, max_length=256)], ...] = Field((), max_length=MOST_EXAMPLES)
    documents: tuple[Annotated[str, Field(min_length=1, max_length=256)], ...] = Field((), max_length=MOST_EXAMPLES)


def answers_of(shot: Mapping[str, Any]) -> frozenset[str]:
    """The answers that an example of a stored value was made of."""
    return frozenset(str(each) for each in (shot.get("source"), *shot.get("sources", ())) if each)


def made_of(shot: Mapping[str, Any]) -> frozenset[str]:
    """Its answers, and the documents whose text it repeats: it goes with each of them."""
    return answers_of(shot) | frozenset(map(str, shot.get("documents", ())))


class ExamplesValue(VariantValue):
    """Examples in the prompt: all of them, or for each question the ``nearest`` ones by the embedding model."""

    examples: tuple[Shot, ...] = Field(min_length=1, max_length=MOST_EXAMPLES)
    nearest: int = Field(0, ge=0, le=32)

    @model_validator(mode="after")
    def _few(self) -> ExamplesValue:
        if not self.nearest and len(self.examples) > 32:
            raise ValueError("more than 32 examples need nearest: every prompt would have all of them")
        return self


class CalibrationValue(VariantValue):
    """The evidence, as ``rag.answer.evidence.calibration`` has it."""

    weights: dict[str, Number]
    constant: Number
    threshold: float = Field(ge=0, le=1)
    embedder: str = Field("", max_length=256)
    reranker: str = Field("", max_length=256)

    @field_validator("weights")
    @classmethod
    def _known(cls, weights: dict[str, float]) -> dict[str, float]:
        if unknown := weights.keys() - set(NAMES):
            raise ValueError(f"{min(unknown):.60} is not a feature of evidence; those are {', '.join(NAMES)}")
        return weights

    def made(self) -> Calibration:
        return Calibration(self.weights, self.constant, self.threshold, self.embedder, self.reranker)


class AnsweringValue(VariantValue):
    """Evidence and its threshold, weights of choosing sentences, or both."""

    calibration: CalibrationValue | None = None
    weights: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _something(self) -> AnsweringValue:
        if self.calibration is None and not self.weights:
            raise ValueError("give calibration, weights, or both")
        return self

    def choice(self) -> ChoiceWeights | None:
        """Raises ``InvalidRequest`` naming the weight at fault."""
        return ChoiceWeights.of(self.weights, "value.weights") if self.weights else None


class RerankerValue(VariantValue):
    """A trained version's label, or a name of the catalogue."""

    version: str = Field("", max_length=256)
    model: str = Field("", max_length=256)

    @model_validator(mode="after")
    def _one(self) -> RerankerValue:
        if bool(self.version) == bool(self.model):
            raise ValueError("give version or model")
        return self


class ReaderValue(VariantValue):
    """A trained reader's label. Passages that it gives a lower probability than ``read_below`` to answer are refused;
    left out: ``rag.read_below``."""

    version: str = Field(min_length=1, max_length=256)
    read_below: Chance | None = None


class RouterValue(VariantValue):
    """How ``auto`` chooses: ``weights`` of its classifier, as ``mainspring routes train`` writes them, its policy, and
    thresholds, as ``serving.auto`` has them. What is left out stays as set."""

    weights: dict[str, Any] = Field(default_factory=dict)
    policy: Literal["rules", "classifier", "cascade", "hybrid"] | None = None
    try_small_above: Chance | None = None
    sure_above: Chance | None = None
    sure_below: Chance | None = None
    accept_above: Chance | None = None

    @model_validator(mode="after")
    def _something(self) -> RouterValue:
        if not any(value or value == 0 for value in (getattr(self, name) for name in self.model_fields_set)):
            raise ValueError("give weights, a policy or a threshold")
        return self


class JudgeValue(VariantValue):
    """A judge's version."""

    judge: Served
    version: int = Field(ge=1)


# No parts of the registry: kinds of candidates, which requests name.
VALUES: Mapping[str, type[VariantValue]] = {
    "model": ModelValue,
    "prompt": PromptValue,
    "examples": ExamplesValue,
    "answering": AnsweringValue,
    "reranker": RerankerValue,
    "reader": ReaderValue,
    "router": RouterValue,
    "judge": JudgeValue,
}


def read(candidate: Candidate) -> VariantValue:
    """The value. Raises ``InvalidRequest`` naming the field at fault, ``TooLarge``."""
    kind = VALUES.get(candidate.kind)
    if kind is None:
        raise InvalidRequest(
            f"there is no kind {candidate.kind!r:.60}", remedy=f"Use {', '.join(VALUES)}", param="candidate.kind"
        )
    try:
        size = len(rows.dump(dict(candidate.value)))
    except TypeError:
        problem = "a candidate's value is JSON: its integers have 64 bits at most"
        raise InvalidRequest(problem, remedy="Write a smaller number", param="candidate.value") from None
    if size > MOST_CHARACTERS:
        raise TooLarge(f"a candidate's value has at most {MOST_CHARACTERS} characters", param="candidate.value")
    try:
        return kind.model_validate(dict(candidate.value))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(["value", *map(str, first["loc"])])
        fields = ", ".join(kind.model_fields)
        raise InvalidRequest(
            f"a candidate of kind {candidate.kind}: {place}: {first['msg'].removeprefix('Value error, ')}",
            remedy=f"Its value has {fields}",
            param=f"candidate.{place}",
        ) from None
