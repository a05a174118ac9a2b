"""A judge as data: what it is asked, of which model, and how replies become scores."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from mainspring.http.bodies import AtMost, Body

Kind = Literal["chat", "support", "reranker", "rules", "consistency", "jury", "combined"]
"""``support`` judges by an embedding model, ``reranker`` by a cross-encoder, ``rules`` without a model, ``consistency``
by answers that a model gives to the same question (SelfCheck), ``jury`` and ``combined`` by other judges."""
Mode = Literal["pointwise", "pairwise", "listwise"]
Part = Literal["passages", "question", "references", "answer"]
NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
Label = Annotated[str, Field(min_length=1, max_length=40)]
Named = Annotated[str, Field(pattern=NAME)]


class Strict(Body):
    """Unknown fields are errors."""

    model_config = ConfigDict(frozen=True)


class Criterion(Strict):
    """One question about an answer. ``scale`` maps each permitted reply to its score."""

    question: str = Field(min_length=1, max_length=4_000)
    scale: Annotated[
        dict[Label, Annotated[float, Field(ge=0, le=1)]],
        Field(min_length=2, max_length=20, description="score in [0, 1] by reply"),
        AtMost(20),
    ] = Field(default_factory=lambda: {"yes": 1.0, "no": 0.0})
    weight: float = Field(1.0, gt=0, le=1_000)


class Rule(Strict):
    """A check without a model; exactly one kind of check. ``weight`` is its share of the score."""

    contains: str | None = Field(None, min_length=1, max_length=1_000, description="the answer has this text")
    lacks: str | None = Field(None, min_length=1, max_length=1_000, description="the answer does not have this text")
    most_words: int | None = Field(None, ge=1, description="the answer is no longer")
    least_words: int | None = Field(None, ge=1, description="the answer is no shorter")
    measure: Literal["copied", "copied_pairs", "copied_runs", "covered", "names"] | None = Field(
        None,
        description="share of the answer's words, of its word pairs, of its words in runs of three and more, of its "
        "content words, or of its names and numbers that the passages have",
    )
    json_object: Literal[True] | None = Field(None, description="the answer is a JSON object")
    weight: float = Field(1.0, gt=0, le=1_000)

    @model_validator(mode="after")
    def _one(self) -> Rule:
        if len(self.model_dump(exclude_none=True)) != 2:
            raise ValueError("a rule has exactly one check, and perhaps a weight")
        return self


class Member(Strict):
    """A judge among others. ``weight`` counts its vote, or is its coefficient in a ``combined`` judge."""

    judge: Named
    weight: float = Field(1.0, ge=-1_000, le=1_000)


class Definition(Strict):
    """A judge. Which fields count depends on ``kind``; others are refused."""

    kind: Kind = "chat"
    mode: Mode = "pointwise"
    description: str = Field("", max_length=1_000)
    model: str = Field("", max_length=256, description="a served model; empty: one that did not write the answer")
    task: str = Field("", max_length=8_000, description="instructions for a chat model, before the criteria")
    shows: Annotated[list[Part], Field(min_length=1, max_length=4, fail_fast=True)] = Field(
        default_factory=lambda: list[Part](("passages", "question", "answer"))
    )
    criteria: Annotated[dict[Named, Criterion], Field(max_length=8), AtMost(8)] = Field(default_factory=dict)
    samples: int = Field(1, ge=1, le=16, description="replies to each question, of which the mean counts")
    unit: Literal["answer", "sentence"] = Field("answer", description="judge each sentence alone, and take the mean")
    rules: Annotated[list[Rule], Field(max_length=32, fail_fast=True)] = Field(default_factory=list)
    members: Annotated[list[Member], Field(max_length=16, fail_fast=True)] = Field(default_factory=list)
    vote: Literal["mean", "majority"] = "mean"
    intercept: float = Field(0.0, ge=-1_000, le=1_000, description="of a combined judge's logistic model")
    threshold: float = Field(0.5, ge=0, le=1, description="the score from which it approves")
    own_answers: bool = Field(False, description="let a model judge its own answers")

    @model_validator(mode="after")
    def _fits(self) -> Definition:
        wanted = {"chat": "criteria", "rules": "rules", "jury": "members", "combined": "members"}.get(self.kind)
        for name in ("criteria", "rules", "members"):
            if name == wanted and not getattr(self, name):
                raise ValueError(f"a judge of kind {self.kind} needs {name}")
            if name != wanted and getattr(self, name):
                raise ValueError(f"a judge of kind {self.kind} has no {name}")
        if self.mode != "pointwise" and self.kind == "chat" and len(self.criteria) != 1:
            raise ValueError(f"a {self.mode} judge has one criterion")
        if self.unit == "sentence" and (self.kind != "chat" or self.mode != "pointwise"):
            raise ValueError("only a pointwise chat judge looks at sentences one by one")
        if self.kind == "jury" and any(each.weight < 0 for each in self.members):
            raise ValueError("the weights of votes must not be negative")
        return self

    def plain(self) -> dict[str, Any]:
        """What it says, without what it leaves out."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def digest(self, *more: str) -> str:
        """Changes with everything that its scores depend on: the definition, and ``more`` (the model's state)."""
        told = json.dumps([self.model_dump(mode="json", exclude={"description"}), *more], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]
