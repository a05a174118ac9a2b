"""What gates and experiments ask of judges: figures that were measured on people's labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from mainspring.core.types import Principal, Responder


@dataclass(frozen=True, slots=True)
class LabelMap:
    """From a judge's scores to the labels that people would give. ``error`` is the mean squared error on left-out
    labels, of which there were ``labels``."""

    apply: Callable[[Sequence[float]], Iterable[float]]
    method: str
    error: float
    labels: int


@dataclass(frozen=True, slots=True)
class JudgeFigures:
    """The published figures of a judge. ``version`` changes with its definition and its models, ``measured_at`` is in
    Unix seconds, ``n`` counts the labels, ``figures`` are as ``GET /v1/judges/{name}`` shows them. ``map`` is None
    where no map comes closer to the labels than the bare scores."""

    judge: str
    version: str
    measured_at: float
    n: int
    figures: Mapping[str, Any]
    map: LabelMap | None = None


@runtime_checkable
class MeasuredJudges(Protocol):
    """Knows what judges are worth."""

    async def judge_figures(self, principal: Principal, judge: str, fresh_days: float | None = None) -> JudgeFigures:
        """Of the judge as it is now. Raises ``NotFound``, and ``Conflict`` with the remedy if it was not measured, has
        changed since, or was measured more than ``fresh_days`` (None: as configured) ago."""
        ...


@runtime_checkable
class VersionedJudge(Protocol):
    """A responder that judges. Its other versions can be asked, too."""

    def judge_version(self, number: int) -> Responder:
        """What judges by this version."""
        ...

    async def has_judge_version(self, tenant: str, judge: str, number: int) -> bool:
        """Whether it is that judge, and has that version."""
        ...
