"""Settings of the model ``auto``. See ``mainspring.serving.route.auto``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from mainspring.core.settings.section import Section


class RouteRule(Section):
    """A rule of `serving.auto`: where all of its conditions hold, the model ``use`` answers.

    ``use`` is ``small``, ``large`` or the name of a chat model. ``words`` matches if one of them occurs as a whole word
    of the last user message, in any case. ``pattern`` is a regular expression for that message.
    """

    use: str = Field(min_length=1)
    words: tuple[str, ...] = ()
    pattern: str = ""
    tokens_above: int | None = Field(None, ge=0, description="estimated tokens of the whole prompt")
    turns_above: int | None = Field(None, ge=0, description="number of the user's messages")
    tools: bool | None = Field(None, description="whether tools are offered")
    structured: bool | None = Field(None, description="whether a response_format is requested")

    @field_validator("pattern")
    @classmethod
    def _is_an_expression(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a valid regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _says_when(self) -> RouteRule:
        conditions = (self.tokens_above, self.turns_above, self.tools, self.structured)
        if not self.words and not self.pattern and all(each is None for each in conditions):
            raise ValueError("a rule without a condition would always apply: add one")
        return self


class AutoSettings(Section):
    """The model ``auto``: each request goes to a small or a large model.

    ``small`` and ``large`` are names of chat models; empty: the first and the last of ``models.chat`` and
    ``models.remote``. Rules come first, in order. ``policy`` decides otherwise: ``rules`` (the small model),
    ``classifier`` (the large model if the small one's chance of a good answer is below ``try_small_above``),
    ``cascade`` (the small model first, then the large one if confidence in the answer is below ``accept_above``), or
    ``hybrid`` (the classifier if it is sure, else the cascade). Where nothing is set here, and where the classifier was
    fitted for another small model or tells nothing by its own card, the large one answers: a router that does not pay
    is off.
    """

    small: str = ""
    large: str = ""
    rules: tuple[RouteRule, ...] = ()
    policy: Literal["rules", "classifier", "cascade", "hybrid"] = "cascade"
    classifier: Path | None = Field(None, description="file from `mainspring routes train`; none: the packaged one")
    try_small_above: float = Field(
        0.5, ge=0, le=1, description="chance of a good answer by the small model, for classifier"
    )
    sure_above: float = Field(
        0.8, ge=0, le=1, description="hybrid: chance from which the small model answers without a check"
    )
    sure_below: float = Field(0.2, ge=0, le=1, description="hybrid: chance below which the large model answers at once")
    confidence: Literal["logprob", "agreement", "format", "judge"] = "logprob"
    accept_above: float = Field(0.8, ge=0, le=1)
    samples: int = Field(3, ge=2, le=16, description="further answers of the small model, for agreement")
    judge: str = Field("", description="chat model that judges, for confidence judge; empty: the large one")

    @model_validator(mode="after")
    def _ordered(self) -> AutoSettings:
        if self.sure_below > self.sure_above:
            raise ValueError("sure_below must not be above sure_above")
        return self
