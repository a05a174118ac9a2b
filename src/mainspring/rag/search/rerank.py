"""The second look: the best candidates of a search are read again by a reranker."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mainspring.core.errors import EngineError
from mainspring.core.settings import RagSettings
from mainspring.engines.base import Reranker

if TYPE_CHECKING:
    from mainspring.rag.search.hit import Hit

log = logging.getLogger("mainspring.rag")


async def rerank(reranker: Reranker, query: str, hits: Sequence[Hit], settings: RagSettings) -> list[Hit]:
    """``hits`` (best first) with the first ``rag.rerank_candidates`` of them in a new order.

    Their score becomes the weighted mean of the fused score and the reranker's, the latter scaled from the worst to the
    best that was read; the others keep their order, behind. ``rerank_score`` is the reranker's. If it fails, the order
    stays.
    """
    count = min(len(hits), settings.rerank_candidates)
    weight = settings.rerank_weight
    if count < 2 or not weight:
        return list(hits)
    texts = [f"{hit.heading}\n{hit.text}" if hit.heading else hit.text for hit in hits[:count]]
    try:
        found = await reranker.rerank(query, texts)
    except EngineError as error:
        # Hits matter more than their best order: an endpoint that is down must not fail every search.
        log.warning("%s did not rerank: %s", reranker.name, error.message)
        return list(hits)
    scaled = _scaled(found.scores)
    read = [
        replace(hit, score=(hit.score + weight * float(part)) / (1 + weight), rerank_score=float(said))
        for hit, part, said in zip(hits, scaled, found.scores, strict=False)
    ]
    rest = [replace(hit, score=hit.score / (1 + weight)) for hit in hits[count:]]
    return sorted(read, key=lambda hit: (-hit.score, hit.chunk_id)) + rest


def _scaled(scores: Any) -> Any:
    low, spread = scores.min(), np.ptp(scores)
    return (scores - low) / spread if spread else np.zeros_like(scores)
