"""Choice by examples: a linear classifier over the embedded example requests of the tools, trained where it is used.

The classifier is a ridge regression of membership on the examples' vectors, which has a closed form. What it says is
calibrated by a logistic model of few features, fitted beforehand on public intents, with requests that none serves.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from mainspring.agents.choice.reading import ToolText
from mainspring.agents.choice.weights import Weights, weights
from mainspring.engines.base import Embedder

FEWEST = 3
"""Examples that a tool needs: with fewer, what it says of itself counts alone."""
_RIDGE = 0.3
_KEPT_SETS = 64


class Trained:
    """A classifier over the examples of several tools. ``owners`` (n,) says whose each of ``vectors`` (n, d) is."""

    def __init__(self, vectors: Any, owners: Any, tools: int) -> None:
        self._vectors, self._owners, self._tools = vectors, owners, tools
        membership = (owners[:, None] == np.arange(tools)).astype(np.float64)
        self._middle = membership.mean(axis=0)
        kernel = vectors @ vectors.T + _RIDGE * np.eye(len(vectors))
        self._duals = np.linalg.solve(kernel, membership - self._middle)

    def features(self, asked: Any) -> Any:
        """(tools, 5) of a request's unit vector: the best and the mean best three cosines, the classifier's score, and
        how far the best cosine and the score are above those of all other tools."""
        near = self._vectors @ asked
        best, three = np.zeros(self._tools), np.zeros(self._tools)
        for tool in range(self._tools):
            own = np.sort(near[self._owners == tool])[::-1]
            best[tool], three[tool] = own[0], own[:3].mean()
        score = near @ self._duals + self._middle
        return np.stack([best, three, score, best - _others(best), score - _others(score)], axis=1)


def _others(values: Any) -> Any:
    """The greatest of the other values, for each; 0 if there are none."""
    if len(values) < 2:
        return np.zeros_like(values)
    at = int(values.argmax())
    greatest = np.full_like(values, values[at])
    greatest[at] = np.delete(values, at).max()
    return greatest


class Examples:
    """Classifiers over the examples of sets of tools, trained at their first use."""

    def __init__(self, embedder: Embedder, fitted: Weights | None = None) -> None:
        self._embedder = embedder
        self._fitted = fitted or weights(embedder.name, "examples")
        self._trained: OrderedDict[tuple[tuple[str, ...], ...], Trained] = OrderedDict()

    async def probabilities(self, request: str, tools: Sequence[ToolText]) -> dict[int, float]:
        """The probability of each tool that has enough examples, by its place among ``tools``. Raises what the
        embedder raises."""
        places = [at for at, tool in enumerate(tools) if len(tool.examples) >= FEWEST]
        if not places or len(tools) < 2 or not request.strip():
            return {}
        # What the other tools say of themselves stands for requests that are not for these.
        trained = await self.trained([tool.examples if at in places else (tool.said,) for at, tool in enumerate(tools)])
        asked = (await self._embedder.embed([request], "query")).vectors[0]
        odds = self._fitted.odds(trained.features(asked))
        return {at: float(1 / (1 + np.exp(-odds[at]))) for at in places}

    async def trained(self, examples: Sequence[tuple[str, ...]]) -> Trained:
        """The classifier over ``examples``, those of one tool each."""
        key = tuple(examples)
        if key not in self._trained:
            texts = [text for each in examples for text in each]
            owners = np.repeat(np.arange(len(examples)), [len(each) for each in examples])
            # Examples and requests are of one kind: they are embedded in the same way.
            vectors = (await self._embedder.embed(texts, "query")).vectors
            self._trained[key] = Trained(vectors, owners, len(examples))
            while len(self._trained) > _KEPT_SETS:
                self._trained.popitem(last=False)
        self._trained.move_to_end(key)
        return self._trained[key]
