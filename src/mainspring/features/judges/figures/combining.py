"""Weights of judges that are combined: a logistic model over their scores, fitted to people's labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mainspring.core.errors import InvalidRequest
from mainspring.features.judges.figures.calibration import FOLDS, Floats, logistic
from mainspring.features.judges.figures.published import correlation

LEAST = 30
"""Labels below which nothing is fitted."""


@dataclass(frozen=True, slots=True)
class Fit:
    """``weights`` in the order of the members. ``left_out`` is the correlation with labels that the fit has not seen
    (five folds); ``mean`` that of the members' mean, for comparison."""

    weights: tuple[float, ...]
    intercept: float
    n: int
    left_out: dict[str, float] | None
    mean: dict[str, float] | None


def fitted(scores: Sequence[Mapping[str, Any]], members: Sequence[str], *, seed: int = 11) -> Fit:
    """Of kept scores with the members' own. Raises ``InvalidRequest`` for too few labels."""
    told = [
        each
        for each in scores
        if each.get("task", "label") == "label" and set(members) <= set(each.get("members") or {})
    ]
    if len(told) < LEAST:
        raise InvalidRequest(
            f"{len(told)} labelled items have the scores of all members, and a fit needs {LEAST}",
            remedy="Measure the jury on more labels",
            param="judge",
        )
    features = np.array([[each["members"][name] for name in members] for each in told], np.float64)
    labels = np.array([each["label"] for each in told], np.float64)
    folds = np.random.default_rng(seed).permutation(len(told)) % FOLDS
    chances = np.empty(len(told))
    for fold in range(FOLDS):
        chances[folds == fold] = _applied(
            logistic(features[folds != fold], labels[folds != fold]), features[folds == fold]
        )
    whole = logistic(features, labels)
    return Fit(
        tuple(round(float(each), 6) for each in whole[:-1]),
        round(float(whole[-1]), 6),
        len(told),
        correlation(chances, labels),
        correlation(features.mean(axis=1), labels),
    )


def _applied(fit: Floats, features: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(features @ fit[:-1] + fit[-1], -500, 500))), np.float64)
