"""Whether an engine gives what the trained model gave: the last gate before a version answers.

A recipe may write ``parity.jsonl``: inputs with what the model gave in the process that trained it. A conversion that
ruins weights may keep the shape of texts, so the perplexity gate alone does not speak for a task.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mainspring.core.errors import ConversionRejected
from mainspring.engines.base import Embedder, Reranker
from mainspring.features.train.versions.keeping import PARITY

MOST = 64
_LEAST_COSINE = 0.99
Row = Mapping[str, Any]


def told(folder: Path) -> list[Row]:
    """The rows of the file; none: the recipe wrote none."""
    path = folder / PARITY
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as lines:
        found = [json.loads(line) for line, _ in zip(lines, range(MOST), strict=False) if line.strip()]
    return [each for each in found if isinstance(each, dict)]


async def of_reranker(reranker: Reranker, rows: Sequence[Row], most: float, label: str) -> dict[str, float]:
    """The mean distance of its scores (from 0 to 1) from the trained model's, whose logits the rows have. Raises
    ``ConversionRejected`` beyond ``most``."""
    gaps = []
    for row in rows:
        found = await reranker.rerank(str(row["query"]), [str(row["passage"])])
        gaps.append(abs(float(found.scores[0]) - 1 / (1 + math.exp(-float(row["score"])))))
    return _gate(label, "scores", float(np.mean(gaps)), most)


async def of_embedder(embedder: Embedder, rows: Sequence[Row], label: str) -> dict[str, float]:
    """One minus the mean cosine of its vectors and the trained model's. Raises ``ConversionRejected``."""
    found = (await embedder.embed([str(row["text"]) for row in rows], "passage")).vectors
    wanted = np.array([row["vector"] for row in rows], np.float32)
    if wanted.shape != found.shape:
        raise ConversionRejected(f"{label} gives vectors of another length than the trained model: refused")
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    return _gate(label, "vectors", 1.0 - float((wanted * found).sum(axis=1).mean()), 1 - _LEAST_COSINE)


def of_texts(losses: Sequence[float], rows: Sequence[Row], most: float, label: str) -> dict[str, float]:
    """The relative distance of the perplexity over the rows' texts from the trained model's; each counts by its tokens.
    Raises ``ConversionRejected``."""
    weights = [float(row.get("tokens", 1)) for row in rows]
    gaps = [loss - float(row["loss"]) for loss, row in zip(losses, rows, strict=True)]
    gap = math.fsum(map(operator.mul, weights, gaps)) / math.fsum(weights)
    return _gate(label, "perplexity", abs(math.exp(gap) - 1), most)


def _gate(label: str, what: str, gap: float, most: float) -> dict[str, float]:
    if not gap <= most:
        raise ConversionRejected(
            f"{label} is {gap:.4f} away from the trained model in its {what} after conversion, {most:g} are allowed",
            remedy="Serve another version, or raise train.difference if that much does not matter",
        )
    return {what: gap}
