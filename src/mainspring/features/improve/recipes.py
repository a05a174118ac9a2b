"""The recipes of this feature: how much of the documents an answer shows, from what people kept of answers; and what a
person wrote, so that it is compared, tried and watched like what was learned."""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field, field_validator

from mainspring.training.recipe import Recipe, RecipeOptions

MOST_CHARACTERS = 1_000_000


class ShownOptions(RecipeOptions):
    """The collection whose answers are fitted, and how hard."""

    collection: str = Field(min_length=1, max_length=256, description="the collection, by its name")
    questions: int = Field(80, ge=5, le=5_000, description="questions that are answered again with each setting")
    tried: dict[str, list[float]] = Field(
        default_factory=lambda: {"near": [0.3, 0.2, 0.12, 0.06, 0.0], "next": [0.0, 0.1], "same_document": [0.0, 1.0]},
        max_length=16,
        description="values of weights that are tried, one weight after the other",
    )
    gain: float = Field(0.0, ge=-1, le=1, description="least gain of F1 on the rows for which anything is made")
    lost: float = Field(0.02, ge=0, le=1, description="share of the kept text that may no longer be shown")


class GivenOptions(RecipeOptions):
    """A candidate's value, as somebody wrote it."""

    value: dict[str, Any] = Field(min_length=1, description="the value of a candidate, by its kind; see Variants")

    @field_validator("value")
    @classmethod
    def _bounded(cls, value: dict[str, Any]) -> dict[str, Any]:
        if len(json.dumps(value)) > MOST_CHARACTERS:
            raise ValueError(f"value: at most {MOST_CHARACTERS} characters")
        return value


RECIPES = (
    Recipe(
        name="answers-shown",
        summary="How far below the best sentence an answer continues, learned from what people kept",
        makes="answering",
        options=ShownOptions,
        run="mainspring.features.improve.fitting:fit",
        reads=("sft", "preference"),
        needs=(),
    ),
    Recipe(
        name="given",
        summary="Nothing is learned: what somebody wrote goes the way of all candidates",
        makes="given",
        options=GivenOptions,
        run="mainspring.features.improve.given_recipe:made",
        reads=("sft", "preference"),
        needs=(),
    ),
)
