"""A support check: how likely a text supports a statement, by a pulled encoder of natural-language inference."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from mainspring.engines.encode.encoder import Floats, PairEncoder, Row
from mainspring.engines.encode.tokens import joined, second_of

LABELS = ("entailment", "neutral", "contradiction")
SHARE = 0.8
"""Of the length, what the text may take: the statement must be whole."""


class SupportCheck(PairEncoder):
    """Checks by the graph of ``pulled``. Usable from any thread and event loop."""

    KIND, CALLED = "nli", "support check"

    async def start(self) -> None:
        """Load the graph now. Raises ``ModelError`` when it cannot be used."""
        await self.chances([("ready", "ready")])

    async def chances(self, pairs: Sequence[tuple[str, str]]) -> Floats:
        """The probabilities of ``LABELS`` for each (text, statement), float32 (pairs, 3). A text that does not fit is
        cut at its end.

        Raises ``ModelError`` when the graph cannot be loaded and ``EngineError`` after ``close``.
        """
        if not pairs:
            return np.zeros((0, len(LABELS)), np.float32)
        rows = await asyncio.to_thread(self._rows, pairs)
        logits = await self._runner.run(rows, len(LABELS))
        odds = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(odds / odds.sum(1, keepdims=True), np.float32)

    def _rows(self, pairs: Sequence[tuple[str, str]]) -> list[Row]:
        limit = self.limit
        most = self.most
        texts, statements = ([text[:most] for text in side] for side in zip(*pairs, strict=True))
        found = joined(self._tokenizer, texts, statements, limit, SHARE)
        return [Row(each.ids, second_of(each)) for each in found]
