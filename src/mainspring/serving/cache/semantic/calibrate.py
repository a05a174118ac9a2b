"""Derives the threshold of the semantic cache from pairs of questions labelled as the same or not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mainspring.core.errors import InvalidRequest
from mainspring.serving.cache.semantic.likeness import compare, same
from mainspring.serving.cache.semantic.reading import read
from mainspring.stores.cache.similar_questions import Floats

if TYPE_CHECKING:
    from mainspring.engines.base import Embedder
    from mainspring.engines.encode.late_interaction import LateInteraction

THRESHOLDS = (0.8, 0.85, 0.88, 0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99)
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Pair:
    """Two questions, and whether one answer serves both."""

    one: str
    other: str
    same: bool


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """A pair with its cosine, and whether the rules and the model's words let it pass (``reason`` if not)."""

    pair: Pair
    cosine: float
    passes: bool
    reason: str = ""

    def hit(self, threshold: float) -> bool:
        return self.passes and self.cosine >= threshold


@dataclass(frozen=True, slots=True)
class Point:
    """At ``threshold``: ``hits`` of ``alike`` pairs that mean the same, ``false_hits`` of ``different`` ones."""

    threshold: float
    hits: int
    alike: int
    false_hits: int
    different: int


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of a JSON lines file: ``{"one": ..., "other": ..., "same": true}``. Raises ``InvalidRequest`` naming
    the line."""
    pairs = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{path} cannot be read: {error}") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            one, other, alike = row["one"], row["other"], row["same"]
        except (ValueError, TypeError, KeyError):
            one = other = alike = None
        if not (isinstance(one, str) and isinstance(other, str) and isinstance(alike, bool) and one and other):
            raise InvalidRequest(
                f"{path}, line {number}, is not a labelled pair",
                remedy='Write {"one": "a question", "other": "another", "same": true} on each line',
            )
        pairs.append(Pair(one, other, alike))
    return pairs


async def judge(pairs: Sequence[Pair], embedder: Embedder, words: LateInteraction) -> list[JudgedPair]:
    """Each pair from the cache's view; pairs that the rules separate are not embedded and have a cosine of 0.

    Raises the errors of the models.
    """
    reasons = [_reason(pair) for pair in pairs]
    open_pairs = [pair for pair, reason in zip(pairs, reasons, strict=True) if not reason]
    vectors = await embedded([text for pair in open_pairs for text in (pair.one, pair.other)], embedder)
    judged = []
    for pair, reason in zip(pairs, reasons, strict=True):
        if reason:
            judged.append(JudgedPair(pair, 0.0, False, reason))
            continue
        verdict = await same(pair.one, pair.other, words)
        judged.append(JudgedPair(pair, float(vectors[pair.one] @ vectors[pair.other]), verdict.same, verdict.reason))
    return judged


async def embedded(texts: Sequence[str], embedder: Embedder) -> dict[str, Floats]:
    """The unit vector of each of ``texts``."""
    once = list(dict.fromkeys(texts))
    vectors: dict[str, Floats] = {}
    for start in range(0, len(once), _AT_ONCE):
        part = once[start : start + _AT_ONCE]
        vectors |= dict(zip(part, (await embedder.embed(part, "query")).vectors, strict=True))
    return vectors


def _reason(pair: Pair) -> str:
    found = compare(read(pair.one), read(pair.other))
    return found if isinstance(found, str) else ""


def curve(judged: Sequence[JudgedPair], thresholds: Sequence[float] = THRESHOLDS) -> list[Point]:
    """Hits and false hits at each threshold."""
    alike = [each for each in judged if each.pair.same]
    different = [each for each in judged if not each.pair.same]
    return [
        Point(
            threshold,
            sum(each.hit(threshold) for each in alike),
            len(alike),
            sum(each.hit(threshold) for each in different),
            len(different),
        )
        for threshold in thresholds
    ]


def least_threshold(judged: Sequence[JudgedPair], at_most: float) -> float | None:
    """The lowest threshold, to three places, at which at most the share ``at_most`` of the different pairs counts as
    equal; None if even 1 accepts more."""
    different = [each for each in judged if not each.pair.same]
    allowed = int(at_most * len(different) + 1e-9)
    passing = sorted((each.cosine for each in different if each.passes), reverse=True)
    if len(passing) <= allowed:
        return THRESHOLDS[0]
    above = float(np.floor(passing[allowed] * 1000) / 1000 + 0.001)
    return max(THRESHOLDS[0], round(above, 3)) if above <= 1 else None
