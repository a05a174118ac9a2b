"""How likely it is that a tool serves a request, by what it says of itself: a logistic model over few features."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from mainspring.agents.choice import features
from mainspring.agents.choice.reading import ToolText, parts
from mainspring.agents.choice.weights import Weights, weights
from mainspring.engines.base import Embedder

_KEPT_TOOLS = 4096
_MOST_PARTS = 64


class Scorer:
    """Scores tools for requests by the vectors of ``embedder``. Raises ``SettingsError`` if there are no weights for
    it."""

    def __init__(self, embedder: Embedder, fitted: Weights | None = None) -> None:
        self.embedder = embedder
        self._fitted = fitted or weights(embedder.name, "descriptions")
        self._vectors: OrderedDict[str, Any] = OrderedDict()

    async def probabilities(self, request: str, tools: Sequence[ToolText]) -> list[float]:
        """The probability of each tool that it serves ``request``; they do not sum to one.

        Raises what the embedder raises.
        """
        if not tools or not request.strip():
            return [0.0] * len(tools)
        found = await self.features(request, tools)
        return [float(each) for each in 1 / (1 + np.exp(-self._fitted.odds(found)))]

    async def features(self, request: str, tools: Sequence[ToolText]) -> Any:
        """See ``features.matrix``."""
        said = parts(request)
        # Each part is embedded: a request of thousands of sentences would keep the model busy for seconds.
        said = said[:_MOST_PARTS] if len(said) > 1 else []
        asked = (await self.embedder.embed([request, *said], "query")).vectors
        return features.matrix(request, said, asked, tools, await self.vectors(tools))

    async def vectors(self, tools: Sequence[ToolText]) -> Any:
        """What the tools say, as unit vectors (tools, 4, d); kept for the next request."""
        keys = [_key(tool) for tool in tools]
        missing = {key: tool for key, tool in zip(keys, tools, strict=True) if key not in self._vectors}
        if missing:
            texts = [
                text or tool.name
                for tool in missing.values()
                for text in (tool.said, tool.description, tool.name, tool.parameters)
            ]
            made = (await self.embedder.embed(texts, "passage")).vectors.reshape(len(missing), 4, -1)
            self._vectors.update(zip(missing, made, strict=True))
        for key in keys:
            self._vectors.move_to_end(key)
        found = np.stack([self._vectors[key] for key in keys])
        while len(self._vectors) > _KEPT_TOOLS:
            self._vectors.popitem(last=False)
        return found


def _key(tool: ToolText) -> str:
    said = "\0".join((tool.name, tool.description, tool.parameters))
    return hashlib.sha256(said.encode()).hexdigest()
