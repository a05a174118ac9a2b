"""The mean of a score over a population, from a judge's scores of all of it and people's labels of a part.

Prediction-powered inference (Angelopoulos et al., Science 2023) in its tuned form (PPI++, Angelopoulos, Duchi and
Zrnic 2023): the judge's mean over everything is corrected by what it gets wrong where people looked. The estimate is
unbiased however bad the judge is, and never less certain than the labels alone (in the limit of many labels).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.core.errors import InvalidRequest
from mainspring.statistics.significance import Estimate

Values = Sequence[float] | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibrated:
    """``estimate`` with its interval, beside that of the labels alone.

    ``weight`` is how far the judge was followed (0: its scores say nothing about the labels). ``gain`` is the share by
    which the interval is narrower than that of the labels alone.
    """

    estimate: Estimate
    labels_alone: Estimate
    weight: float
    judged: int

    @property
    def gain(self) -> float:
        alone = self.labels_alone.high - self.labels_alone.low
        return 1 - (self.estimate.high - self.estimate.low) / alone if alone else 0.0


def mean(
    labels: Values,
    judged: Values,
    unlabelled: Values,
    *,
    confidence: float = 0.95,
    weight: float | None = None,
) -> Calibrated:
    """The population's mean label. ``judged`` are the judge's scores of the items with ``labels``, in the same order,
    ``unlabelled`` those of the others; the labelled are a random part of all.

    ``weight`` follows the judge that far in place of the best weight. Raises ``InvalidRequest`` for fewer than two
    labels, for unequal numbers, and for values that are no numbers.
    """
    given, scored, others = _checked(labels, judged, unlabelled)
    n, rest = len(given), len(others)
    if weight is None:
        weight = _best(given, scored, others)
    # Without scores beyond the labelled items the judge has nothing to add.
    value = float(weight * others.mean() + (given - weight * scored).mean()) if rest else float(given.mean())
    variance = float((given - weight * scored).var(ddof=1)) / n if rest else float(given.var(ddof=1)) / n
    if rest > 1:
        variance += weight**2 * float(others.var(ddof=1)) / rest
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    alone, spread = float(given.mean()), z * math.sqrt(float(given.var(ddof=1)) / n)
    width = z * math.sqrt(variance)
    return Calibrated(
        Estimate(value, value - width, value + width, n + rest),
        Estimate(alone, alone - spread, alone + spread, n),
        weight if rest else 0.0,
        rest,
    )


def _best(given: Any, scored: Any, others: Any) -> float:
    """The weight of the least variance (PPI++, section 6): 0 for a judge whose scores say nothing."""
    if len(others) < 2:
        return 0.0
    every = np.concatenate([scored, others])
    variance = float(every.var(ddof=1))
    if variance <= 0:
        return 0.0
    covariance = float(np.cov(given, scored, ddof=1)[0, 1])
    return float(np.clip(covariance / (variance * (1 + len(given) / len(others))), 0.0, 1.0))


def _checked(labels: Values, judged: Values, unlabelled: Values) -> tuple[Any, Any, Any]:
    given, scored, others = (np.asarray(each, np.float64) for each in (labels, judged, unlabelled))
    if len(given) != len(scored):
        raise InvalidRequest(f"{len(given)} labels, but {len(scored)} scores of the same items", param="judged")
    if len(given) < 2:
        raise InvalidRequest("an interval needs two labels at least", param="labels")
    if not all(np.isfinite(each).all() for each in (given, scored, others)):
        raise InvalidRequest("labels and scores are finite numbers", param="labels")
    return given, scored, others
