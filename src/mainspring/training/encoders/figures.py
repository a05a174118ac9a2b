"""Figures on held-out rows, each with the interval of a bootstrap over groups (queries, passages), so that rows of one
group are not counted as if they were independent. numpy alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Statistic = Callable[[NDArray[np.int64]], float]
"""A figure of the rows at these places; a row may stand there several times."""
_RESAMPLES, _DRAWN = 1_000, 500
_BINS = 10


@dataclass(slots=True)
class Figures:
    """Figures by name with their intervals of 95 % and the numbers of rows or groups that they are of."""

    values: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, statistic: Statistic, groups: Sequence[str], seed: int = 0) -> None:
        """Add a figure of all rows; ``groups`` names that of each. What cannot be computed (one class only) is left
        out."""
        value = statistic(np.arange(len(groups)))
        if np.isnan(value):
            return
        self.values[name], self.counted[name] = value, len(groups)
        self.intervals[name] = interval(statistic, groups, seed)

    def add_calibration(self, confidence: Values, right: NDArray[np.bool_], groups: Sequence[str]) -> None:
        """Add ``calibration_error``; of no rows there is none."""
        if len(groups):
            name = "calibration_error"
            self.values[name], self.counted[name] = calibration_error(confidence, right), len(groups)
            self.intervals[name] = calibration_interval(confidence, right, groups)


def interval(statistic: Statistic, groups: Sequence[str], seed: int = 0) -> tuple[float, float]:
    """The 2.5 % and 97.5 % quantiles over resamples of the groups; resamples without a value are left out."""
    low, high = np.nanquantile(resampled(statistic, groups, seed), (0.025, 0.975))
    return float(low), float(high)


def resampled(statistic: Statistic, groups: Sequence[str], seed: int = 0) -> Values:
    """The figure of each resample of the groups."""
    places: dict[str, list[int]] = {}
    for place, group in enumerate(groups):
        places.setdefault(group, []).append(place)
    each = [np.array(found, np.int64) for found in places.values()]
    random = np.random.default_rng(seed)
    return np.array(
        [
            statistic(np.concatenate([each[place] for place in random.integers(0, len(each), len(each))]))
            for _ in range(_RESAMPLES)
        ]
    )


def auroc(scores: Values, positive: NDArray[np.bool_]) -> float:
    """The probability that a positive scores higher than a negative; ties count half. NaN if a kind is missing."""
    ups = int(positive.sum())
    downs = len(positive) - ups
    if not ups or not downs:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[inverse]
    return float((ranks[positive].sum() - ups * (ups + 1) / 2) / (ups * downs))


def calibration_error(confidence: Values, right: NDArray[np.bool_]) -> float:
    """The expected calibration error over ten bins of equal width (Guo et al., 2017)."""
    if not len(right):
        return float("nan")
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    total = 0.0
    for each in range(_BINS):
        inside = bins == each
        if inside.any():
            total += abs(float(confidence[inside].mean()) - float(right[inside].mean())) * float(inside.mean())
    return total


def calibration_interval(
    confidence: Values, right: NDArray[np.bool_], groups: Sequence[str], seed: int = 0
) -> tuple[float, float]:
    """Of ``calibration_error``, of 95 %. The figure is too high by what chance adds to its bins, and that of a resample
    once more: the quantiles of resamples lie above a small one. The low end is 0 if labels drawn by the confidences
    (Bröcker and Smith, 2007) come to as much; else what resamples have gained is taken off twice. The high end stays.

    How often it holds the true one: ``benchmarks/calibration_interval.py``."""
    figure = calibration_error(confidence, right)
    found = resampled(lambda at: calibration_error(confidence[at], right[at]), groups, seed)
    low, high = np.quantile(found, (0.025, 0.975))
    random = np.random.default_rng(seed + 1)
    drawn = [calibration_error(confidence, random.random(len(right)) < confidence) for _ in range(_DRAWN)]
    if figure <= np.quantile(drawn, 0.975):
        return 0.0, float(high)
    return min(figure, max(0.0, float(low - 2 * (found.mean() - figure)))), float(max(high, figure))


def reciprocal_rank(scores: Values, gains: Values) -> float:
    """One over the place of the first relevant one; ties are read in the worst order. NaN without a relevant one."""
    if not (gains > 0).any():
        return float("nan")
    best = scores[gains > 0].max()
    return 1.0 / (1 + float(((scores > best) | ((scores == best) & (gains <= 0))).sum()))


def ndcg(scores: Values, gains: Values, depth: int = 10) -> float:
    """Normalised discounted cumulative gain (Jarvelin and Kekalainen, 2002); ties are read in the worst order."""
    order = np.lexsort((gains, -scores))[:depth]
    discounts = 1 / np.log2(np.arange(2, depth + 2))
    ideal = float((np.sort(gains)[::-1][:depth] * discounts[: min(depth, len(gains))]).sum())
    return float((gains[order] * discounts[: len(order)]).sum()) / ideal if ideal else float("nan")


def ranking(scores: Sequence[float], gains: Sequence[float], groups: Sequence[str]) -> Figures:
    """``ndcg@10``, ``mrr`` and ``hit@1`` over the groups that hold both relevant rows and others, ``auroc`` over all
    rows."""
    found = Figures()
    values, labels = np.asarray(scores, np.float64), np.asarray(gains, np.float64)
    rows: dict[str, list[int]] = {}
    for place, group in enumerate(groups):
        rows.setdefault(group, []).append(place)
    usable = {name: each for name, each in rows.items() if 0 < (labels[each] > 0).sum() < len(each)}
    if usable:
        for name, measure in (("ndcg@10", ndcg), ("mrr", reciprocal_rank)):
            per = np.array([measure(values[each], labels[each]) for each in usable.values()])
            found.add(name, lambda at, per=per: float(per[at].mean()), list(usable))  # type: ignore[misc]
        first = np.array([reciprocal_rank(values[each], labels[each]) == 1 for each in usable.values()])
        found.add("hit@1", lambda at: float(first[at].mean()), list(usable))
    found.add("auroc", lambda at: auroc(values[at], labels[at] > 0), groups)
    return found


def classes(chances: Any, labels: Sequence[int], groups: Sequence[str]) -> Figures:
    """``accuracy`` and ``calibration_error`` of probabilities (rows, classes)."""
    found = Figures()
    given = np.asarray(chances, np.float64)
    right = given.argmax(1) == np.asarray(labels)
    confidence = given.max(1)
    found.add("accuracy", lambda at: float(right[at].mean()), groups)
    found.add_calibration(confidence, right, groups)
    return found


def merged(*parts: Figures) -> Figures:
    """All figures in one."""
    found = Figures()
    for each in parts:
        found.values.update(each.values)
        found.intervals.update(each.intervals)
        found.counted.update(each.counted)
    return found


def paired(
    ours: Callable[[NDArray[np.int64]], float],
    theirs: Callable[[NDArray[np.int64]], float],
    groups: Sequence[str],
    seed: int = 0,
) -> tuple[float, float, float]:
    """Ours minus theirs on the same rows, with the interval of a bootstrap that draws both sides together."""

    def difference(at: NDArray[np.int64]) -> float:
        return ours(at) - theirs(at)

    low, high = interval(difference, groups, seed)
    return difference(np.arange(len(groups))), low, high
