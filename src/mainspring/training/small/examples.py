"""The recipe ``examples``: approved answers that are shown to a model before a question.

Of all answers those are taken that are furthest from each other by their questions (k-center, Gonzalez 1985), so that
few cover much; each question then gets the nearest ones (Liu et al. 2022, https://arxiv.org/abs/2101.06804).
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from mainspring.core.errors import NothingLearned
from mainspring.core.settings import load
from mainspring.engines import builtin
from mainspring.engines.base import Embedder
from mainspring.statistics.significance import interval
from mainspring.training.recipe import Made, Side, Work
from mainspring.training.small.options import ExamplesOptions

_AT_ONCE = 256
Shown = dict[str, str]


def run(work: Work) -> Made:
    """Raises ``NothingLearned`` if there are no rows."""
    return asyncio.run(_run(work))


async def _run(work: Work) -> Made:
    options = cast(ExamplesOptions, work.options)
    found = _read(work, "train", options)
    if not found:
        raise NothingLearned("there is no answer to show")
    embedder = await builtin.embedder(load().settings)
    try:
        vectors = await _embedded([each["question"] for each in found], embedder)
        chosen = spread(vectors, options.most)
        test = _read(work, "test", options)
        asked = await _embedded([each["question"] for each in test], embedder) if test else None
    finally:
        await embedder.close()
    shots = [found[at] for at in chosen]
    nearest = options.nearest or (3 if len(shots) > 32 else 0)
    value = {"examples": shots, "nearest": min(nearest, len(shots))}
    if asked is None:
        return Made("examples", value=value, notes=("no rows of the side test",))
    close = np.argmax(asked @ vectors[chosen].T, axis=1)
    drawn = random.Random(work.seed)
    likeness = [alike(shots[int(at)]["answer"], each["answer"]) for at, each in zip(close, test, strict=True)]
    chance = [alike(drawn.choice(shots)["answer"], each["answer"]) for each in test]
    bounds = interval(likeness)
    gain = interval([a - b for a, b in zip(likeness, chance, strict=True)])
    return Made(
        "examples",
        figures={"likeness": float(np.mean(likeness))},
        intervals={"likeness": (bounds.low, bounds.high)},
        counted={"likeness": len(likeness)},
        before={"likeness": float(np.mean(chance))},
        value=value,
        notes=(
            f"the nearest example's answer shares words (F1) with the right one: {gain.text()} more than one drawn by "
            f"chance, {gain.n} questions; whether a model answers better by them, a comparison tells",
        ),
    )


def spread(vectors: Any, most: int) -> list[int]:
    """The places of at most ``most`` of ``vectors`` [rows, dimensions], each the furthest from those before it; the
    first is the most central one. Equal ones are taken once."""
    chosen = [int(np.argmax(vectors @ vectors.mean(0)))]
    distance = 1 - vectors @ vectors[chosen[0]]
    while len(chosen) < min(most, len(vectors)):
        best = int(np.argmax(distance))
        if distance[best] < 1e-4:
            break
        chosen.append(best)
        distance = np.minimum(distance, 1 - vectors @ vectors[best])
    return chosen


def alike(one: str, other: str) -> float:
    """F1 of the words that two texts share."""
    ours, theirs = Counter(one.casefold().split()), Counter(other.casefold().split())
    shared = sum((ours & theirs).values())
    return 2 * shared / (sum(ours.values()) + sum(theirs.values())) if shared else 0.0


def _read(work: Work, side: Side, options: ExamplesOptions) -> list[Shown]:
    """Questions with answers, each question once; ``source`` is the answer that a row was made of."""
    found: dict[str, Shown] = {}
    sources = _sources(work.output.parent / "data" / f"{side}.lineage.jsonl")
    for number, row in enumerate(work.rows(side)):
        if number >= options.max_rows:
            break
        question, answer = _pair(row)
        if not question or not answer or max(len(question), len(answer)) > options.longest:
            continue
        shown = {"question": question, "answer": answer}
        if number < len(sources) and sources[number]:
            shown["source"] = sources[number]
        found.setdefault(" ".join(question.casefold().split()), shown)
    return list(found.values())


def _pair(row: Mapping[str, Any]) -> tuple[str, str]:
    """A single question and its answer: what was said before it would be missing."""
    if isinstance(row.get("messages"), list):
        said = [each for each in row["messages"] if isinstance(each, Mapping) and each.get("role") != "system"]
        if [each.get("role") for each in said] != ["user", "assistant"]:
            return "", ""
        return str(said[0].get("content") or "").strip(), str(said[1].get("content") or "").strip()
    return str(row.get("question") or "").strip(), str(row.get("answer") or "").strip()


def _sources(path: Path) -> Sequence[str]:
    """The first answer that each row was made of."""
    if not path.exists():
        return ()
    with path.open(encoding="utf-8") as lines:
        return [next(iter(json.loads(line).get("answers", ())), "") for line in lines]


async def _embedded(texts: Sequence[str], embedder: Embedder) -> Any:
    found = [
        np.asarray((await embedder.embed(texts[start : start + _AT_ONCE])).vectors, np.float32)
        for start in range(0, len(texts), _AT_ONCE)
    ]
    return np.concatenate(found)
