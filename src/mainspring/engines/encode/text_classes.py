"""A classifier of texts, by a pulled encoder with a head of one logit a class."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from mainspring.core.errors import ModelError
from mainspring.engines.catalogue.pull import PulledModel
from mainspring.engines.encode.encoder import EncoderRunner, Floats, Precision, Row, load_tokenizer
from mainspring.engines.encode.tokens import clean

_MAX_CHARACTERS_A_TOKEN = 64


class TextClasses:
    """Sorts by the graph of ``pulled`` into ``classes``, in the order of its logits. Usable from any thread."""

    def __init__(
        self, pulled: PulledModel, classes: Sequence[str], threads: int = 0, *, precision: Precision = "bf16"
    ) -> None:
        if pulled.entry.kind != "classifier":
            raise ModelError(f"{pulled.entry.name} is a {pulled.entry.kind} model, not a classifier")
        self.classes = tuple(classes)
        self._pulled = pulled
        self._tokenizer = load_tokenizer(pulled)
        self._runner = EncoderRunner(pulled, threads, precision, paired=True)

    async def logits(self, texts: Sequence[str]) -> Floats:
        """Float32 (texts, classes). Their log-sum-exp says how much a text looks like any of the classes.

        Raises ``ModelError`` when the graph cannot be loaded and ``EngineError`` after ``close``.
        """
        if not texts:
            return np.zeros((0, len(self.classes)), np.float32)
        rows = await asyncio.to_thread(self._rows, texts)
        return await self._runner.run(rows, len(self.classes))

    async def close(self) -> None:
        """Stop the thread after the running batch; waiting batches fail with ``EngineError``."""
        await self._runner.close()

    def _rows(self, texts: Sequence[str]) -> list[Row]:
        limit = self._pulled.entry.max_tokens
        rows = []
        for each in self._tokenizer.encode_batch([clean(text[: limit * _MAX_CHARACTERS_A_TOKEN]) for text in texts]):
            ids = each.ids if len(each.ids) <= limit else [*each.ids[: limit - 1], each.ids[-1]]
            rows.append(Row(ids, len(ids)))
        return rows
