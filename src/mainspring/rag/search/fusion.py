"""Fuses the scores of a search: cosine with BM25, and several queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from mainspring.core.settings import RagSettings
from mainspring.rag.text import terms
from mainspring.stores.vectors.base import SearchHit

Mode = Literal["hybrid", "dense", "sparse"]
_RRF_K = 60


def fuse(
    query: str,
    hits: Sequence[SearchHit],
    settings: RagSettings,
    mode: Mode = "hybrid",
    embedders: Sequence[str] = (),
) -> list[float]:
    """One score in [0, 1] for each candidate.

    ``dense`` mode: the cosine, negative ones as 0. ``sparse``: BM25 as a share of the best. ``hybrid`` with fusion
    ``convex``: ``dense_weight`` of the cosine, scaled from the worst to the best candidate, and the rest half of the
    BM25 score, scaled from 0 to the best, half of the share of the query's words that the chunk has, each weighted by
    its rarity among the candidates. ``rrf``: reciprocal ranks (k = 60, Cormack et al. 2009) of cosine and BM25,
    weighted alike.

    ``embedders`` names the model that each hit's cosine is by (empty: one for all). Cosines of several models are not
    comparable: then each model's hits have the reciprocal rank among themselves in place of the cosine.
    """
    if not hits:
        return []
    dense = [hit.dense if hit.dense is not None else 0.0 for hit in hits]
    lexical = [hit.lexical or 0.0 for hit in hits]
    best = max(lexical) or 1.0
    kinds = embedders or [""] * len(hits)
    several = len(set(kinds)) > 1
    if mode == "dense" and several:
        return _each(dense, kinds, _reciprocal)
    if mode == "dense":
        return [min(1.0, max(0.0, cosine)) for cosine in dense]
    if mode == "sparse":
        return [score / best for score in lexical]
    weight = settings.dense_weight
    if settings.fusion == "rrf":
        by_dense, by_lexical = _each(dense, kinds, ranks), ranks(lexical)
        top = 1 / (_RRF_K + 1)
        return [
            (weight / (_RRF_K + a) + ((1 - weight) / (_RRF_K + b) if score else 0.0)) / top
            for a, b, score in zip(by_dense, by_lexical, lexical, strict=True)
        ]
    scaled = _each(dense, kinds, _reciprocal) if several else _scaled(dense)
    asked = terms.content(query)
    contents = [terms.among(asked, f"{hit.heading} {hit.text}") for hit in hits]
    rare = terms.rarity(asked, contents)
    return [
        weight * cosine + (1 - weight) * (score / best + terms.overlap(rare, words)) / 2
        for cosine, score, words in zip(scaled, lexical, contents, strict=True)
    ]


def _each(
    scores: Sequence[float], kinds: Sequence[str], change: Callable[[Sequence[float]], Sequence[float]]
) -> list[float]:
    """``scores`` after ``change``, which gets the scores of one kind at a time."""
    found = [0.0] * len(scores)
    for kind in set(kinds):
        places = [place for place, other in enumerate(kinds) if other == kind]
        for place, changed in zip(places, change([scores[place] for place in places]), strict=True):
            found[place] = changed
    return found


def _reciprocal(scores: Sequence[float]) -> list[float]:
    return [(_RRF_K + 1) / (_RRF_K + rank) for rank in ranks(scores)]


def _scaled(scores: Sequence[float]) -> list[float]:
    low, spread = min(scores), (max(scores) - min(scores)) or 1.0
    return [(score - low) / spread for score in scores]


def combine(weights: Sequence[float], scores: Sequence[Mapping[str, float]], fusion: str) -> dict[str, float]:
    """The scores in [0, 1] of what several queries found, by key.

    ``convex``: the weighted mean of the queries' scores, 0 if one did not find it. ``rrf``: the weighted
    reciprocal ranks of their orders, so that no query outvotes another by the scale of its scores.
    """
    if len(scores) == 1:
        return dict(scores[0])
    total = sum(weights) or 1.0
    found: dict[str, float] = {}
    for weight, each in zip(weights, scores, strict=True):
        part = each
        if fusion == "rrf":
            order = sorted(each, key=lambda key: (-each[key], key))
            part = {key: (_RRF_K + 1) / (_RRF_K + rank) for rank, key in enumerate(order, 1)}
        for key, score in part.items():
            found[key] = found.get(key, 0.0) + weight * score / total
    return found


def ranks(scores: Sequence[float]) -> list[int]:
    """The rank of each score from 1, the highest first."""
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    found = [0] * len(scores)
    for rank, index in enumerate(order, 1):
        found[index] = rank
    return found
