"""Whether an engine gives what the trained model gave: the last gate before a version answers.

A recipe may write ``parity.jsonl``: inputs with what the model gave in the process that trained it. A conversion that
ruins weights may keep the shape of texts, so the perplexity gate alone does not speak for a task. ``scores.json`` has
questions of the task with the scores of the trained model's answers.
"""

from __future__ import annotations

import asyncio
import json
import math
import operator
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mainspring.core.errors import ConversionRejected
from mainspring.core.path import together
from mainspring.core.types import Message
from mainspring.engines.base import Embedder, Reranker
from mainspring.evaluation.examples import Example
from mainspring.features.train.versions.keeping import PARITY, SCORES
from mainspring.training.chat.options import WantedScore
from mainspring.training.chat.scoring import Scoring
from mainspring.training.folder import read_json

MOST = 64
_FEWEST = 4
"""Answers below which their scores say nothing."""
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


def scored(folder: Path) -> dict[str, Any]:
    """The questions of the task with their scores; empty: the recipe scored no answers."""
    return read_json(folder / SCORES) or {}


async def of_scores(
    ask: Callable[[Sequence[Message], int], Coroutine[Any, Any, str]], told: Mapping[str, Any], most: float, label: str
) -> dict[str, float]:
    """The mean change of each score from the trained model's answers to those that ``ask`` gets from the engine. Raises
    ``ConversionRejected`` if one fell by more than ``most`` beyond doubt: the whole interval of 95 % lies below."""
    rows = list(told["rows"])[:MOST]
    examples = [_example(row) for row in rows]
    answers = await together(*(ask(each.messages, int(told["tokens"])) for each in examples))
    scoring = Scoring([WantedScore.model_validate(each) for each in told["scorers"]])
    found = await asyncio.to_thread(scoring.each, examples, answers)
    changes: dict[str, float] = {}
    for name, values in found.items():
        pairs = [(row["scores"].get(name), value) for row, value in zip(rows, values, strict=True)]
        moved = np.array([new - old for old, new in pairs if old is not None and new is not None], np.float64)
        if len(moved) < _FEWEST:
            continue
        changes[name] = float(moved.mean())
        high = changes[name] + 1.96 * float(moved.std(ddof=1)) / math.sqrt(len(moved))
        if high < -most:
            raise ConversionRejected(
                f"{label} lost {-changes[name]:.3f} of its score {name} in {len(moved)} answers after conversion",
                remedy="Serve another version, or raise train.difference if that much does not matter",
            )
    return changes


def _example(row: Row) -> Example:
    messages = tuple(Message(each["role"], each["content"]) for each in row["messages"])
    refused = row.get("refused")
    references, passages = tuple(row.get("references", ())), tuple(row.get("passages", ()))
    return Example(str(row.get("id", "")), messages, references, passages, refused, extra=dict(row.get("extra") or {}))


def _gate(label: str, what: str, gap: float, most: float) -> dict[str, float]:
    if not gap <= most:
        raise ConversionRejected(
            f"{label} is {gap:.4f} away from the trained model in its {what} after conversion, {most:g} are allowed",
            remedy="Serve another version, or raise train.difference if that much does not matter",
        )
    return {what: gap}
