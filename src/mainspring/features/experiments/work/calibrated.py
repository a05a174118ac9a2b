"""What people would say of all answers, estimated from a judge's raw scores: beside the raw mean, never in its place.

With people's labels of some of the same answers, by prediction-powered inference; otherwise by the map that the judge's
measurement has published. A failed answer scores 0 without a judge, and stays 0.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

from mainspring.core.errors import InvalidRequest, MainspringError, NotFound
from mainspring.core.types import Principal
from mainspring.evaluation.examples import Example
from mainspring.evaluation.judges import LabelMap, MeasuredJudges
from mainspring.evaluation.scorers import LetsJudge, ScorerSource
from mainspring.features.experiments.spec import Spec
from mainspring.features.experiments.work.estimates import estimate

LabelledAnswers = Callable[[], AsyncIterator[tuple[int, Example]]]
"""The examples of the experiment, by place."""
LEAST = 10
"""Labels below which they do not correct a judge."""
_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Judged:
    """A scorer whose scores are raw scores of the judge ``name``. ``map`` is None where there is none: ``why``."""

    name: str
    map: LabelMap | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Truth:
    """What a report knows besides the scores: the ``judged`` scorers by label, and people's ``labels`` by place."""

    judged: Mapping[str, Judged] = field(default_factory=dict)
    labels: Mapping[int, float] = field(default_factory=dict)


async def truth(
    spec: Spec, source: ScorerSource, principal: Principal, judges: MeasuredJudges | None, data: LabelledAnswers
) -> Truth:
    """What is known of the scores of ``spec``. Only answers that were recorded with their examples have labels."""
    found: dict[str, str] = {}
    for each in spec.scorers:
        # A scorer that is gone by now has its scores still.
        with contextlib.suppress(InvalidRequest):
            scorer = source.scorer(each.name, each.options)
            if isinstance(scorer, LetsJudge):
                found[each.label] = scorer.judge
    judged = {label: await _judged(name, principal, judges) for label, name in found.items()}
    labels: dict[int, float] = {}
    if judged and spec.recorded:
        with contextlib.suppress(NotFound):
            async for place, example in data():
                if (label := _label(example)) is not None:
                    labels[place] = label
    return Truth(judged, labels)


async def _judged(name: str, principal: Principal, judges: MeasuredJudges | None) -> Judged:
    if judges is None or not name:
        return Judged(name, why="nobody can measure this judge")
    try:
        figures = await judges.judge_figures(principal, name)
    except MainspringError as error:
        return Judged(name, why=error.told)
    if figures.map is None:
        return Judged(name, why="no map of its scores comes closer to people's labels than the scores themselves")
    return Judged(name, figures.map)


def _label(example: Example) -> float | None:
    value = example.extra.get("label")
    known = isinstance(value, int | float) and 0 <= value <= 1
    return float(value) if known else None  # type: ignore[arg-type]


def corrected(judged: Judged, scores: Any, labels: Any, failed: Any, clusters: Sequence[str]) -> dict[str, Any] | None:
    """The mean label of all answers that were scored, with its interval: ``scores``, ``labels`` (NaN: none) and
    ``failed`` are arrays over them. None: nothing corrects the judge."""
    import numpy as np

    said = ~failed
    share = float(said.mean()) if len(said) else 0.0
    known = said & ~np.isnan(labels)
    groups = np.array(clusters, object)
    if int(known.sum()) >= LEAST:
        made = _powered(scores, labels, known, said & ~known, groups)
    elif judged.map is not None and share:
        made = _mapped(judged.map, scores[said], list(groups[said]))
    else:
        return None
    for name in ("mean", "low", "high"):
        if made[name] is not None:
            made[name] = min(1.0, max(0.0, made[name])) * share
    return made


def _powered(scores: Any, labels: Any, known: Any, rest: Any, groups: Any) -> dict[str, Any]:
    from mainspring.statistics.prediction_powered import mean

    made = mean(labels[known], scores[known], scores[rest])
    parts = [estimate(labels[known] - made.weight * scores[known], list(groups[known]))]
    if rest.any():
        parts.append(estimate(made.weight * scores[rest], list(groups[rest])))
    return _told(made.estimate.value, parts, 0.0) | {"by": "prediction-powered", "labels": int(known.sum())}


def _mapped(found: LabelMap, scores: Any, groups: Sequence[str]) -> dict[str, Any]:
    import numpy as np

    part = estimate(np.asarray(found.apply(scores), np.float64), groups)
    # The map itself is known only as well as its labels tell.
    return _told(part["mean"], [part], _Z * math.sqrt(found.error / found.labels)) | {
        "by": found.method,
        "labels": found.labels,
    }


def _told(value: float, parts: Sequence[Mapping[str, Any]], more: float) -> dict[str, Any]:
    if any(each["low"] is None for each in parts):
        return {"mean": value, "low": None, "high": None}
    half = math.hypot(more, *((each["high"] - each["low"]) / 2 for each in parts))
    return {"mean": value, "low": value - half, "high": value + half}
