"""The recipe of this feature: how much of the documents an answer shows, from what people kept of answers."""

from __future__ import annotations

from pydantic import Field

from mainspring.training.recipe import Recipe, RecipeOptions


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
    lost: float = Field(0.02, ge=0, le=1, description="share of what people kept that may be shown no more")


RECIPES = (
    Recipe(
        name="answers-shown",
        summary="How far below the best sentence an answer goes on, from what people kept of answers",
        makes="answering",
        options=ShownOptions,
        run="mainspring.features.improve.fitting:fit",
        reads=("sft", "preference"),
        needs=(),
    ),
)
