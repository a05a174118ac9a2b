"""Scorers: functions of an example and an answer to it, whatever they ask to find their score."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Context
from mainspring.evaluation.examples import Example, ExampleAnswer


@dataclass(frozen=True, slots=True)
class Score:
    """``value`` is in [0, 1], and more is better. ``reason`` is for people. ``details`` are numbers by name, for
    reports."""

    value: float
    reason: str = ""
    details: Mapping[str, float] = field(default_factory=dict)


@runtime_checkable
class Scorer(Protocol):
    """Scores answers. ``name`` is stable, since scores are stored under it, and changes with what is measured (another
    judge, another rubric): ``faithfulness@qwen-1.5b/2``."""

    @property
    def name(self) -> str: ...

    async def score(self, example: Example, answered: ExampleAnswer, context: Context) -> Score | None:
        """None: this scorer has nothing to say about it, for example without references. Calls of models are made
        with ``context.nested()``, so that they are metered. Raises ``MainspringError`` if it could not be found."""
        ...


@runtime_checkable
class ScoresRefusals(Scorer, Protocol):
    """Scores failed answers, too, such as a guard's refusal. To all others a failed answer is worth 0."""

    @property
    def scores_refusals(self) -> bool: ...


@runtime_checkable
class LetsJudge(Scorer, Protocol):
    """A scorer whose scores are a judge's: they are worth what the judge is. A gate asks for the judge's figures."""

    @property
    def judge(self) -> str:
        """The judge's name; empty: a model that judges without a definition, so that nobody can measure it."""
        ...


@runtime_checkable
class ScorerSource(Protocol):
    """Makes scorers by name and options, as an experiment or a gate names them."""

    def scorer(self, name: str, options: Mapping[str, Any] | None = None) -> Scorer:
        """Raises ``InvalidRequest``: the name is unknown (with the known ones), or an option is not its own."""
        ...

    def scorer_names(self) -> list[str]:
        """All names, sorted."""
        ...


def wanted(text: str) -> tuple[str, dict[str, Any]]:
    """The name and the options of ``NAME``, ``NAME:OPTION=VALUE,...`` or ``NAME:{"OPTION": VALUE}``, as commands take
    them. Raises ``InvalidRequest`` for JSON that is none."""
    name, _, options = text.partition(":")
    if not options.startswith("{"):
        return name, dict(each.partition("=")[::2] for each in options.split(",") if each)
    try:
        return name, dict(json.loads(options))
    except ValueError as error:
        raise InvalidRequest(f"the options of the scorer {name:.50} are not JSON: {error}", param="scorer") from None
