"""Examples in a prompt: all of a set, or for each question the nearest ones."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np

from mainspring.core.types import Context
from mainspring.engines.base import Embedder
from mainspring.features.variants.values import ExamplesValue, Shot
from mainspring.serving.money.charged_models import ChargedModels

_QUESTION_CHARACTERS = 4_000


class Shots:
    """The examples of one candidate. Their questions are embedded once, at the first question that needs it."""

    def __init__(self, value: ExamplesValue, embedder: Embedder, charged: ChargedModels) -> None:
        self._value = value
        self._embedder = embedder
        self._charged = charged
        self._vectors: Any = None
        self._lock = asyncio.Lock()

    async def chosen(self, question: str, context: Context) -> Sequence[Shot]:
        """The examples for a question, the nearest one last: models lean towards what they read last. What is embedded
        is charged to ``context``. Raises the embedder's errors."""
        examples, nearest = self._value.examples, self._value.nearest
        if not nearest or not question.strip():
            return examples if not nearest else ()
        reader = self._charged.embedder(self._embedder, context)
        async with self._lock:
            if self._vectors is None:
                found = await reader.embed([each.question[:_QUESTION_CHARACTERS] for each in examples])
                self._vectors = np.asarray(found.vectors, np.float32)
        asked = (await reader.embed([question[-_QUESTION_CHARACTERS:]])).vectors[0]
        scores = self._vectors @ np.asarray(asked, np.float32)
        best = np.argsort(scores)[-nearest:]
        return [examples[int(at)] for at in best]
