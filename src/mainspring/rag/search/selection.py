"""Options of a search, and which of the candidates that it found they select."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.rag.search import diversity
from mainspring.rag.search.fusion import Mode
from mainspring.stores.vectors.base import EFFORT

if TYPE_CHECKING:
    from mainspring.rag.search.hit import Hit

# The factor on the number of candidates at full effort; its inverse at no effort.
_DEEPEST = 4.0
_DAY_S = 86_400.0
GraphMode = Literal["off", "local", "global"]
_CHOICES: Mapping[str, Any] = {"mode": get_args(Mode), "fusion": ("convex", "rrf"), "graph": get_args(GraphMode)}
_GREATEST: Mapping[str, float] = {
    "effort": 1.0,
    "dense_weight": 1.0,
    "half_life_days": 1e6,
    "mmr_lambda": 1.0,
    "score_threshold": 1.0,
}


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How one search differs from the settings.

    ``mode``: by meaning, by words, or by both. ``effort`` in [0, 1]: the number of candidates, and the thoroughness of
    the search for them (1: exact). ``fusion`` and ``dense_weight``: None takes the settings'. ``half_life_days``: a
    document this much older counts half (None: the settings', 0: age does not count). ``mmr_lambda``: maximal marginal
    relevance with this weight on relevance and the rest on difference from chosen hits (None: off).
    ``score_threshold``: hits below are dropped. ``adaptive_k``: the list ends at the largest drop of the score.
    ``rerank``: the best are read again by the reranker, if there is one (questions are answered so; topics are found
    no better for it). ``graph``: ``local`` also finds chunks connected with the hits by a common entity, ``global`` the
    collection's themes.
    """

    mode: Mode = "hybrid"
    effort: float = EFFORT
    fusion: Literal["convex", "rrf"] | None = None
    dense_weight: float | None = None
    half_life_days: float | None = None
    mmr_lambda: float | None = None
    score_threshold: float = 0.0
    adaptive_k: bool = False
    rerank: bool = False
    graph: GraphMode = "off"

    @classmethod
    def parse(cls, values: Mapping[str, Any], param: str = "options") -> SearchOptions:
        """Options from a request. Raises ``InvalidRequest`` naming the one at fault, ``Unsupported`` for another."""
        known = {field.name for field in fields(cls)}
        given = {name: value for name, value in values.items() if value is not None}
        for name, value in given.items():
            place = f"{param}.{name}"
            if name not in known:
                remedy = f"It has {', '.join(sorted(known))}"
                raise Unsupported(f"searching has no option {name}", remedy=remedy, param=place)
            if name in _CHOICES and value not in _CHOICES[name]:
                raise InvalidRequest(f"{place} must be one of {', '.join(_CHOICES[name])}", param=place)
            if name in _GREATEST:
                given[name] = _number(value, _GREATEST[name], place)
            if name in ("adaptive_k", "rerank") and not isinstance(value, bool):
                raise InvalidRequest(f"{place} must be true or false", param=place)
        return cls(**given)

    def depth(self, k: int, candidates: int) -> int:
        """How many candidates each half of the search looks for, where ``candidates`` is the usual number."""
        return max(k, round(candidates * math.pow(_DEEPEST, 2 * (self.effort - EFFORT))))


def decay(age_s: float, half_life_days: float) -> float:
    """The rest of a score after ``age_s`` seconds: a half after each half-life, all of it with 0 days."""
    if half_life_days <= 0:
        return 1.0
    return float(0.5 ** (max(0.0, age_s) / (half_life_days * _DAY_S)))


def select(hits: Sequence[Hit], k: int, options: SearchOptions) -> list[Hit]:
    """The ``k`` hits to show of candidates that are ordered best first, fewer where the options say so."""
    kept = [hit for hit in hits if hit.score >= options.score_threshold]
    if options.adaptive_k:
        k = largest_drop([hit.score for hit in kept], k)
    if options.mmr_lambda is None:
        return kept[:k]
    likeness = diversity.similarities([f"{hit.heading} {hit.text}" for hit in kept])
    order = diversity.mmr([hit.score for hit in kept], likeness, options.mmr_lambda, k)
    return [kept[index] for index in order]


def largest_drop(scores: Sequence[float], k: int) -> int:
    """How many of the first ``k`` scores, sorted descending, precede the largest drop (Taguchi et al. 2025,
    Adaptive-k). At least one; all of them if scores fall evenly or none follow."""
    drops = [scores[index] - scores[index + 1] for index in range(min(k, len(scores) - 1))]
    if not drops or max(drops) <= 2 * sum(drops) / len(drops):
        return k
    return drops.index(max(drops)) + 1


def _number(value: object, most: float, param: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidRequest(f"{param} must be a number", param=param)
    if not 0 <= value <= most:
        raise InvalidRequest(f"{param} must be a number from 0 to {most:g}", param=param)
    return float(value)
