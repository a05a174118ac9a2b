"""What an arena compares, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from mainspring.http.bodies import Body, Name

Side = Literal["left", "right"]
Winner = Literal["left", "right", "tie", "neither"]
SCORES: Mapping[Winner, float] = {"left": 1.0, "right": 0.0, "tie": 0.5, "neither": 0.5}
QUALITIES = ("length", "headings", "lists", "bold")
"""Qualities of style that ratings may be controlled for (``style.qualities``)."""


class Arena(Body):
    """Which ``models`` are compared, and over which questions.

    ``dataset`` names the data set of recorded questions, ``traces`` lets voters draw questions of recorded answers that
    their groups may see. ``system`` precedes every question. A person may give ``votes_per_day`` votes.
    """

    models: Annotated[list[Name], Field(min_length=2, max_length=32, fail_fast=True)]
    dataset: Annotated[str, Field(max_length=256)] = ""
    dataset_version: Annotated[int | None, Field(ge=1)] = None
    traces: bool = False
    system: Annotated[str, Field(max_length=10_000)] = ""
    max_tokens: Annotated[int | None, Field(ge=1, le=32_768)] = None
    votes_per_day: Annotated[int, Field(ge=1, le=10_000)] = 200
    categories: Annotated[list[Name], Field(max_length=64, fail_fast=True, default_factory=list)]

    @model_validator(mode="after")
    def _different(self) -> Arena:
        if len(set(self.models)) < len(self.models):
            raise ValueError("models: a model is named twice")
        return self
