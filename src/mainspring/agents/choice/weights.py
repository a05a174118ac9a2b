"""The fitted weights of tool choice, which belong to an embedding model.

``benchmarks/fit_tool_choice.py`` fits them on public requests (Seal-Tools and a sample of Glaive's function calling for
what tools say of themselves, CLINC150 for examples); their tools are others than those that are chosen from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

import numpy as np
import orjson

from mainspring.core.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Weights:
    """A logistic model: the log-odds are ``(features - mean) / scale @ weights + bias``."""

    mean: Any
    scale: Any
    weights: Any
    bias: float

    def odds(self, found: Any) -> Any:
        """Log-odds (n,) of features (n, k)."""
        return (found - self.mean) / self.scale @ self.weights + self.bias


def known() -> dict[str, Any]:
    """All weights as they are stored, by the name of the embedding model."""
    found: dict[str, Any] = orjson.loads(resources.files(__package__).joinpath("weights.json").read_bytes())
    return found


def weights(embedder: str, kind: Literal["descriptions", "examples"]) -> Weights:
    """The weights for an embedding model. Raises ``SettingsError`` if there are none."""
    stored = known()
    if embedder not in stored:
        names = " or ".join(sorted(stored))
        raise SettingsError(
            f"tools cannot be chosen by the embedding model {embedder}", remedy=f"Set models.embedding to {names}"
        )
    found = stored[embedder][kind]
    mean, scale, factors = (np.array(found[name]) for name in ("mean", "scale", "weights"))
    return Weights(mean, scale, factors, float(found["bias"]))
