"""A small model's chance to answer a prompt well: logistic regression over the prompt's embedding and a few counts.

It is fitted on prompts that one small model has answered and people have judged, and says nothing about other small
models. Weights are stored as JSON, with a description of their training data.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.core.errors import InvalidRequest, SettingsError

Floats = NDArray[np.float64]
FORMAT = "mainspring-router-1"
COUNTS = ("log_words", "log_lines", "digits", "operators", "code", "questions")
_CODE = re.compile(r"```|\bdef |\bclass \w+[:(]|\breturn\b|[{};]\s*$|=>|\b\w+\(\w*\)", re.M)
_OPERATORS = re.compile(r"[+*/=%$^<>]|\d\s*-\s*\d")
_STEPS = 50
_REMEDY = "Make one with `mainspring routes train`"
# A feature that varies less over all prompts distinguishes none; embeddings have such numbers, from rounding alone.
_CONSTANT = 1e-4


@dataclass(frozen=True, slots=True)
class JudgedPrompt:
    """A prompt's embedding, its text, and whether the small model's answer was good."""

    vector: Any
    text: str
    good: bool


def counts(text: str) -> Floats:
    """Float64 of shape (6,): what ``COUNTS`` names."""
    words = text.split()
    size = max(1, len(words))
    return np.array(
        [
            math.log1p(len(words)),
            math.log1p(text.count("\n")),
            sum(any(character.isdigit() for character in word) for word in words) / size,
            math.log1p(len(_OPERATORS.findall(text))),
            math.log1p(len(_CODE.findall(text))),
            math.log1p(text.count("?")),
        ]
    )


@dataclass(frozen=True)
class Classifier:
    """``weights``: float64 of shape (dimensions + 6,), for standardised inputs; ``mean`` and ``scale`` likewise."""

    embedder: str
    model: str
    weights: Floats
    bias: float
    mean: Floats
    scale: Floats
    card: Mapping[str, Any] = field(default_factory=dict)

    def chance(self, vector: Any, text: str) -> float:
        """The probability that the small model answers ``text`` well. ``vector``: float32 of shape (dimensions,)."""
        inputs = (np.concatenate([np.asarray(vector, np.float64), counts(text)]) - self.mean) / self.scale
        return float(_sigmoid(inputs @ self.weights + self.bias))

    @property
    def fingerprint(self) -> str:
        """Changes when a chance may."""
        parts = [self.weights.tobytes(), self.mean.tobytes(), self.scale.tobytes(), str(self.bias).encode()]
        return hashlib.sha256(b"".join(parts)).hexdigest()[:16]

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        content = {
            "format": FORMAT,
            "embedder": self.embedder,
            "model": self.model,
            "card": dict(self.card),
            "bias": round(self.bias, 6),
            **{name: [round(float(each), 6) for each in getattr(self, name)] for name in ("weights", "mean", "scale")},
        }
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Classifier:
        """Read what ``save`` wrote. Raises ``SettingsError``."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"the classifier {path} cannot be read: {error.strerror}", remedy=_REMEDY) from None
        except ValueError:
            raise SettingsError(f"{path} is not JSON", remedy=_REMEDY) from None
        return cls.of(content, str(path))

    @classmethod
    def of(cls, content: Any, path: str) -> Classifier:
        """Of the JSON values that ``save`` writes; ``path`` is named in errors. Raises ``SettingsError``."""
        remedy = _REMEDY
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise SettingsError(f"{path} is not a classifier of routes", remedy=remedy)
        try:
            weights, mean, scale = (np.asarray(content[name], np.float64) for name in ("weights", "mean", "scale"))
            names = content["embedder"], content["model"]
            found = cls(*names, weights, float(content["bias"]), mean, scale, content["card"])
        except (KeyError, TypeError, ValueError):
            raise SettingsError(f"{path} is damaged", remedy=remedy) from None
        if found.weights.ndim != 1 or len({weights.shape, mean.shape, scale.shape}) != 1:
            raise SettingsError(f"{path} is damaged: its arrays differ in length", remedy=remedy)
        if not np.isfinite([weights, mean, scale]).all() or scale.min() <= 0:
            raise SettingsError(f"{path} is damaged: its scale must consist of numbers above 0", remedy=remedy)
        return found


def fit(
    rows: Sequence[JudgedPrompt],
    *,
    embedder: str,
    model: str,
    ridge: float = 1.0,
    card: Mapping[str, Any] | None = None,
) -> Classifier:
    """Maximum a posteriori under a Gaussian prior on standardised weights, by Newton's method.

    ``ridge`` is the prior's precision for each weight. Raises ``InvalidRequest`` without both good and bad rows.
    """
    goods = np.array([row.good for row in rows], np.float64)
    if len(rows) == 0 or goods.min() == goods.max():
        raise InvalidRequest("rows are all good or all bad", remedy="Judge prompts of both kinds", param="good")
    inputs = np.array([np.concatenate([np.asarray(row.vector, np.float64), counts(row.text)]) for row in rows])
    mean, scale = inputs.mean(axis=0), inputs.std(axis=0)
    still = scale < _CONSTANT
    inputs[:, still], scale[still] = mean[still], 1.0
    design = np.hstack([(inputs - mean) / scale, np.ones((len(rows), 1))])
    penalty = np.full(design.shape[1], ridge)
    penalty[-1] = 1e-6
    weights = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        chances = _sigmoid(design @ weights)
        gradient = design.T @ (chances - goods) + penalty * weights
        curvature = (design * (chances * (1 - chances))[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return Classifier(embedder, model, weights[:-1], float(weights[-1]), mean, scale, card or {})


def _sigmoid(values: Any) -> Any:
    return 1 / (1 + np.exp(-np.clip(values, -500, 500)))
