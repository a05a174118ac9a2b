"""Maps from a judge's scores to people's labels: isotonic (pool adjacent violators) or Platt's logistic curve.

The mean squared error on left-out fifths decides between both, or for neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Method = Literal["none", "isotonic", "platt"]
FOLDS = 5
LEAST = 20
"""Labels below which no map is fitted."""
_STEPS = 50


@dataclass(frozen=True, slots=True)
class ScoreMap:
    """``points`` are pairs of score and expected label, between which is interpolated; of Platt's curve the slope and
    the intercept. ``error`` is the mean squared error on left-out labels, ``before`` that of the bare scores."""

    method: Method
    points: tuple[tuple[float, float], ...]
    error: float
    before: float

    def __call__(self, scores: Sequence[float] | Floats) -> Floats:
        given = np.asarray(scores, np.float64)
        if self.method == "none":
            return given
        return _apply(self.method, np.asarray(self.points, np.float64), given)

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> ScoreMap:
        """What ``plain`` made."""
        points = tuple((float(x), float(y)) for x, y in body["points"])
        return cls(body["method"], points, body["error"], body["error_before"])

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "method": self.method,
            "points": [list(each) for each in self.points],
            "error": self.error,
            "error_before": self.before,
        }


def fitted(scores: Sequence[float], labels: Sequence[float], *, seed: int = 11) -> ScoreMap:
    """The map with the smallest error on left-out labels; none for fewer than ``LEAST``, or where it helps nothing."""
    given, wanted = np.asarray(scores, np.float64), np.asarray(labels, np.float64)
    before = float(((given - wanted) ** 2).mean()) if len(given) else 0.0
    best = ScoreMap("none", (), before, before)
    if len(given) < LEAST or given.std() == 0:
        return best
    folds = np.random.default_rng(seed).permutation(len(given)) % FOLDS
    methods: tuple[Method, ...] = ("isotonic", "platt")
    for method in methods:
        errors = []
        for fold in range(FOLDS):
            fit = _fit(method, given[folds != fold], wanted[folds != fold])
            errors.append((_apply(method, fit, given[folds == fold]) - wanted[folds == fold]) ** 2)
        error = float(np.concatenate(errors).mean())
        if error < best.error:
            points = tuple((float(x), float(y)) for x, y in _fit(method, given, wanted))
            best = ScoreMap(method, points, error, before)
    return best


def _fit(method: Method, scores: Floats, labels: Floats) -> Floats:
    return isotonic(scores, labels) if method == "isotonic" else platt(scores, labels)


def _apply(method: Method, fit: Floats, scores: Floats) -> Floats:
    if method == "isotonic":
        return np.asarray(np.interp(scores, fit[:, 0], fit[:, 1]), np.float64)
    slope, intercept = fit[0]
    return np.asarray(1 / (1 + np.exp(-np.clip(slope * scores + intercept, -500, 500))), np.float64)


def isotonic(scores: Floats, labels: Floats) -> Floats:
    """The rising step function with the least squared error; float64 (points, 2): scores, values."""
    known, places = np.unique(scores, return_inverse=True)
    weights = np.bincount(places).astype(np.float64)
    means = np.bincount(places, labels) / weights
    # Blocks of equal value: mean, weight, length.
    blocks: list[list[float]] = []
    for mean, weight in zip(means, weights, strict=True):
        blocks.append([float(mean), float(weight), 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            value, heavy, long = blocks.pop()
            last = blocks[-1]
            last[0] = (last[0] * last[1] + value * heavy) / (last[1] + heavy)
            last[1] += heavy
            last[2] += long
    values = np.concatenate([np.full(int(long), value) for value, _, long in blocks])
    return np.column_stack([known, values])


def platt(scores: Floats, labels: Floats) -> Floats:
    """Slope and intercept of the logistic curve with the greatest likelihood; float64 (1, 2)."""
    return logistic(scores[:, None], labels)[None, :]


def logistic(features: Floats, labels: Floats, penalty: float = 1.0) -> Floats:
    """The coefficients of ``features`` (rows, columns) and then the intercept: logistic regression with a ridge
    penalty on the coefficients, by Newton's method. ``labels`` are in [0, 1]."""
    rows = np.column_stack([features, np.ones(len(features))])
    ridge = np.diag([*[penalty] * features.shape[1], 1e-9])
    found = np.zeros(rows.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(rows @ found, -500, 500)))
        slope = rows.T @ (labels - chance) - ridge @ found
        curve = (rows * (chance * (1 - chance))[:, None]).T @ rows + ridge
        step = np.linalg.solve(curve, slope)
        found = found + step
        if float(np.abs(step).max()) < 1e-8:
            break
    return np.asarray(found, np.float64)
