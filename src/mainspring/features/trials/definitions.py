"""What an online experiment compares, as data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mainspring.http.bodies import Body, Name

Source = Literal["feedback", "score", "outcome", "error", "refusal", "latency", "ttft", "cost", "tokens"]
_AT_LEAST: dict[str, float] = {"feedback": 0.5, "outcome": 0.5}
_AT_MOST: dict[str, float] = {"error": 0.0, "refusal": 0.0}
SUMMED = ("cost", "tokens")
"""Sources that are added up over the answers of a unit; of the others a unit has the mean."""


class Measured(Body):
    """What is known of a unit. ``name`` is the outcome's metric, or the score's name.

    A unit succeeds if its value is ``at_least`` or ``at_most`` so much. An outcome that comes later than ``window_s``
    after the unit's first answer does not count.
    """

    source: Source
    name: Annotated[str, Field(max_length=256)] = ""
    at_least: float | None = None
    at_most: float | None = None
    window_s: Annotated[float | None, Field(ge=0, le=30 * 86_400)] = None

    @model_validator(mode="after")
    def _consistent(self) -> Measured:
        if (self.source in ("score", "outcome")) != bool(self.name):
            raise ValueError("name: scores and outcomes have one, and nothing else does")
        if self.at_least is not None and self.at_most is not None:
            raise ValueError("at_most: give at_least or at_most")
        return self

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """``at_least`` and ``at_most`` in force; both None: the mean is compared."""
        if self.at_least is None and self.at_most is None:
            return _AT_LEAST.get(self.source), _AT_MOST.get(self.source)
        return self.at_least, self.at_most

    @property
    def window(self) -> float:
        """Seconds after a unit's first answer: by default an hour for what people say and do, else none."""
        if self.window_s is not None:
            return self.window_s
        return 3600.0 if self.source in ("feedback", "score", "outcome") else 0.0

    @property
    def absent_fails(self) -> bool:
        """A unit without an outcome has failed; otherwise it does not count."""
        return self.source == "outcome"

    @property
    def shown(self) -> str:
        """``outcome order``, ``latency``."""
        return f"{self.source} {self.name}".strip()


class Metric(Measured):
    """What decides. ``effect`` is the difference of success rates that matters: the test is quickest for it."""

    effect: Annotated[float, Field(gt=0, lt=1)] = 0.05

    @model_validator(mode="after")
    def _decides(self) -> Metric:
        if self.bounds == (None, None):
            raise ValueError("at_least: say when a unit succeeds, with at_least or at_most")
        return self


class Guard(Measured):
    """What may not get worse than the control's by more than ``worse_by``: a difference of success rates, or, without
    ``at_least`` and ``at_most``, a share of the control's mean."""

    worse_by: Annotated[float, Field(ge=0, lt=1)] = 0.05

    @model_validator(mode="after")
    def _costs(self) -> Guard:
        if self.bounds == (None, None) and self.source == "score":
            raise ValueError("at_least: say which score is good")
        return self


class Trial(Body):
    """An experiment over the arms of a ``route``: all others against the ``control``.

    What stays with an arm by the route's ``sticky`` is a unit, and counts once with all of its answers. ``alpha`` is
    the chance of naming a wrong arm. With ``adaptive`` an arm that was shown worse gets no more traffic; with
    ``promote`` the best one gets all. An arm that breaks a guard gets no more traffic with either.
    """

    route: Name
    control: Name
    metric: Metric
    guards: Annotated[list[Guard], Field(max_length=8, fail_fast=True, default_factory=list)]
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    adaptive: bool = False
    promote: bool = False

    @property
    def window(self) -> float:
        """Seconds until a unit's outcomes no longer count."""
        return max(each.window for each in (self.metric, *self.guards))

    @property
    def decides(self) -> bool:
        """Whether the rule may change traffic; else people do."""
        return self.adaptive or self.promote

    @property
    def measures(self) -> tuple[Measured, ...]:
        """The metric, then the guards."""
        return (self.metric, *self.guards)
