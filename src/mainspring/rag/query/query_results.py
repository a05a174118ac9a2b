"""The texts to embed for the queries of a plan, and the combination of their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mainspring.core.settings import RagSettings
from mainspring.engines.base import Embedder
from mainspring.rag.query.plan import Query
from mainspring.rag.search.fusion import Mode, fuse
from mainspring.rag.search.scope import Scope
from mainspring.stores.vectors.base import SearchHit


async def embedded(reader: Embedder, texts: list[str], kind: Any) -> dict[str, Any]:
    """The vector of each text."""
    return dict(zip(texts, (await reader.embed(texts, kind)).vectors, strict=True)) if texts else {}


def key(pair: tuple[Scope, SearchHit]) -> str:
    """The name of a chunk among those of several collections."""
    # A chunk's id is unique within its collection only.
    return f"{pair[0].collection.id}/{pair[1].chunk_id}"


def fused(query: str, pairs: Sequence[tuple[Scope, SearchHit]], settings: RagSettings, mode: Mode) -> list[float]:
    """The scores of one query's results."""
    kinds = [scope.collection.embedder for scope, _ in pairs]
    return fuse(query, [hit for _, hit in pairs], settings, mode, kinds)


def best_of(rounds: Sequence[Sequence[tuple[Scope, SearchHit]]]) -> list[tuple[Scope, SearchHit]]:
    """Each chunk once, with the best scores that a query gave it."""
    found: dict[str, tuple[Scope, SearchHit]] = {}
    for pair in (pair for each in rounds for pair in each):
        name = key(pair)
        if name in found:
            scope, known = found[name]
            dense = max((each.dense for each in (known, pair[1]) if each.dense is not None), default=None)
            lexical = max((each.lexical for each in (known, pair[1]) if each.lexical is not None), default=None)
            found[name] = (scope, replace(known, dense=dense, lexical=lexical))
        else:
            found[name] = pair
    return list(found.values())


def mean(query: Query, asked: Mapping[str, Any], passages: Mapping[str, Any]) -> Any:
    """The vector that a query is searched by."""
    if query.vector is not None:
        return query.vector
    own = asked[query.dense or query.text]
    if not query.passages:
        return own
    middle = np.mean([own, *(passages[text] for text in query.passages)], axis=0)
    return (middle / (np.linalg.norm(middle) or 1.0)).astype(np.float32)
