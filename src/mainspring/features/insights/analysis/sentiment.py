"""The sentiment of a message: a linear model over its embedding, fitted by ``benchmarks/fit_sentiment.py``.

``sentiment.json`` has weights by the name of the embedding model. Another model has none, and sentiment is then
unknown.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

NEGATIVE, POSITIVE = -0.25, 0.25
"""Sentiments up to the first and from the second on are called negative and positive."""


def scores(vectors: npt.NDArray[np.float32], embedder: str) -> list[float] | None:
    """The sentiment of each of ``vectors`` (n, d) in [-1, 1]; None if there are no weights for ``embedder``."""
    weights = _weights().get(embedder)
    if weights is None or (len(vectors) and vectors.shape[1] != len(weights) - 1):
        return None
    found = vectors @ weights[:-1] + weights[-1]
    return [round(float(each), 3) for each in np.clip(found, -1.0, 1.0)]


def label(sentiment: float | None) -> str:
    """``negative``, ``neutral`` or ``positive``; ``unknown``."""
    if sentiment is None:
        return "unknown"
    return "negative" if sentiment <= NEGATIVE else "positive" if sentiment >= POSITIVE else "neutral"


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of those that are known."""
    known = [each for each in values if each is not None]
    return round(sum(known) / len(known), 3) if known else None


@cache
def _weights() -> dict[str, npt.NDArray[np.float32]]:
    text = resources.files("mainspring.features.insights.analysis").joinpath("sentiment.json").read_text("utf-8")
    return {name: np.asarray(each, np.float32) for name, each in json.loads(text)["weights"].items()}
