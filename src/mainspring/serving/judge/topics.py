"""Judges the topic of a text by the embeddings of examples; a policy's topics are embedded once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from cachetools import LRUCache

from mainspring.core.settings.guards.limits import Topic, TopicLimits
from mainspring.core.types import Context
from mainspring.engines.base import Embedder
from mainspring.guards.detect.question_limits import Examples, ExceededLimit, Floats, topic
from mainspring.serving.money.charged_models import ChargedModels
from mainspring.serving.ring.ports import Tracing

_POLICIES = 256
# The part of a long text that shows its subject.
_READ = 2000


class Topics:
    """Judges texts by topic; embedding a text is charged to its sender, embedding the examples is not charged."""

    def __init__(self, embedder: Embedder, charged: ChargedModels, tracing: Tracing) -> None:
        self._embedder = embedder
        self._charged = charged
        self._tracing = tracing
        self._examples: LRUCache[str, Examples] = LRUCache(_POLICIES)

    async def __call__(self, said: Sequence[str], limits: TopicLimits, context: Context) -> list[ExceededLimit]:
        """The limits that the last of ``said``, consecutive user messages, exceeds. Raises the embedder's errors."""
        last = said[-1].strip()
        if not last:
            return []
        examples = await self._known(limits)
        # A question may continue the one before it ("and for children?"), whose words say what both are about.
        texts = [last[:_READ], *([f"{said[-2][-_READ:]}\n{last[:_READ]}"] if len(said) > 1 else [])]
        with self._tracing.span("topics", context) as span:
            reader = self._charged.embedder(self._embedder, span.context)
            embedded = await reader.embed(texts, "query")
            span.set("gen_ai.usage.input_tokens", embedded.tokens)
        return topic(last, list(embedded.vectors), examples, limits)

    async def _known(self, limits: TopicLimits) -> Examples:
        key = limits.model_dump_json(include={"allowed", "forbidden"})
        found = self._examples.get(key)
        if found is None:
            found = Examples(await self._embed(limits.allowed), await self._embed(limits.forbidden))
            self._examples[key] = found
        return found

    async def _embed(self, topics: Mapping[str, Topic]) -> dict[str, Floats]:
        vectors: dict[str, Any] = {}
        for name, each in topics.items():
            vectors[name] = np.asarray((await self._embedder.embed(each.texts, "query")).vectors, np.float64)
        return vectors
