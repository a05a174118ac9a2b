"""Topics as clusters of vectors: known ones keep their turns, new ones are formed of what is left.

A turn belongs to the nearest centroid if its cosine reaches a threshold. Groups of those that belong to none are found
as in sentence-transformers' community detection: the vector with the most neighbours first, with its neighbours; then
a few rounds of spherical k-means from these groups' means. Whatever is still near none is noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
NOISE = -1
MOST_ROUNDS = 4
# Rows of a matrix of cosines that are in memory at once.
_BLOCK = 1024
# The cosine at which a new group says the same as another one.
_SAME = 0.85


@dataclass(frozen=True, slots=True)
class Clusters:
    """``labels`` (n,) are rows of ``centroids`` (k, d), or ``NOISE``."""

    labels: Ints
    centroids: Floats


def nearest(vectors: Floats, centroids: Floats, threshold: float) -> Ints:
    """For each of ``vectors`` (n, d) the row of ``centroids`` (k, d) with the highest cosine; ``NOISE`` below
    ``threshold``. All are of length 1."""
    labels = np.full(len(vectors), NOISE, np.int64)
    if not len(centroids):
        return labels
    for start in range(0, len(vectors), _BLOCK):
        cosines = vectors[start : start + _BLOCK] @ centroids.T
        best = cosines.argmax(axis=1)
        labels[start : start + _BLOCK] = np.where(cosines.max(axis=1) >= threshold, best, NOISE)
    return labels


def found(vectors: Floats, threshold: float, least: int) -> Clusters:
    """Groups of at least ``least`` of ``vectors`` (n, d), which are of length 1; largest first."""
    groups = _communities(vectors, threshold, least)
    if not groups:
        return Clusters(np.full(len(vectors), NOISE, np.int64), np.zeros((0, vectors.shape[1]), np.float32))
    centroids = _distinct(np.stack([mean(vectors[each]) for each in groups]))
    for _ in range(MOST_ROUNDS):
        labels = nearest(vectors, centroids, threshold)
        counts = np.bincount(labels[labels != NOISE], minlength=len(centroids))
        moved = [mean(vectors[labels == each]) for each in range(len(centroids)) if counts[each] >= least]
        if not moved:
            break
        centroids = _distinct(np.stack(moved))
    labels = nearest(vectors, centroids, threshold)
    return _ordered(labels, centroids, least)


def mean(vectors: Floats) -> Floats:
    """The mean direction of ``vectors`` (n, d): (d,), of length 1."""
    total = vectors.mean(axis=0)
    unit: Floats = (total / max(float(np.linalg.norm(total)), 1e-9)).astype(np.float32)
    return unit


def _communities(vectors: Floats, threshold: float, least: int) -> list[Ints]:
    """Disjoint groups, each the neighbours of one vector."""
    near: list[Ints] = []
    for start in range(0, len(vectors), _BLOCK):
        cosines = vectors[start : start + _BLOCK] @ vectors.T
        near += [np.flatnonzero(row >= threshold) for row in cosines]
    taken = np.zeros(len(vectors), bool)
    groups = []
    for place in sorted(range(len(near)), key=lambda each: -len(near[each])):
        if len(near[place]) < least:
            break
        left = near[place][~taken[near[place]]]
        if not taken[place] and len(left) >= least:
            taken[left] = True
            groups.append(left)
    return groups


def _distinct(centroids: Floats) -> Floats:
    kept: list[Floats] = []
    for each in centroids:
        if all(float(each @ other) < _SAME for other in kept):
            kept.append(each)
    return np.stack(kept)


def _ordered(labels: Ints, centroids: Floats, least: int) -> Clusters:
    """The largest first; groups that have become too small are noise."""
    counts = np.bincount(labels[labels != NOISE], minlength=len(centroids))
    order = [int(each) for each in np.argsort(-counts, kind="stable") if counts[each] >= least]
    places = np.full(len(centroids) + 1, NOISE, np.int64)
    places[order] = np.arange(len(order))
    return Clusters(places[labels], centroids[order])
