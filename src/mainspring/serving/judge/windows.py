"""Judges answers while they stream: embeds windows of many answers together, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mainspring.core.types import Context
from mainspring.engines.base import Embedder
from mainspring.guards.detect.embedding_detector import Heads
from mainspring.serving.money.charged_models import ChargedModels
from mainspring.serving.ring.background import Background
from mainspring.serving.ring.ports import Tracing

TOXICITY = "toxicity"
AT_ONCE = 64
"""Windows of one batch."""


@dataclass(frozen=True, slots=True)
class WindowReading:
    """The result for a window: its ``toxicity``, and its ``vector``, float32 of shape (dimensions,)."""

    toxicity: float
    vector: Any
    tokens: int


class WindowJudge:
    """Embeds windows with ``embedder`` and judges them by ``heads``. Texts that arrive while a batch is embedded form
    the next batch: many streams cause few calls."""

    def __init__(
        self, heads: Heads, embedder: Embedder, charged: ChargedModels, tracing: Tracing, background: Background
    ) -> None:
        self.heads = heads
        self._embedder = embedder
        self._charged = charged
        self._tracing = tracing
        self._background = background
        self._waiting: list[tuple[str, asyncio.Future[WindowReading]]] = []
        self._runs = False

    async def read(self, texts: Sequence[str]) -> list[WindowReading]:
        """Each of ``texts``. Raises the embedder's errors."""
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[WindowReading]] = [loop.create_future() for _ in texts]
        self._waiting += zip(texts, futures, strict=True)
        if not self._runs:
            self._runs = True
            self._background.start(self._run())
        return [await future for future in futures]

    async def question(self, texts: Sequence[str]) -> tuple[Any, int]:
        """The texts as rows of float32 (texts, dimensions), and the number of tokens read."""
        embedded = await self._embedder.embed(texts, "query")
        return np.asarray(embedded.vectors), embedded.tokens

    async def charge(self, context: Context, tokens: int, windows: int, found: Mapping[str, Any]) -> None:
        """Charge ``context`` for the reading of one answer, and leave a span with the number ``found``."""
        with self._tracing.span("judge", context, **{"mainspring.detectors": self.heads.version}) as span:
            span.set("mainspring.windows", windows)
            span.set("gen_ai.usage.input_tokens", tokens)
            for name, value in found.items():
                span.set(f"mainspring.{name}", value)
            await self._charged.spent(self._embedder, tokens, span.context)

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
                await self._embed(batch)
        finally:
            self._runs = False

    async def _embed(self, batch: Sequence[tuple[str, asyncio.Future[WindowReading]]]) -> None:
        wanted = [(text, future) for text, future in batch if not future.done()]
        if not wanted:
            return
        texts = list(dict.fromkeys(text for text, _ in wanted))
        try:
            embedded = await self._embedder.embed(texts, "passage")
        except Exception as error:
            for _, future in wanted:
                if not future.done():
                    future.set_exception(error)
            return
        vectors = np.asarray(embedded.vectors)
        scores = self.heads.heads[TOXICITY].probabilities(vectors)
        # Only the sum of a batch's tokens is known: each text is charged by its length.
        share = embedded.tokens / max(1, sum(map(len, texts)))
        read = {
            text: WindowReading(float(score), vector, max(1, round(share * len(text))))
            for text, score, vector in zip(texts, scores, vectors, strict=True)
        }
        for text, future in wanted:
            if not future.done():
                future.set_result(read[text])
