"""Diversity: maximal marginal relevance over the words of the hits."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from mainspring.rag.text import terms

# Selection is quadratic in the number of candidates.
_MOST = 400


def similarities(texts: Sequence[str]) -> Any:
    """Cosines of the texts' tf-idf vectors over stemmed content words; float32 of shape (texts, texts).

    Only the first 400 texts are compared; later ones are like nothing.
    """
    counts = [Counter(terms.words(text)) for text in texts[:_MOST]]
    documents = Counter(word for each in counts for word in each)
    places = {word: place for place, word in enumerate(documents)}
    matrix = np.zeros((len(texts), max(1, len(places))), np.float32)
    for row, each in enumerate(counts):
        for word, count in each.items():
            matrix[row, places[word]] = (1 + math.log(count)) * math.log(1 + len(counts) / documents[word])
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    matrix /= np.where(norms == 0, 1, norms)
    return matrix @ matrix.T


def mmr(scores: Sequence[float], similarity: Any, weight: float, k: int) -> list[int]:
    """The ``k`` indices chosen one by one, each with the greatest ``weight`` x score - (1 - ``weight``) x likeness to
    the likest one chosen before (Carbonell and Goldstein 1998). ``similarity`` has the shape (scores, scores)."""
    relevance = np.asarray(scores, dtype=np.float64)
    likeness = np.zeros(len(relevance))
    free = np.ones(len(relevance), dtype=bool)
    chosen: list[int] = []
    while len(chosen) < min(k, len(relevance)):
        value = np.where(free, weight * relevance - (1 - weight) * likeness, -np.inf)
        index = int(np.argmax(value))
        chosen.append(index)
        free[index] = False
        likeness = np.maximum(likeness, similarity[index])
    return chosen
