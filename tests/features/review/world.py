"""Stores with recorded answers, and the service over them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.base import Facts
from mainspring.core.facts.opinions import VERDICT, FeedbackFacts, ScoreFacts
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord, Principal
from mainspring.feature import Rooms
from mainspring.features.review.definition import Definition, Queue
from mainspring.features.review.service import Review
from mainspring.stores import Stores
from mainspring.stores.sql import ids

CURATOR = Principal("acme", "key_curator", frozenset({"curate", "review"}))
ANN, BEN, CID = (Principal("acme", f"key_{name}", frozenset({"review"})) for name in ("ann", "ben", "cid"))
ALL = {"rule": {"share": 1.0}, "labelling": {"double": 0.0}}
YES = {"labels": {"correct": 2}, "approved": True}
NO = {"labels": {"correct": 0}, "approved": False}


class World:
    """Answers are written as the request ring writes them."""

    def __init__(self, opened: Stores, **review: Any) -> None:
        self.stores = opened
        settings = Settings.model_validate({"review": review})
        self.review = Review(cast(Rooms, SimpleNamespace(settings=settings, stores=opened)))

    async def queue(self, name: str = "all", definition: Any = None, who: Principal = CURATOR) -> Queue:
        given = Definition.model_validate(ALL if definition is None else definition)
        return await self.review.queues.create(who, name, given, "# How to label")

    async def answer(
        self,
        text: str = "What is the limit?",
        answer: str = "It is 104.",
        *,
        who: Principal = Principal("acme", "key_1"),  # noqa: B008
        user: str = "",
        more: Sequence[Facts] = (),
        at: float | None = None,
        stored: bool = True,
        answer_id: str = "",
        **facts: Any,
    ) -> str:
        """One answer with ``more`` facts about it; its id."""
        answer_id, trace, at = answer_id or ids.new("ans_"), ids.new("trace"), time.time() if at is None else at
        content = {"messages": [{"role": "user", "content": text}], "choices": [{"text": answer}]}
        given: dict[str, Any] = {
            "status": "completed",
            "operation": "chat",
            "requested": "handbook",
            "finish": ["stop"],
        }
        given |= {"key_id": who.key_id, "groups": sorted(who.groups), **facts}
        told = AnswerFacts.from_json(given)
        text_of = json.dumps(content) if stored else None
        record = EventRecord(answer_id, at, who.tenant, trace, answer_id, told, content=text_of, person=user)
        await self.stores.events.settle([record, *(self._about(who.tenant, answer_id, trace, each) for each in more)])
        return answer_id

    async def tell(self, answer_id: str, *facts: Facts, tenant: str = "acme") -> None:
        """Facts about an answer, later."""
        await self.stores.events.settle([self._about(tenant, answer_id, "trace", each) for each in facts])

    async def judged(self, answer_id: str, tenant: str = "acme", **scores: float) -> None:
        """The verdict on an answer."""
        facts = ScoreFacts(metric=VERDICT, application="handbook", judge="j", scores=scores)
        record = EventRecord(f"verdict_{answer_id}", time.time(), tenant, "trace", answer_id, facts)
        await self.stores.events.settle([record])

    async def label(self, who: Principal, body: Any, queue: str = "all") -> dict[str, Any]:
        """Take the next item and label it; the item."""
        task = await self.review.take(who, queue)
        assert task is not None, f"nothing waits for {who.key_id}"
        return await self.review.label(who, queue, task["item_id"], body)

    @staticmethod
    def _about(tenant: str, answer_id: str, trace: str, facts: Facts) -> EventRecord:
        return EventRecord(ids.new("evt_"), time.time(), tenant, trace, answer_id, facts, parent_id=answer_id)


def down(*, edited: bool = False) -> FeedbackFacts:
    return FeedbackFacts(key_id="key_1", rating="down", comment=None, edited=edited)
