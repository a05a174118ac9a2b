"""How the scores of one search become one: cosine and BM25 fused, several queries combined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from mainspring.rag import terms
from mainspring.settings import RagSettings
from mainspring.stores.vectors import SearchHit

Mode = Literal["hybrid", "dense", "sparse"]
_RRF_K = 60


def fuse(query: str, hits: Sequence[SearchHit], settings: RagSettings, mode: Mode = "hybrid") -> list[float]:
    """One score in [0, 1] for each candidate.

    ``dense`` mode: the cosine, negative ones as 0. ``sparse``: BM25 as a share of the best. ``hybrid`` with fusion
    ``convex``: ``dense_weight`` of the cosine, scaled from the worst to the best candidate, and the rest half of the
    BM25 score, scaled from 0 to the best, half of the share of the query's words that the chunk has, each weighted by
    its rarity among the candidates. ``rrf``: reciprocal ranks (k = 60, Cormack et al. 2009) of cosine and BM25,
    weighted alike.
    """
    if not hits:
        return []
    dense = [hit.dense if hit.dense is not None else 0.0 for hit in hits]
    lexical = [hit.lexical or 0.0 for hit in hits]
    best = max(lexical) or 1.0
    if mode == "dense":
        return [min(1.0, max(0.0, cosine)) for cosine in dense]
    if mode == "sparse":
        return [score / best for score in lexical]
    weight = settings.dense_weight
    if settings.fusion == "rrf":
        by_dense, by_lexical = ranks(dense), ranks(lexical)
        top = 1 / (_RRF_K + 1)
        return [
            (weight / (_RRF_K + a) + ((1 - weight) / (_RRF_K + b) if score else 0.0)) / top
            for a, b, score in zip(by_dense, by_lexical, lexical, strict=True)
        ]
    low, spread = min(dense), (max(dense) - min(dense)) or 1.0
    asked = terms.content(query)
    contents = [terms.content(f"{hit.heading} {hit.text}") & asked for hit in hits]
    rare = terms.rarity(asked, contents)
    return [
        weight * (cosine - low) / spread + (1 - weight) * (score / best + terms.overlap(rare, words)) / 2
        for cosine, score, words in zip(dense, lexical, contents, strict=True)
    ]


def combine(weights: Sequence[float], scores: Sequence[Mapping[str, float]], fusion: str) -> dict[str, float]:
    """The scores in [0, 1] of what several queries found, by key.

    ``convex``: the weighted mean of the queries' scores, 0 where one did not find it. ``rrf``: the weighted
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
