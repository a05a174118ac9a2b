"""Logistic weights with the sign that each feature must have, for ``triad.py --fit``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mainspring.statistics.significance import stats_library

AGAINST = frozenset({"number", "name", "negation", "turned", "echo"})
FREE = frozenset({"short"})
_RIDGE = 0.0005


def fitted(rows: Sequence[tuple[Any, bool, bool]], names: Sequence[str], used: Sequence[str]) -> dict[str, float]:
    """Weights by feature and ``bias`` for (features, right, group) rows.

    Both groups weigh the same, and in each the right and the wrong ones do. A feature that speaks against has no
    positive weight and one that speaks for no negative one: what contradicts its meaning is noise of the sample.
    """
    from scipy.optimize import minimize

    stats_library()
    columns = [list(names).index(name) for name in used]
    features = np.array([row[0][columns] for row in rows])
    signs = np.array([1.0 if right else -1.0 for _, right, _ in rows])
    cells = [(right, group) for _, right, group in rows]
    weights = np.array([1.0 / cells.count(cell) for cell in cells])
    weights /= weights.sum()

    def loss(vector: Any) -> tuple[float, Any]:
        margins = signs * (features @ vector[:-1] + vector[-1])
        slopes = -weights * signs / (1 + np.exp(margins))
        gradient = np.append(features.T @ slopes + _RIDGE * vector[:-1], slopes.sum())
        return float(weights @ np.logaddexp(0, -margins) + _RIDGE / 2 * vector[:-1] @ vector[:-1]), gradient

    bounds = [(None, None) if name in FREE else (None, 0.0) if name in AGAINST else (0.0, None) for name in used] + [
        (None, None)
    ]
    found = minimize(loss, np.zeros(len(used) + 1), jac=True, bounds=bounds, method="L-BFGS-B").x
    return dict(zip((*used, "bias"), (float(value) for value in found), strict=True))


def shown(weights: dict[str, float]) -> str:
    """As Python, without what has no weight."""
    parts = (f'"{name}": {value:.2f}' for name, value in weights.items() if abs(value) >= 0.005 or name == "bias")
    return "{" + ", ".join(parts) + "}"
