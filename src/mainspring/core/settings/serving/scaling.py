"""Plans that spend more computation on one answer, for a request or a served name."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from mainspring.core.settings.section import Section

Method = Literal["chain_of_thought", "best_of", "self_consistency", "tree"]
MAX_SAMPLES = 64


class ScalingPlan(Section):
    """How more computation is spent on one answer.

    ``answer`` is the form of answer to extract from the model's text. ``score`` ranks the candidates of ``best_of`` and
    the steps of ``tree``: by their mean log-probability, by a ``judge`` (a chat model; empty: the same one), by the
    arithmetic in them, or by whether they fit the request's schema. ``show`` is ``answer`` (the steps come as
    reasoning) or ``full``. ``width``, ``branches`` and ``depth`` describe the tree: steps kept at each level, next
    steps tried for each, and levels.
    """

    method: Method
    samples: int = Field(8, ge=1, le=MAX_SAMPLES)
    answer: Literal["number", "choice", "text", "json", "whole"] = "whole"
    template: Literal["steps", "brief", "none"] = "steps"
    score: Literal["logprob", "judge", "arithmetic", "schema"] = "logprob"
    judge: str = ""
    temperature: float = Field(0.7, gt=0, le=2)
    show: Literal["answer", "full"] = "answer"
    width: int = Field(2, ge=1, le=8)
    branches: int = Field(2, ge=1, le=8)
    depth: int = Field(4, ge=1, le=16)

    @model_validator(mode="after")
    def _fits_together(self) -> ScalingPlan:
        if self.method == "self_consistency" and self.answer == "whole":
            raise ValueError("self_consistency needs an answer to vote on: number, choice, text or json")
        if self.method == "tree" and self.width * self.branches * self.depth > MAX_SAMPLES:
            raise ValueError(f"a tree of width x branches x depth has at most {MAX_SAMPLES} steps")
        return self

    @property
    def calls(self) -> int:
        """How many answers or steps are written at most."""
        if self.method == "tree":
            return self.branches * (1 + self.width * (self.depth - 1))
        return 1 if self.method == "chain_of_thought" else self.samples


class ScaledModel(ScalingPlan):
    """A served name: ``model``, asked by this plan."""

    model: str
