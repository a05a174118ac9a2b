"""Agreement of people, or of a judge with people: Cohen's kappa and Krippendorff's alpha.

Krippendorff, "Computing Krippendorff's alpha-reliability" (2011): alpha is 1 for perfect agreement and 0 for that of
chance; below .667 conclusions are not to be drawn, from .8 on they may be.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from mainspring.core.errors import InvalidRequest
from mainspring.statistics.significance import Estimate

L = TypeVar("L", bound=Hashable)
Level = Literal["nominal", "ordinal", "interval"]
"""Whether labels are only equal or not, are ranks, or are numbers whose differences count."""
_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Kappa:
    """``kappa`` beside what it is made of: the share of equal labels, and the share that chance would give.

    ``base_rate`` is the share of the commonest label of the second rater: with .95, a judge that always says so agrees
    .95 of the time, at a kappa of 0. ``kappa`` is None where both always say the same one label.
    """

    kappa: float | None
    agreement: float
    by_chance: float
    base_rate: float
    n: int


def kappa(first: Sequence[L], second: Sequence[L]) -> Kappa:
    """Cohen's kappa (1960) of two raters of the same items. Raises ``InvalidRequest`` for none, or unequal numbers."""
    if len(first) != len(second) or not first:
        raise InvalidRequest("two raters need labels of the same items, and at least one", param="labels")
    labels = list(dict.fromkeys([*first, *second]))
    place = {label: number for number, label in enumerate(labels)}
    table = np.zeros((len(labels), len(labels)))
    for one, other in zip(first, second, strict=True):
        table[place[one], place[other]] += 1
    table /= len(first)
    agreement = float(np.trace(table))
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    chance = float(rows @ columns)
    value = None if chance >= 1 - 1e-12 else (agreement - chance) / (1 - chance)
    return Kappa(value, agreement, chance, float(columns.max()), len(first))


def alpha(ratings: Mapping[str, Mapping[str, float | str]], level: Level = "nominal") -> float:
    """Krippendorff's alpha. ``ratings`` are labels by rater by item, for any number of raters and with gaps.

    Labels of ``ordinal`` and ``interval`` are numbers. An item with one label says nothing about agreement; if all
    labels are equal there is nothing to disagree about, and alpha is 1. Raises ``InvalidRequest`` without an item that
    two have labelled, and for a label that is no number where one is needed.
    """
    return _alpha(*_counts(ratings, level))


def alpha_interval(
    ratings: Mapping[str, Mapping[str, float | str]],
    level: Level = "nominal",
    *,
    confidence: float = 0.95,
    seed: int = 11,
) -> Estimate:
    """Alpha with its percentile bootstrap over items (2,000 resamples). Raises as ``alpha`` does."""
    counts, distance = _counts(ratings, level)
    draw = np.random.default_rng(seed)
    found = [_alpha(counts[draw.integers(0, len(counts), len(counts))], distance) for _ in range(_RESAMPLES)]
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(_alpha(counts, distance), float(low), float(high), len(counts))


def _alpha(counts: Any, distance: Callable[[Any], Any]) -> float:
    """``counts`` of each label (columns) for each item (rows)."""
    raters = counts.sum(axis=1)
    # The coincidences of pairs of labels within items; each item weighs as many labels as it has.
    weighted = counts / (raters - 1)[:, None]
    coincident = weighted.T @ counts - np.diag(weighted.sum(axis=0))
    margins = coincident.sum(axis=0)
    total = margins.sum()
    apart = distance(margins)
    expected = float(margins @ apart @ margins) / (total - 1)
    if expected <= 0:
        return 1.0
    return float(1.0 - (coincident * apart).sum() / expected)


def _counts(ratings: Mapping[str, Mapping[str, float | str]], level: Level) -> tuple[Any, Callable[[Any], Any]]:
    labels = sorted({label for given in ratings.values() for label in given.values()}, key=_order)
    if level != "nominal" and any(isinstance(label, str) for label in labels):
        raise InvalidRequest(f"labels of level {level} are numbers", param="labels", remedy="Use the level nominal")
    place = {label: number for number, label in enumerate(labels)}
    items = list(dict.fromkeys(item for given in ratings.values() for item in given))
    rows = {item: number for number, item in enumerate(items)}
    counts = np.zeros((len(items), len(labels)))
    for given in ratings.values():
        for item, label in given.items():
            counts[rows[item], place[label]] += 1
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        raise InvalidRequest("no item has the labels of two raters", param="labels")
    return counts, _distance(labels, level)


def _distance(labels: Sequence[float | str], level: Level) -> Callable[[Any], Any]:
    """The squared distances of labels, given how often each occurs."""
    size = len(labels)
    if level == "nominal":
        return lambda _: 1.0 - np.eye(size)
    if level == "interval":
        values = np.asarray(labels, np.float64)
        return lambda _: (values[:, None] - values[None, :]) ** 2

    def ranks(margins: Any) -> Any:
        middles = np.cumsum(margins) - margins / 2
        return (middles[:, None] - middles[None, :]) ** 2

    return ranks


def _order(label: float | str) -> tuple[bool, float, str]:
    return (True, 0.0, label) if isinstance(label, str) else (False, float(label), "")
