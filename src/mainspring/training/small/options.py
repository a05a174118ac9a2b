"""The options of the recipes that need no torch."""

from __future__ import annotations

from pydantic import Field

from mainspring.training.recipe import RecipeOptions


class AnsweringOptions(RecipeOptions):
    """Options of ``answering``."""

    max_rows: int = Field(2_000, ge=20, le=20_000, description="rows of each side that are read")
    refused: float = Field(
        0.05, ge=0, lt=1, description="the threshold refuses at most this share of the questions that have an answer"
    )
    temperature: float = Field(0.15, gt=0, description="scores this far apart are e times as likely")
    steps: int = Field(400, ge=1, le=10_000, description="steps of the optimiser")
    ridges: tuple[float, ...] = Field(
        (0.003, 0.03, 0.3), min_length=1, max_length=20, description="pulls towards the shipped weights that are tried"
    )


class ExamplesOptions(RecipeOptions):
    """Options of ``examples``."""

    most: int = Field(64, ge=1, le=1_000, description="examples of the set")
    nearest: int = Field(3, ge=0, le=32, description="examples that each question gets; 0: all")
    max_rows: int = Field(5_000, ge=2, le=50_000, description="rows of each side that are read")
    longest: int = Field(2_000, ge=50, le=8_000, description="maximum characters of a question or an answer")
