"""What a review queue asks and what enters it, as data."""

# No postponed annotations here: FastAPI must see them.

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

import mainspring.stores.sql.rows as rows
from mainspring.core.errors import InvalidRequest
from mainspring.http.bodies import AtMost, Body

NAME = r"^[a-z0-9][a-z0-9_-]*$"
Slug = Annotated[str, Field(min_length=1, max_length=64, pattern=NAME)]
Certain = Literal["error", "refusal", "down", "edited", "guarded"]
CERTAIN: tuple[Certain, ...] = ("error", "refusal", "down")
Label = Annotated[str, Field(min_length=1, max_length=80)]
MOST_GUIDELINE = 50_000
RESERVED = ("approved", "errors", "comment", "edit", "question", "answer", "passages")
"""What a label has besides its criteria."""
_FEWEST = 3
"""Reviewers of a queue with double labels."""
REST, LOW, MANUAL = "rest", "low", "manual"
"""Strata of a queue besides the certain ones: the rest, what a judge scored low, and what a person put there."""


class Criterion(Body):
    """One question to the reviewer. ``scale`` are its labels, the worst first: their scores are equally spaced from 0
    to 1. ``level`` says how agreement treats them: as ranks, or as numbers."""

    name: Slug
    title: Annotated[str, Field(max_length=200)] = ""
    help: Annotated[str, Field(max_length=2_000)] = ""
    scale: Annotated[list[Label], Field(min_length=2, max_length=9, fail_fast=True)] = Field(
        default_factory=lambda: ["no", "yes"]
    )
    level: Literal["ordinal", "interval"] = "ordinal"
    required: bool = True

    def score(self, place: int) -> float:
        """That of the label at ``place`` (from 0). Raises ``InvalidRequest``."""
        if not 0 <= place < len(self.scale):
            raise InvalidRequest(
                f"{self.name} must have a label from 0 to {len(self.scale) - 1}", param=f"scores.{self.name}"
            )
        return round(place / (len(self.scale) - 1), 6)

    def place(self, score: float) -> int:
        """The place of the label with this score."""
        return round(score * (len(self.scale) - 1))


class ErrorKind(Body):
    """One error of the taxonomy."""

    name: Slug
    title: Annotated[str, Field(max_length=200)] = ""
    help: Annotated[str, Field(max_length=2_000)] = ""


CRITERIA = (
    Criterion(name="correct", title="Is the answer correct?", scale=["no", "partly", "yes"]),
    Criterion(name="grounded", title="Do the passages support it?", scale=["no", "partly", "yes"], required=False),
)
ERRORS = (
    ErrorKind(name="invented", title="States what no passage says"),
    ErrorKind(name="incomplete", title="Leaves out what was asked"),
    ErrorKind(name="off-topic", title="Answers another question"),
    ErrorKind(name="wrong-refusal", title="Refuses though the passages answer"),
    ErrorKind(name="tone", title="Is impolite or unclear"),
)
"""What a queue asks unless it says otherwise."""


class Rule(Body):
    """Which answers enter: those of ``applications`` (empty: all) that are in a ``certain`` stratum, or were edited or
    acted on by a guard, or that a judge scored below ``below`` (by measure); and a ``share`` of the rest."""

    applications: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=256)]], Field(max_length=64, fail_fast=True)
    ] = Field(default_factory=list)
    certain: Annotated[list[Certain], Field(max_length=8, fail_fast=True)] = Field(
        default_factory=lambda: list(CERTAIN)
    )
    below: Annotated[dict[Slug, Annotated[float, Field(ge=0, le=1)]], Field(max_length=16), AtMost(16)] = Field(
        default_factory=dict
    )
    share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.05

    def stratum(self, found: str) -> str:
        """That of this queue: what it does not take in full is of the rest."""
        return found if found in self.certain or (found == LOW and self.below) else REST

    def probability(self, stratum: str) -> float:
        """That with which an answer of this stratum of the queue enters."""
        return self.share if stratum == REST else 1.0


class Labelling(Body):
    """How items are labelled: a share of ``double`` blind labels by two people, and a third person's where two differ
    by more than ``disagreement`` in a criterion, or in their approval. An item is kept for its reviewer for
    ``lease_minutes``. Only ``reviewers`` may take items, by the ids of their keys; empty: whoever may review."""

    double: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.2
    disagreement: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.5
    lease_minutes: Annotated[float, Field(ge=1, le=24 * 60, allow_inf_nan=False)] = 30.0
    reviewers: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=256)]], Field(max_length=200, fail_fast=True)
    ] = Field(default_factory=list)

    @model_validator(mode="after")
    def _enough(self) -> "Labelling":
        if twice := next((each for each in self.reviewers if self.reviewers.count(each) > 1), None):
            raise ValueError(f"the reviewer {twice} is listed twice")
        if self.reviewers and self.double and len(self.reviewers) < _FEWEST:
            raise ValueError(
                "double labels need three reviewers, since a third decides: name three, or set double to 0"
            )
        return self


class Definition(Body):
    """A review queue."""

    title: Annotated[str, Field(max_length=200)] = ""
    rule: Rule = Rule()
    criteria: Annotated[list[Criterion], Field(min_length=1, max_length=9, fail_fast=True)] = Field(
        default_factory=lambda: list(CRITERIA)
    )
    errors: Annotated[list[ErrorKind], Field(max_length=24, fail_fast=True)] = Field(
        default_factory=lambda: list(ERRORS)
    )
    labelling: Labelling = Labelling()
    dataset: Annotated[str, Field(max_length=64, pattern=r"^([a-z0-9][a-z0-9_-]*)?$")] = ""

    @field_validator("criteria", "errors")
    @classmethod
    def _named_once(cls, found: list[Any]) -> list[Any]:
        names = [each.name for each in found]
        if taken := next((name for name in names if name in RESERVED), None):
            raise ValueError(f"{taken} is a reserved name")
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"{twice} is listed twice")
        return found

    def criterion(self, name: str) -> Criterion:
        """Raises ``InvalidRequest`` naming it."""
        found = next((each for each in self.criteria if each.name == name), None)
        if found is None:
            known = ", ".join(each.name for each in self.criteria)
            raise InvalidRequest(f"there is no criterion {name!r}", remedy=f"There are: {known}", param="criterion")
        return found

    def stored(self) -> str:
        """As a JSON column."""
        return rows.dump(self.model_dump())


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue as it is stored. ``seen``, ``entered`` and ``dropped`` count answers by stratum."""

    tenant: str
    id: str
    name: str
    version: int
    definition: Definition
    guideline: str
    seen: Mapping[str, int]
    entered: Mapping[str, int]
    dropped: Mapping[str, int]
    created_by: str
    created_at: float
    updated_at: float
