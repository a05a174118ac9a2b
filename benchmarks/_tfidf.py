"""TF-IDF over words and pairs of words with logistic regression: what a detector is compared with. numpy alone."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"\w+")
_STEPS = 300
Rows = NDArray[np.float32]
Floats = NDArray[np.float64]


class TfIdf:
    """The ``most`` frequent terms of the texts it was made from, sublinear counts, unit vectors."""

    def __init__(self, texts: Sequence[str], most: int = 4000) -> None:
        documents = Counter(term for text in texts for term in set(_terms(text)))
        kept = [(term, count) for term, count in documents.most_common(most) if count > 1]
        self._index = {term: index for index, (term, _) in enumerate(kept)}
        self._idf = np.array([np.log((1 + len(texts)) / (1 + count)) + 1 for _, count in kept])
        self.terms: list[str] = list(self._index)

    @property
    def idf(self) -> Floats:
        """Inverse document frequencies, float64 of shape (terms,)."""
        return np.asarray(self._idf, np.float64)

    def vectors(self, texts: Sequence[str]) -> Rows:
        """Float32 of shape (texts, terms)."""
        rows = np.zeros((len(texts), len(self._index)), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for term, count in Counter(_terms(text)).items():
                if (index := self._index.get(term)) is not None:
                    row[index] = (1 + np.log(count)) * self._idf[index]
            row /= max(1e-9, float(np.linalg.norm(row)))
        return rows


class Linear:
    """TF-IDF and a logistic regression over it, both classes of the same weight."""

    def __init__(self, texts: Sequence[str], labels: Floats, ridge: float = 1.0) -> None:
        self._terms = TfIdf(texts)
        shares = np.where(labels == 1, 0.5 / labels.sum(), 0.5 / (1 - labels).sum()) * len(labels)
        self._weights = logistic(self._terms.vectors(texts), labels, shares, ridge)

    def scores(self, texts: Sequence[str]) -> Floats:
        """Log odds, float64 of shape (texts,)."""
        rows = self._terms.vectors(texts)
        found: Any = rows @ self._weights[:-1] + self._weights[-1]
        return np.asarray(found, np.float64)


def logistic(rows: Rows, labels: Floats, shares: Floats, ridge: float) -> Rows:
    """Weights of shape (terms + 1,), the bias last, by Nesterov's gradient with the step that the curvature allows."""
    design = np.hstack([rows, np.ones((len(rows), 1), np.float32)])
    # The largest singular value, by a few turns of the power method.
    vector = np.ones(design.shape[1], np.float32)
    for _ in range(20):
        vector = design.T @ (design @ vector)
        vector /= np.linalg.norm(vector)
    step = np.float32(1.0 / (0.25 * shares.max() * float(np.linalg.norm(design @ vector)) ** 2 * 1.05 + ridge))
    targets, weighted = labels.astype(np.float32), shares.astype(np.float32)
    found = ahead = np.zeros(design.shape[1], np.float32)
    for turn in range(_STEPS):
        chances = 1 / (1 + np.exp(-np.clip(design @ ahead, -50, 50)))
        slope = design.T @ (weighted * (chances - targets)) + np.float32(ridge) * np.append(ahead[:-1], np.float32(0))
        new = ahead - step * slope
        ahead = new + np.float32(turn / (turn + 3)) * (new - found)
        found = new
    return found


def _terms(text: str) -> list[str]:
    words = _WORD.findall(text.lower())
    return [*words, *(f"{one} {other}" for one, other in itertools.pairwise(words))]
