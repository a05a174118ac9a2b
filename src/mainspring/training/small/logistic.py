"""Logistic regression with a ridge, by Newton's method."""

from __future__ import annotations

from typing import Any

import numpy as np

_STEPS = 50


def logistic(values: Any, labels: Any, ridge: float = 0.01) -> tuple[Any, float]:
    """The weights (one a column of ``values`` [rows, columns]) and the constant of "``labels`` [rows] is 1".

    ``ridge`` weighs the sum of squared standardised weights, relative to the rows' mean log-loss. Raises ``ValueError``
    if the labels are all the same.
    """
    values, labels = np.asarray(values, np.float64), np.asarray(labels, np.float64)
    if not 0 < labels.sum() < len(labels):
        raise ValueError("labels of one kind only")
    mean, spread = values.mean(0), values.std(0)
    spread[spread == 0] = 1.0
    design = np.hstack([(values - mean) / spread, np.ones((len(values), 1))])
    penalty = ridge * len(values) * np.diag([1.0] * values.shape[1] + [0.0])
    weights = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(design @ weights, -60, 60)))
        gradient = design.T @ (labels - chance) - penalty @ weights
        curvature = design.T @ (design * (chance * (1 - chance))[:, None]) + penalty
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(weights)), gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-8:
            break
    plain = weights[:-1] / spread
    return plain, float(weights[-1] - plain @ mean)
