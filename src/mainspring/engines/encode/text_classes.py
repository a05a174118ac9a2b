"""A classifier of texts, by a pulled encoder with a head of one logit a class."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from mainspring.engines.catalogue.pull import PulledModel
from mainspring.engines.encode.encoder import Floats, PairEncoder, Precision, Row
from mainspring.engines.encode.tokens import clean


class TextClasses(PairEncoder):
    """Sorts by the graph of ``pulled`` into ``classes``, in the order of its logits. Usable from any thread."""

    KIND, CALLED = "classifier", "classifier"

    def __init__(
        self, pulled: PulledModel, classes: Sequence[str], threads: int = 0, *, precision: Precision = "bf16"
    ) -> None:
        super().__init__(pulled, threads, precision=precision)
        self.classes = tuple(classes)

    async def logits(self, texts: Sequence[str]) -> Floats:
        """Float32 (texts, classes). Their log-sum-exp says how much a text looks like any of the classes.

        Raises ``ModelError`` when the graph cannot be loaded and ``EngineError`` after ``close``.
        """
        if not texts:
            return np.zeros((0, len(self.classes)), np.float32)
        rows = await asyncio.to_thread(self._rows, texts)
        return await self._runner.run(rows, len(self.classes))

    def _rows(self, texts: Sequence[str]) -> list[Row]:
        limit = self.limit
        rows = []
        for each in self._tokenizer.encode_batch([clean(text[: self.most]) for text in texts]):
            ids = each.ids if len(each.ids) <= limit else [*each.ids[: limit - 1], each.ids[-1]]
            rows.append(Row(ids, len(ids)))
        return rows
