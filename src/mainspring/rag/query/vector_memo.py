"""An embedder that caches the vectors of short texts: questions, and the sentences of frequent hits."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from cachetools import LRUCache

from mainspring.engines.base import Embedded, Embedder

Kind = Literal["query", "passage"]
# Longer texts are chunks and documents, which come once. With 384 dimensions, this many take 20 MB including their
# texts.
_LONGEST = 600
_KEPT = 10_000


class CachingEmbedder:
    """Implements ``engines.base.Embedder`` over another. Usable from any thread and event loop.

    ``tokens`` and ``truncated`` count texts read now, and nothing for cached ones. A vector depends on its text alone,
    but charges must not reveal what others asked: each owner has a cache of its own.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._kept: LRUCache[tuple[str, Kind, str], Any] = LRUCache(_KEPT)
        self._lock = threading.Lock()
        self._owner = ""

    def of(self, owner: str, embedder: Embedder) -> CachingEmbedder:
        """The cache for ``owner``; missing vectors come from ``embedder``, which makes the same ones. One bound covers
        all owners."""
        bound = copy.copy(self)
        bound._owner, bound._embedder = owner, embedder
        return bound

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def dimensions(self) -> int:
        return self._embedder.dimensions

    @property
    def max_tokens(self) -> int:
        return self._embedder.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text without special tokens."""
        return self._embedder.count_tokens(texts)

    async def embed(self, texts: Sequence[str], kind: Kind = "passage") -> Embedded:
        """Embed the uncached ones of ``texts``; raises the embedder's errors."""
        with self._lock:
            mine = {text: self._kept.get((self._owner, kind, text)) for text in texts}
        known = {text: vector for text, vector in mine.items() if vector is not None}
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        read = truncated = 0
        if missing:
            made = await self._embedder.embed(missing, kind)
            read, truncated = made.tokens, made.truncated
            known.update(zip(missing, made.vectors, strict=True))
            with self._lock:
                for text in missing:
                    if len(text) <= _LONGEST:
                        self._kept[self._owner, kind, text] = np.array(known[text])
        vectors = np.array([known[text] for text in texts], np.float32).reshape(len(texts), self.dimensions)
        return Embedded(vectors, read, truncated)

    async def close(self) -> None:
        """Close the embedder, and forget."""
        with self._lock:
            self._kept.clear()
        await self._embedder.close()
