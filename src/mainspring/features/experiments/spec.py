"""What an experiment is asked for: responders, scorers, and how it is run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mainspring.core.types import PromptUse, Sampling

MOST_RESPONDERS = 8
MOST_SCORERS = 16


@dataclass(frozen=True, slots=True)
class Candidate:
    """A responder: a ``model`` (or a collection, an agent, a route) with what is asked of it besides the example.
    ``name`` is what reports call it. ``template`` are messages in place of the example's, with ``{{item.field}}``.
    ``options`` are those of the request, such as the ``mode`` of an answer from documents."""

    name: str
    model: str
    prompt: Mapping[str, Any] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    template: Sequence[Mapping[str, str]] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sampling(self) -> Sampling:
        return dataclasses.replace(Sampling(temperature=0.0), **self.parameters)

    @property
    def use(self) -> PromptUse | None:
        if self.prompt is None:
            return None
        return PromptUse(self.prompt["name"], self.prompt.get("wanted", ""), self.prompt.get("variables") or {})


@dataclass(frozen=True, slots=True)
class WantedScorer:
    """A scorer by its name and options. ``label`` is the key of its scores; ``threshold`` (None: there is none) is the
    score from which an answer passes."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Spec:
    """An experiment. The first candidate is the baseline that others are compared with. ``recorded``: nobody is asked,
    the answers are those that the examples were made with (``extra["answer"]``)."""

    candidates: tuple[Candidate, ...]
    scorers: tuple[WantedScorer, ...]
    concurrency: int = 2
    recorded: bool = False

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Spec:
        """What ``plain`` made."""
        return cls(
            tuple(Candidate(**each) for each in body["candidates"]),
            tuple(WantedScorer(**each) for each in body["scorers"]),
            body.get("concurrency", 2),
            body.get("recorded", False),
        )
