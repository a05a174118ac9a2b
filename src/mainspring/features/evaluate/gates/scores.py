"""What a gate compares answers by: a measure of texts, or any scorer whose judge, if it has one, has figures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Context
from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.evaluation.judges import JudgeFigures, MeasuredJudges
from mainspring.evaluation.scorers import LetsJudge, Scorer, ScorerSource, ScoresRefusals, wanted
from mainspring.feature import Rooms, Services

MEASURES = ("exact", "f1", "contains", "rouge-1", "rouge-2", "rouge-l", "meteor")

Rate = Callable[[Example, ExampleAnswer], Awaitable[float | None]]
"""The score of an answer, from 0 to 1; None: it has none."""


@dataclass(frozen=True, slots=True)
class Rating:
    """``rate`` under its ``name`` in reports. ``judge`` are the figures of the judge that gives the scores."""

    name: str
    rate: Rate
    judge: JudgeFigures | None = None


def measured(measure: str) -> Rating:
    """A measure of texts against the references; an example without references has no score. Raises
    ``InvalidRequest``."""
    from mainspring.evaluation.texts.measures import plain, score

    if measure not in MEASURES:
        raise InvalidRequest(
            f"there is no measure {measure:.50} for single answers",
            param="measure",
            remedy=f"Use {', '.join(MEASURES)}, or --scorer",
        )

    async def rate(example: Example, answered: ExampleAnswer) -> float | None:
        if not example.references:
            return None
        if measure == "contains":
            said = plain(answered.text)
            return float(any(plain(each) in said for each in example.references))
        return score([answered.text], [example.references], [measure])[measure].each[0]

    return Rating(measure, rate)


async def scored(text: str, opened: tuple[Rooms, Services]) -> Rating:
    """The scorer ``NAME:OPTION=VALUE``. Raises ``InvalidRequest`` for a scorer or an option that is not known, and
    ``Conflict`` or ``NotFound`` for a judge that has published no figures as it is now."""
    rooms, services = opened
    source = services.perhaps(ScorerSource)  # type: ignore[type-abstract]
    if source is None:
        raise InvalidRequest("no feature makes scorers", param="scorer", remedy="Use --measure")
    scorer = source.scorer(*wanted(text))
    # None of the gate's questions is user traffic, and neither is what scores the answers.
    context = Context(rooms.local)

    async def rate(example: Example, answered: ExampleAnswer) -> float | None:
        if answered.error and not isinstance(scorer, ScoresRefusals):
            return 0.0
        found = await scorer.score(example, answered, context)
        return None if found is None else found.value

    return Rating(scorer.name, rate, await _figures(scorer, opened))


async def _figures(scorer: Scorer, opened: tuple[Rooms, Services]) -> JudgeFigures | None:
    if not isinstance(scorer, LetsJudge):
        return None
    rooms, services = opened
    judges = services.perhaps(MeasuredJudges)  # type: ignore[type-abstract]
    if judges is None or not scorer.judge:
        raise InvalidRequest(
            f"{scorer.name} lets a model judge that nobody has measured: it cannot be used in a gate",
            param="scorer",
            remedy="Define a judge (`mainspring judges put`), measure it (`mainspring judges measure NAME --labels "
            "FILE`), and name it: --scorer judge:judge=NAME",
        )
    return await judges.judge_figures(rooms.local, scorer.judge)


def told(judge: JudgeFigures) -> dict[str, Any]:
    """The figures that a gate's report shows."""
    agreement = judge.figures.get("agreement") or {}
    share = (agreement.get("agreement") or {}).get("value")
    return {
        "judge": judge.judge,
        "version": judge.version,
        "measured_at": judge.measured_at,
        "labels": judge.n,
        "agreement": share,
        "kappa": agreement.get("kappa"),
    }
