"""Curves over a score: AUROC (does the score distinguish two kinds) and risk against coverage (the gain from refusing).

Refusing the questions with the lowest scores leaves fewer answers (coverage) and fewer wrong ones among them (risk).
The area under that curve, AURC, is the mean risk over all coverages: 0 is perfect, the share of wrong answers is what
a score without information reaches (Geifman and El-Yaniv, NeurIPS 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.statistics.significance import SEED, Estimate, stats_library

_RESAMPLES = 1_999


@dataclass(frozen=True, slots=True)
class Point:
    """If only questions with a score of at least ``threshold`` are answered, ``coverage`` of the questions are answered
    and ``risk`` of the answers are wrong; both are shares."""

    threshold: float
    coverage: float
    risk: float


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """The curve, from the fewest answers to all. ``best`` is the area that a perfect order of the same answers would
    have, ``chance`` the area of one without information (the risk when everything is answered)."""

    points: tuple[Point, ...]
    aurc: float
    best: float
    chance: float

    def at_coverage(self, coverage: float) -> Point:
        """The first point that answers at least ``coverage`` of the questions."""
        return next(point for point in self.points if point.coverage >= coverage - 1e-12)

    def at_risk(self, risk: float) -> Point | None:
        """The point with the most answers whose risk is at most ``risk``; None if every point has a higher risk."""
        return next((point for point in reversed(self.points) if point.risk <= risk), None)


def risk_coverage(scores: Sequence[float], right: Sequence[bool]) -> RiskCoverage:
    """The curve of questions with their scores and whether the answer was right.

    Questions with equal scores are answered or refused together: they are one point. The area is taken over the
    questions, each with the risk at its point. Raises ``InvalidRequest`` without questions or for unequal lengths.
    """
    if not scores or len(scores) != len(right):
        raise InvalidRequest(f"{len(scores)} scores for {len(right)} answers", param="scores")
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    points: list[Point] = []
    area = wrong = 0.0
    begun = 0
    for place, index in enumerate(order, 1):
        wrong += not right[index]
        last = place == len(order) or scores[order[place]] != scores[index]
        if last:
            points.append(Point(scores[index], place / len(order), wrong / place))
            area += (place - begun) * wrong / place
            begun = place
    mistakes = len(right) - sum(right)
    ideal = sum((place - sum(right)) / place for place in range(sum(right) + 1, len(right) + 1))
    return RiskCoverage(tuple(points), area / len(order), ideal / len(order), mistakes / len(order))


def auroc(positive: Sequence[float], negative: Sequence[float], *, seed: int = SEED) -> Estimate:
    """The probability that a positive scores higher than a negative (ties count half), with a 95 % interval.

    The interval is a stratified bootstrap over both kinds. Raises ``InvalidRequest`` if a kind is empty.
    """
    import numpy as np

    if not len(positive) or not len(negative):
        raise InvalidRequest("AUROC needs positives and negatives", param="scores")
    generator = np.random.default_rng(seed)
    ups, downs = np.asarray(positive, np.float64), np.asarray(negative, np.float64)
    drawn: list[float] = []
    while len(drawn) < _RESAMPLES:
        # Some at a time, so that no more than about a million values are in memory.
        rows = min(_RESAMPLES - len(drawn), max(1, 1_000_000 // (len(ups) + len(downs))))
        both = generator.choice(ups, (rows, len(ups))), generator.choice(downs, (rows, len(downs)))
        drawn += _areas(np.concatenate(both, axis=1), len(ups)).tolist()
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Estimate(area(positive, negative), float(low), float(high), len(ups) + len(downs))


def area(positive: Sequence[float], negative: Sequence[float]) -> float:
    """AUROC without an interval: the Mann-Whitney statistic as a share of all pairs."""
    import numpy as np

    return float(_areas(np.asarray([[*positive, *negative]], np.float64), len(positive))[0])


def _areas(scores: Any, positives: int) -> Any:
    """AUROC of each row of ``scores``, whose first ``positives`` columns are the positives."""
    ranks = stats_library().rankdata(scores, axis=1)
    negatives = scores.shape[1] - positives
    return (ranks[:, :positives].sum(axis=1) - positives * (positives + 1) / 2) / (positives * negatives)
