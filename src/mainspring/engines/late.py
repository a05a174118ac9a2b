"""Late interaction: a reranker made of the embedding model's own token vectors (ColBERT, Khattab and Zaharia 2020).

A passage's score is the mean, over the query's tokens, of the largest cosine to one of its tokens. Nothing is trained:
the model's last layer makes its tokens alike for the pooled vector, so they are taken one layer before it.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from mainspring.engines import bert
from mainspring.engines.base import Reranked
from mainspring.engines.encoder import EncoderRunner, Floats, Precision, Row, clean, load_tokenizer
from mainspring.engines.pull import PulledModel
from mainspring.errors import ModelError

# Layers that are left out at the end.
_DROPPED = 1
_MAX_CHARACTERS_A_TOKEN = 64


class LateInteraction:
    """Implements ``engines.base.Reranker`` with a pulled embedding model. Usable from any thread and event loop."""

    def __init__(self, pulled: PulledModel, threads: int = 0, *, precision: Precision = "bf16") -> None:
        if pulled.entry.kind != "embedding":
            raise ModelError(f"{pulled.entry.name} is a {pulled.entry.kind} model, not an embedding model")
        self._pulled = pulled
        self._tokenizer = load_tokenizer(pulled)
        self._runner = EncoderRunner(pulled, threads, precision, graph=self._graph)

    @property
    def name(self) -> str:
        return f"late:{self._pulled.entry.name}"

    @property
    def fingerprint(self) -> str:
        return f"late:{self._pulled.fingerprint}"

    @property
    def pulled_at(self) -> int:
        """Unix seconds."""
        return self._pulled.pulled_at

    async def start(self) -> None:
        """Build and load the graph now. Raises ``ModelError`` when it cannot be used."""
        await self.rerank("ready", ["ready"])

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        """Score each of ``passages``: mean cosines, negative ones as 0.

        Raises ``ModelError`` when the graph cannot be loaded and ``EngineError`` after ``close``.
        """
        if not passages:
            return Reranked(np.zeros(0, np.float32), 0)
        entry = self._pulled.entry
        asked, _ = await asyncio.to_thread(self._rows, [query], entry.query_prefix)
        rows, truncated = await asyncio.to_thread(self._rows, passages, entry.passage_prefix)
        length = len(asked[0].ids)
        vectors = await self._runner.run(
            asked, length * entry.dimensions, lambda found, _: found[:, :length].reshape(1, -1)
        )
        # The tokens that open and close every text say nothing about this one.
        tokens = vectors.reshape(length, entry.dimensions)[1:-1]
        read = length + sum(len(row.ids) for row in rows)
        if not len(tokens):
            return Reranked(np.zeros(len(passages), np.float32), read, truncated)
        scores = await self._runner.run(rows, 1, lambda found, batch: _similar(tokens, found, batch))
        return Reranked(np.clip(scores[:, 0], 0, 1), read, truncated)

    async def close(self) -> None:
        """Stop the thread after the batch that is running; what waits fails with ``EngineError``."""
        await self._runner.close()

    def _rows(self, texts: Sequence[str], prefix: str) -> tuple[list[Row], int]:
        limit = self._pulled.entry.max_tokens
        characters = limit * _MAX_CHARACTERS_A_TOKEN
        encoded = self._tokenizer.encode_batch([prefix + clean(text[:characters]) for text in texts])
        rows = []
        truncated = 0
        for text, one in zip(texts, encoded, strict=True):
            ids = one.ids if len(one.ids) <= limit else [*one.ids[: limit - 1], one.ids[-1]]
            truncated += len(one.ids) > limit or len(text) > characters
            rows.append(Row(ids, len(ids)))
        return rows, truncated

    def _graph(self) -> Any:
        encoder = bert.load(self._pulled.directory)
        return bert.build(dataclasses.replace(encoder, layers=max(1, encoder.layers - _DROPPED)), "tokens")


def _similar(query: Floats, found: Floats, batch: Sequence[Row]) -> Floats:
    """(passages, 1): the mean over ``query`` (tokens, hidden) of each one's best cosine in ``found``."""
    cosines = np.einsum("qd,ptd->pqt", query, found, optimize=True)
    for number, row in enumerate(batch):
        cosines[number, :, len(row.ids) :] = -1
    return np.asarray(cosines.max(-1).mean(-1, keepdims=True), np.float32)
