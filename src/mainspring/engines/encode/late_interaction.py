"""Late interaction: a reranker made of the embedding model's own token vectors (ColBERT, Khattab and Zaharia 2020).

A passage's score is the mean, over the query's tokens, of the largest cosine to one of its tokens. Nothing is trained.
A token's vector combines the last layer, which knows the text's subject but makes its tokens similar for pooling, with
the layer before, which still distinguishes them. Vectors of passages are cached, so that frequently found passages are
read once.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from mainspring.core.errors import EngineError, ModelError
from mainspring.engines.base import Reranked
from mainspring.engines.catalogue.pull import PulledModel
from mainspring.engines.encode import bert
from mainspring.engines.encode.encoder import (
    MAX_CHARACTERS_A_TOKEN,
    EncoderRunner,
    Floats,
    Precision,
    Row,
    load_tokenizer,
)
from mainspring.engines.encode.tokens import clean

Halves = NDArray[np.float16]
# The number of layers, counted from the last, that describe a token's meaning.
_LAYERS = 2
# About 500 chunks of 128 tokens and two times 384 dimensions.
_KEPT_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text's tokens: unit ``vectors`` (tokens, layers x hidden), ``spans`` of characters (empty for added tokens),
    and ``known``: whether each is in the model's vocabulary."""

    vectors: Halves
    spans: Sequence[tuple[int, int]]
    known: Sequence[bool]


class LateInteraction:
    """Implements ``engines.base.Reranker`` with a pulled embedding model. Usable from any thread and event loop."""

    computes_here = True

    def __init__(self, pulled: PulledModel, threads: int = 0, *, precision: Precision = "bf16") -> None:
        if pulled.entry.kind != "embedding":
            raise ModelError(f"{pulled.entry.name} is a {pulled.entry.kind} model, not an embedding model")
        self._pulled = pulled
        self._tokenizer = load_tokenizer(pulled)
        prefix = pulled.entry.query_prefix.rstrip()
        self._prefixed = len(self._tokenizer.encode(prefix, add_special_tokens=False).ids) if prefix else 0
        self._runner = EncoderRunner(pulled, threads, precision, graph=self._graph)
        self._kept: LRUCache[tuple[int, ...], Halves] = LRUCache(_KEPT_BYTES, getsizeof=lambda each: each.nbytes)
        self._lock = threading.Lock()
        self._closed = False

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
        read = len(asked[0].ids) + sum(len(row.ids) for row in rows)
        # The tokens that open and close every text, and those of the prefix, say nothing about this one.
        tokens = (await self._vectors(asked))[0][1 + self._prefixed : -1].astype(np.float32)
        if not len(tokens):
            return Reranked(np.zeros(len(passages), np.float32), read, truncated)
        found = await self._vectors(rows)
        scores = await asyncio.to_thread(lambda: np.array([_similar(tokens, each) for each in found], np.float32))
        return Reranked(np.clip(scores, 0, 1), read, truncated)

    async def tokens(self, texts: Sequence[str]) -> list[Tokens]:
        """The token vectors of each text, read as a passage; cached ones are not read again.

        Raises ``ModelError`` when the graph cannot be loaded and ``EngineError`` after ``close``.
        """
        prefix = self._pulled.entry.passage_prefix
        rows, _ = await asyncio.to_thread(self._rows, texts, prefix)
        encoded = self._tokenizer.encode_batch([prefix + clean(text) for text in texts])
        unknown = {self._tokenizer.token_to_id(token) for token in ("[UNK]", "<unk>")}
        found = []
        for row, one, vectors in zip(rows, encoded, await self._vectors(rows), strict=True):
            spans = [(max(0, start - len(prefix)), max(0, end - len(prefix))) for start, end in one.offsets]
            kept = len(row.ids)
            found.append(Tokens(vectors, spans[:kept], [each not in unknown for each in row.ids]))
        return found

    async def close(self) -> None:
        """Stop the thread after the running batch; waiting batches fail with ``EngineError``."""
        self._closed = True
        await self._runner.close()

    async def _vectors(self, rows: Sequence[Row]) -> list[Halves]:
        """The unit vectors of each row's tokens, (tokens, layers x hidden).

        They depend on the text alone, so vectors computed for one caller may serve another.
        """
        if self._closed:
            raise EngineError(f"reranker {self.name} is closed")
        keys = [tuple(row.ids) for row in rows]
        with self._lock:
            known = {key: vectors for key in keys if (vectors := self._kept.get(key)) is not None}
        missing = [Row(key, len(key)) for key in dict.fromkeys(keys) if key not in known]

        def keep(found: Floats, batch: Sequence[Row]) -> Floats:
            for row, vectors in zip(batch, found, strict=True):
                known[tuple(row.ids)] = vectors[: len(row.ids)].astype(np.float16)
            return np.zeros((len(batch), 1), np.float32)

        if missing:
            await self._runner.run(missing, 1, keep)
            with self._lock:
                for row in missing:
                    key = tuple(row.ids)
                    # A single text larger than all that may be kept is read each time.
                    if known[key].nbytes <= _KEPT_BYTES:
                        self._kept[key] = known[key]
        return [known[key] for key in keys]

    def _rows(self, texts: Sequence[str], prefix: str) -> tuple[list[Row], int]:
        limit = self._pulled.entry.max_tokens
        characters = limit * MAX_CHARACTERS_A_TOKEN
        encoded = self._tokenizer.encode_batch([prefix + clean(text[:characters]) for text in texts])
        rows = []
        truncated = 0
        for text, one in zip(texts, encoded, strict=True):
            ids = one.ids if len(one.ids) <= limit else [*one.ids[: limit - 1], one.ids[-1]]
            truncated += len(one.ids) > limit or len(text) > characters
            rows.append(Row(ids, len(ids)))
        return rows, truncated

    def _graph(self) -> Any:
        return bert.build(bert.load(self._pulled.directory), "tokens", _LAYERS)


class CombinedReranker:
    """Several rerankers as one, each asked at once. Implements ``engines.base.Reranker``.

    Cosines of different models have different ranges, so each passage's position between the worst and the best passage
    is averaged; the result is scaled to the mean of the ranges.
    """

    computes_here = True

    def __init__(self, parts: Sequence[LateInteraction]) -> None:
        self._parts = tuple(parts)

    @property
    def name(self) -> str:
        return "late:" + "+".join(part.name.removeprefix("late:") for part in self._parts)

    @property
    def fingerprint(self) -> str:
        return "+".join(part.fingerprint for part in self._parts)

    @property
    def pulled_at(self) -> int:
        """Unix seconds, of the model that was pulled last."""
        return max(part.pulled_at for part in self._parts)

    async def start(self) -> None:
        """Build and load all graphs now. Raises ``ModelError`` when one cannot be used."""
        await asyncio.gather(*(part.start() for part in self._parts))

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        """Score each of ``passages`` in [0, 1]; tokens are those that all models read.

        Raises the errors of the parts.
        """
        found = await asyncio.gather(*(part.rerank(query, passages) for part in self._parts))
        scores = mean_of_ranges([each.scores for each in found])
        return Reranked(scores, sum(each.tokens for each in found), max(each.truncated for each in found))

    async def close(self) -> None:
        """Close all parts."""
        await asyncio.gather(*(part.close() for part in self._parts))


def mean_of_ranges(scores: Sequence[Floats]) -> Floats:
    """The mean of several models' ``scores`` (passages,), each scaled from its worst to its best, within the mean of
    their ranges: one passage gets the mean score, and no model outweighs another by the spread of its scores."""
    if not len(scores[0]):
        return np.zeros(0, np.float32)
    low = np.mean([each.min() for each in scores])
    spread = np.mean([np.ptp(each) for each in scores])
    placed = np.mean([(each - each.min()) / max(float(np.ptp(each)), 1e-9) for each in scores], axis=0)
    return np.asarray(low + spread * placed, np.float32)


def _similar(query: Floats, passage: Halves) -> float:
    """The mean of the best cosine in ``passage`` (tokens, hidden) over the tokens of ``query`` (tokens, hidden)."""
    return float((query @ passage.astype(np.float32).T).max(1).mean())
