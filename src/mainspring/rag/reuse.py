"""Vectors of chunks, embedded once: what the collection has a vector of already is not embedded again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mainspring.stores.rows as rows
from mainspring.engines.base import Embedder
from mainspring.stores.vectors import VectorStore


@dataclass(frozen=True, slots=True)
class Vectors:
    """A vector (float32, (dimensions,)) for each text, and how many texts were embedded, with their tokens."""

    rows: list[Any]
    embedded: int
    tokens: int


def digest(embedder: Embedder, text: str) -> str:
    """Names the vector that ``embedder`` makes of a passage."""
    return rows.digest(f"{embedder.name}\n{text}")


async def vectors(
    store: VectorStore, collection_id: str, embedder: Embedder, texts: Sequence[str], digests: Sequence[str]
) -> Vectors:
    """The vectors of ``texts``, whose ``digests`` are given: from the collection where it has them, else embedded."""
    known = await store.vectors(collection_id, set(digests))
    missing = {name: text for name, text in zip(digests, texts, strict=True) if name not in known}
    tokens = 0
    if missing:
        made = await embedder.embed(list(missing.values()))
        known.update(zip(missing, made.vectors, strict=True))
        tokens = made.tokens
    return Vectors([known[name] for name in digests], len(missing), tokens)
