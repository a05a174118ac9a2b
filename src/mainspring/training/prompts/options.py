"""The options of the recipe ``prompt``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from mainspring.training.chat.options import WantedScore
from mainspring.training.recipe import RecipeOptions

Part = Annotated[str, Field(min_length=1, max_length=8_000)]


class SearchedPromptOptions(RecipeOptions):
    """Options of ``prompt``."""

    asked: ClassVar[tuple[str, ...]] = ("application", "reflection")

    application: str = Field(min_length=1, max_length=256, description="what answers: a chat model, or an application")
    parts: dict[str, Part] = Field(
        min_length=1, max_length=8, description="the prompt to begin with, in named parts, each of which is improved"
    )
    scorer: WantedScore = Field(
        WantedScore(name="f1"), description="the scorer to maximise; it must not need a server, such as f1 or contains"
    )
    reflection: str = Field(
        "", max_length=256, description="the chat model that writes other prompts; empty: the application's own"
    )
    calls: int = Field(400, ge=20, le=100_000, description="maximum answers of the application that the search may use")
    minibatch: int = Field(4, ge=1, le=64, description="answers that a new prompt is shown with")
    tokens: int = Field(256, ge=1, le=4_096, description="tokens of an answer at most")
    longest: int = Field(4_000, ge=100, le=8_000, description="maximum characters of a part")
    rows: int = Field(40, ge=4, le=1_000, description="rows of train and of validation each that are asked")
    tested: int = Field(100, ge=0, le=1_000, description="rows of the side test that are asked, before and after")

    @model_validator(mode="after")
    def _short(self) -> SearchedPromptOptions:
        for name, text in self.parts.items():
            if not name.isidentifier() or len(name) > 64 or len(text) > self.longest:
                raise ValueError(
                    f"parts: {name:.60} must have letters, digits and _, and at most {self.longest} characters"
                )
        return self
