"""Recorded answers as items, and people's labels of them."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from mainspring.core.errors import NotFound
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.opinions import LabelFacts
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.core.types import EventRecord, Principal
from mainspring.features.judges.judging.items import Item
from mainspring.rag.answer.passages import Passages
from mainspring.stores import Stores
from mainspring.stores.sql.pages import Page

LOOKED_AT = 20_000
"""Events that one request for labels or answers looks at, the latest first."""
_PAGE = 100
_PASSAGES = 8
APPROVED = "approved"
"""The criterion that every label has: whether the person approves."""


class RecordedAnswers:
    """Reads what a tenant's answers were, and what people said of them."""

    def __init__(self, stores: Stores) -> None:
        self._events = stores.events
        self._passages = Passages(stores.collections, stores.vectors)

    async def labels(self, principal: Principal, since: float, queue: str, criterion: str) -> dict[str, float]:
        """The mean label in [0, 1] of each labelled answer that the principal may see; an adjudicated one decides."""
        found: dict[str, list[float]] = {}
        decided: dict[str, float] = {}
        async for each in self._latest(principal, "label", since):
            facts = LabelFacts.of(each.facts)
            if queue and facts.queue != queue:
                continue
            value = _value(facts, criterion)
            if value is None:
                continue
            found.setdefault(each.subject, []).append(value)
            if facts.adjudicated:
                decided.setdefault(each.subject, value)
        return {answer: decided.get(answer, fmean(values)) for answer, values in found.items()}

    async def sample(self, principal: Principal, application: str, since: float, most: int, but: set[str]) -> list[str]:
        """At most ``most`` answers of an application, drawn at random from the latest; none of ``but``."""
        found = [
            each.id
            async for each in self._latest(principal, "answer", since)
            if each.id not in but and _judgeable(each, application)
        ]
        return random.Random(17).sample(found, min(most, len(found)))

    async def of(self, tenant: str, names: Sequence[str], application: str) -> set[str]:
        """Those of ``names`` that are answers of an application with their text."""
        found = set()
        for name in names:
            try:
                record = await self._events.get(tenant, name)
            except NotFound:
                continue
            if record.content is not None and _judgeable(record, application):
                found.add(name)
        return found

    async def item(self, tenant: str, name: str) -> Item | None:
        """An answer as it was given; None if its text, or that of its passages, is not there any more."""
        try:
            record = await self._events.get(tenant, name)
        except NotFound:
            return None
        if record.content is None:
            return None
        told: Mapping[str, Any] = json.loads(record.content)
        asked = [str(each.get("content") or "") for each in told.get("messages", ()) if each.get("role") == "user"]
        said = [str(each.get("text", "")) for each in told.get("choices", ())[:1]]
        retrievals = await self._events.find(tenant, kind="retrieval", subject=name)
        shown = [RetrievalFacts.of(each.facts) for each in retrievals]
        passages = await self._passages.read(tenant, shown, _PASSAGES) if shown else []
        if passages is None or not said:
            return None
        return Item((said[0],), asked[-1] if asked else "", tuple(passages), writer=AnswerFacts.of(record.facts).model)

    async def _latest(self, principal: Principal, kind: str, since: float) -> AsyncIterator[EventRecord]:
        page, looked = Page(_PAGE), 0
        while looked < LOOKED_AT:
            found = await self._events.page(principal.tenant, page, groups=principal.groups, kind=kind)
            for each in found.rows:
                if each.at < since:
                    return
                yield each
            looked += len(found.rows)
            if not found.more:
                return
            page = Page(_PAGE, after=found.rows[-1].id)


def _judgeable(record: EventRecord, application: str) -> bool:
    if record.kind != "answer":
        return False
    facts = AnswerFacts.of(record.facts)
    if facts.status != "completed" or facts.operation != "chat" or facts.replay_of:
        return False
    return not application or facts.requested == application


def _value(facts: LabelFacts, criterion: str) -> float | None:
    if criterion == APPROVED or not criterion:
        if facts.approved is not None:
            return float(facts.approved)
        return fmean(facts.scores.values()) if facts.scores and not criterion else None
    return None if facts.scores is None else facts.scores.get(criterion)
