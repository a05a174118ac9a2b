"""Detectors: linear heads over embeddings. The data for fitting and evaluation is described in
docs/reference/detectors.md.

A long text is read in windows that overlap, a document in pieces of two sentences (an instruction is short, and lost in
a long window); it counts as its worst one. Weights are JSON files beside this module and name their embedding model:
vectors of another model do not fit.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mainspring.core.errors import SettingsError
from mainspring.engines.base import Embedder

Floats = NDArray[np.float64]
T = TypeVar("T")
FORMAT = "mainspring-detectors-1"
WINDOW = 600
"""Characters of a window: about 130 tokens of English."""
STRIDE = 450
MAX_WINDOWS = 64
"""Longer texts are read in this many windows, evenly spaced, including the first and the last."""
_SPACE = re.compile(r"\s+")
_END = re.compile(r"(?<=[.!?])\s+|(?<!\s)[^\S\n]*+\n[^\S\n]*+\n\s*+|\|")


@dataclass(frozen=True, slots=True)
class Head:
    """``weights``: float64 of shape (dimensions,). A text counts as a finding if its probability is at least
    ``threshold``."""

    name: str
    weights: Floats
    bias: float
    threshold: float

    def probabilities(self, vectors: Any) -> Floats:
        """Float64 of shape (texts,), for unit vectors of shape (texts, dimensions)."""
        return sigmoid(np.asarray(vectors, np.float64) @ self.weights + self.bias)


@dataclass(frozen=True)
class Heads:
    """The heads that belong to one embedding model. ``card`` describes their training data."""

    embedder: str
    heads: Mapping[str, Head]
    card: Mapping[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Changes when a score may."""
        made = hashlib.sha256(f"{FORMAT} {self.embedder} {WINDOW} {STRIDE} {MAX_WINDOWS}".encode())
        for head in self.heads.values():
            made.update(f"{head.name} {head.bias} {head.threshold}".encode() + head.weights.tobytes())
        return made.hexdigest()[:12]

    def score(self, vectors: Any, owners: Sequence[int], texts: int, names: Sequence[str]) -> list[dict[str, float]]:
        """The probability of each of ``names`` for each of ``texts``, whose windows ``vectors`` (windows, dimensions)
        belong to by ``owners``: the highest of its windows', 0 without any."""
        found: list[dict[str, float]] = [dict.fromkeys(names, 0.0) for _ in range(texts)]
        for name in names:
            for owner, chance in zip(owners, self.heads[name].probabilities(vectors), strict=True):
                found[owner][name] = max(found[owner][name], float(chance))
        return found

    def save(self, path: Path) -> None:
        """Write them as JSON, weights with four decimals."""
        heads = {
            head.name: {
                "threshold": round(head.threshold, 4),
                "bias": round(head.bias, 4),
                "weights": [round(float(each), 4) for each in head.weights],
            }
            for head in self.heads.values()
        }
        # One line for each head: a list of numbers needs no line for each number.
        lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(each)}" for name, each in heads.items())
        begin = json.dumps({"format": FORMAT, "embedder": self.embedder, "card": dict(self.card)})[:-1]
        path.write_text(f'{begin},\n "heads": {{\n{lines}\n}}}}\n', encoding="utf-8")

    @classmethod
    def parse(cls, text: str, source: str) -> Heads:
        """Read what ``save`` wrote. Raises ``SettingsError`` naming ``source``."""
        try:
            content = json.loads(text)
            if content["format"] != FORMAT:
                raise ValueError(content["format"])
            heads = {
                name: Head(name, np.asarray(each["weights"], np.float64), float(each["bias"]), float(each["threshold"]))
                for name, each in content["heads"].items()
            }
            found = cls(str(content["embedder"]), heads, content["card"])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise SettingsError(f"{source} holds no detectors", remedy="Write them with Heads.save") from None
        if len({head.weights.shape for head in found.heads.values()}) != 1:
            raise SettingsError(f"{source} is damaged: its weights differ in length", remedy="Write them anew")
        return found


@cache
def packaged() -> Heads:
    """The detectors that come with the package."""
    name = "detectors.json"
    return Heads.parse((files(__package__) / name).read_text(encoding="utf-8"), name)


def windows(text: str) -> list[str]:
    """``text`` in overlapping windows of at most ``WINDOW`` characters, blanks run together; none of a blank text."""
    text = _SPACE.sub(" ", text).strip()
    if len(text) <= WINDOW:
        return [text] if text else []
    starts = [*range(0, len(text) - WINDOW, STRIDE), len(text) - WINDOW]
    return [text[start : start + WINDOW] for start in _spread(starts)]


def pieces(text: str) -> list[str]:
    """``text`` in overlapping pieces of two sentences, each cut at ``WINDOW`` characters."""
    sentences = [part.strip()[:WINDOW] for part in _END.split(text) if len(part.strip()) > 2]
    if not sentences:
        return []
    pairs = [" ".join(sentences[index : index + 2])[:WINDOW] for index in range(max(1, len(sentences) - 1))]
    return _spread(pairs)


def _spread(items: list[T]) -> list[T]:
    """At most ``MAX_WINDOWS`` of the items, evenly spaced."""
    if len(items) <= MAX_WINDOWS:
        return items
    return [items[round(index * (len(items) - 1) / (MAX_WINDOWS - 1))] for index in range(MAX_WINDOWS)]


@dataclass(frozen=True, slots=True)
class HeadScores:
    """Probabilities by head, one mapping a text; ``tokens`` were embedded in ``windows``."""

    scores: list[dict[str, float]]
    tokens: int = 0
    windows: int = 0


async def score(
    texts: Sequence[str],
    heads: Heads,
    names: Sequence[str],
    embedder: Embedder,
    cut: Callable[[str], list[str]] = windows,
) -> HeadScores:
    """The scores of ``names`` of ``heads`` for ``texts``; the time is bounded, and linear in their length below
    that."""
    parts = [cut(text) for text in texts]
    owners = [owner for owner, part in enumerate(parts) for _ in part]
    flat = [window for part in parts for window in part]
    if not flat:
        return HeadScores([dict.fromkeys(names, 0.0) for _ in texts])
    embedded = await embedder.embed(flat, "passage")
    return HeadScores(heads.score(embedded.vectors, owners, len(texts), names), embedded.tokens, len(flat))


def sigmoid(values: Any) -> Floats:
    """The logistic function, element by element."""
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -500, 500))), np.float64)
