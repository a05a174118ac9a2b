"""Personalised PageRank over entities and chunks (Haveliwala 2002; over such a graph Gutiérrez et al., HippoRAG, 2024).

The matrix is kept as three columns and multiplied by ``numpy.bincount``: no sparse library is needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mainspring.rag.graph.assemble import Graph

STEPS = 20


class Walker:
    """Walks over one graph. Nodes are its entities and then its chunks."""

    def __init__(self, graph: Graph, *, tie: float = 1.0) -> None:
        self._entities = len(graph.names)
        self.size = self._entities + len(graph.chunks)
        weights = graph.weights * graph.rarity[graph.of] if len(graph.of) else graph.weights
        chunks = graph.within + self._entities
        one, other = graph.ends[:, 0], graph.ends[:, 1]
        self._to = np.concatenate([chunks, graph.of, other, one])
        self._from = np.concatenate([graph.of, chunks, one, other])
        values = np.concatenate([weights, weights, tie * graph.ties, tie * graph.ties])
        degree = np.bincount(self._from, values, self.size)
        self._values = values / np.where(degree[self._from] > 0, degree[self._from], 1.0)
        self._dead = degree == 0

    def walk(self, entities: Any, chunks: Any, *, restart: float = 0.5, steps: int = STEPS) -> Any:
        """Where a walk is found that goes back to where it began with probability ``restart`` at each step.

        ``entities`` and ``chunks`` are float64 weights of the beginnings, one for each entity and chunk. Gives float64
        of shape (entities + chunks,) that sums to 1, or zeros if there is no beginning.
        """
        start = np.concatenate([entities, chunks]).astype(np.float64)
        total = start.sum()
        if total <= 0:
            return np.zeros(self.size)
        start /= total
        here = start
        for _ in range(steps):
            moved = np.bincount(self._to, self._values * here[self._from], self.size)
            # Dead ends return to the start.
            moved += here[self._dead].sum() * start
            here = restart * start + (1 - restart) * moved
        return here

    def chunks(self, here: Any) -> Any:
        """The part of a walk's result that is about chunks."""
        return here[self._entities :]


def nearest(graph: Graph, entity: int, k: int) -> list[int]:
    """The ``k`` entities that a walk from ``entity`` finds most often among those connected with it."""
    start = np.zeros(len(graph.names))
    start[entity] = 1.0
    here = Walker(graph).walk(start, np.zeros(len(graph.chunks)))
    others = {other for other, _ in graph.neighbours.get(entity, ())}
    return sorted(others, key=lambda other: (-float(here[other]), other))[:k]
