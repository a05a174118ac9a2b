"""Reuses the vectors of chunks: text with a vector in the collection is not embedded again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.engines.base import Embedder
from mainspring.stores.vectors.base import VectorStore

SLICE = 512
"""Texts that are embedded at once: batches of texts that are alike in length fill, and progress shows."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """A vector (float32, (dimensions,)) for each text, and how many texts were embedded, with their tokens."""

    rows: list[Any]
    embedded: int
    tokens: int


async def vectors(
    store: VectorStore,
    collection_id: str,
    embedder: Embedder,
    texts: Sequence[str],
    digests: Sequence[str],
    advance: Callable[[int, int], None] | None = None,
) -> Vectors:
    """The vectors of ``texts`` with the given ``digests``: from the collection if it has them, else embedded.
    ``advance`` is called with the number done and the total."""
    known = await store.vectors(collection_id, set(digests))
    missing = {name: text for name, text in zip(digests, texts, strict=True) if name not in known}
    tokens = 0
    names = list(missing)
    # In slices: who leaves leaves soon, and others come between.
    for start in range(0, len(names), SLICE):
        part = names[start : start + SLICE]
        if advance is not None:
            advance(len(texts) - len(names) + start, len(texts))
        made = await embedder.embed([missing[name] for name in part])
        known.update(zip(part, made.vectors, strict=True))
        tokens += made.tokens
    return Vectors([known[name] for name in digests], len(missing), tokens)
