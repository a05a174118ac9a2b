"""Stores with the records of conversations, an embedder of first letters, and the service over them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from mainspring.core.errors import EngineError
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.base import Facts
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord, Message, Principal
from mainspring.feature import Rooms
from mainspring.features.insights.service import Insights
from mainspring.serving.memory.layer import stored_name
from mainspring.stores import Stores
from mainspring.stores.sessions.turns import SessionTurn
from mainspring.stores.sql import ids

READER = Principal("acme", "key_reader", frozenset({"insights"}))


class Embedder:
    """A vector by the words of a text."""

    name = "small"
    dimensions = 64
    broken = False

    def __init__(self) -> None:
        self.texts = 0
        self._words: dict[str, int] = {}

    async def embed(self, texts: Sequence[str], kind: str = "passage") -> Any:
        if self.broken:
            raise EngineError("the embedder is gone")
        self.texts += len(texts)
        rows = np.full((len(texts), self.dimensions), 1e-4, dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().replace("?", "").replace(".", "").split():
                if len(word) > 3:
                    row[self._words.setdefault(word, len(self._words)) % self.dimensions] += 1
        return SimpleNamespace(vectors=rows / np.linalg.norm(rows, axis=1, keepdims=True), tokens=1)


class World:
    """Conversations are written as the request ring writes them."""

    def __init__(self, opened: Stores, **insights: Any) -> None:
        self.stores = opened
        self.embedder = Embedder()
        self.rooms = rooms(opened, self.embedder, **insights)
        self.insights = Insights(self.rooms)

    async def say(
        self,
        text: str,
        answer: str = "It is done.",
        *,
        session: str = "",
        ago: float = 7200.0,
        who: Principal = Principal("acme", "key_1"),  # noqa: B008
        user: str = "",
        more: Sequence[Facts] = (),
        citations: Sequence[Any] = (),
        **facts: Any,
    ) -> str:
        """One turn and its answer, ``ago`` seconds; the id of the answer."""
        answer_id, trace, at = ids.new("ans_"), ids.new("trace"), time.time() - ago
        content: dict[str, Any] = {"messages": [{"role": "user", "content": text}]}
        content |= {"choices": [{"text": answer}], "citations": list(citations)}
        given: dict[str, Any] = {"status": "completed", "operation": "chat", "requested": "support"}
        given |= {"key_id": who.key_id, "citations": len(citations), "session_id": session or None, **facts}
        records = [
            EventRecord(
                id=answer_id,
                at=at,
                tenant=who.tenant,
                trace_id=trace,
                subject=answer_id,
                facts=AnswerFacts.from_json({"groups": sorted(who.groups), **given}),
                content=json.dumps(content),
                person=user,
            )
        ]
        records += [
            EventRecord(id=ids.new("evt_"), at=at, tenant=who.tenant, trace_id=trace, subject=answer_id, facts=each)
            for each in more
        ]
        turns = []
        if session:
            messages = (Message("user", text), Message("assistant", answer))
            turns.append(SessionTurn(who.tenant, stored_name(who, session), messages, trace, at))
        await self.stores.events.settle(records, turns)
        return answer_id


def rooms(opened: Stores, embedder: Embedder, **insights: Any) -> Rooms:
    path = SimpleNamespace(
        charged=SimpleNamespace(embedder=lambda inner, context: inner),
        services=SimpleNamespace(residency=SimpleNamespace(permits=lambda region, context: True)),
        chat={},
    )
    settings = Settings.model_validate({"insights": {"similarity": 0.4, **insights}})
    engines = SimpleNamespace(embedder=embedder, reranker=None)
    telemetry = SimpleNamespace(tracing=SimpleNamespace(under_way=0))
    return cast(
        Rooms, SimpleNamespace(settings=settings, stores=opened, path=path, engines=engines, telemetry=telemetry)
    )
