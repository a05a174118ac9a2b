"""Review: queues that fill from the traffic by rule, and people who label."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.core.errors import Forbidden, InvalidRequest, NotFound, Unsupported
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.types import EventRecord, Principal
from mainspring.evaluation.examples import DataSets
from mainspring.feature import Rooms
from mainspring.features.review.definition import MANUAL, Definition, Queue
from mainspring.features.review.measures.service import Measures
from mainspring.features.review.measures.tiers import Tiers
from mainspring.features.review.settings import ReviewSettings
from mainspring.features.review.shapes import item_body, shown_body, task_body
from mainspring.features.review.store.assignments import Assignments
from mainspring.features.review.store.filling import ADJUDICATE, OPEN, Arrived, Filling
from mainspring.features.review.store.items import Items
from mainspring.features.review.store.labels import Labels, Submitted, names_of
from mainspring.features.review.store.queues import Queues
from mainspring.features.review.work.delivering import Delivering
from mainspring.features.review.work.interchange import Interchange, said
from mainspring.features.review.work.queue_filling import Looking
from mainspring.features.review.work.showing import Showing

# Answers whose texts are gone that one look for the next item passes over.
_TRIES = 20


class Review:
    """The service: ``queues``, ``items`` and ``labels`` over the stores, ``showing`` what reviewers see."""

    def __init__(self, rooms: Rooms) -> None:
        self.settings = rooms.settings.section(ReviewSettings)
        stores = rooms.stores
        self.queues = Queues(stores.database, self.settings.queues)
        self.items = Items(stores.database)
        self.labels = Labels(stores.database, stores.events)
        self.assignments = Assignments(stores.database)
        self.showing = Showing(stores)
        self.measures = Measures(stores.database, self.queues, self.items)
        self.tiers = Tiers(stores, rooms.settings.guards)
        self.sets: DataSets | None = None
        """Where reviewed answers go; None: no feature keeps data sets."""
        self._events = stores.events
        self.interchange = Interchange(
            stores.events, self.queues, self.items, self.labels, self.showing, self.measures, self.put
        )
        self._delivering = Delivering(stores, self.items, self.showing)
        self._filling = Filling(stores.database, self.settings.open_items, self.settings.items)
        self._looking = Looking(stores, self._filling, consented=self.settings.consented)

    async def look(self, *, every_s: float = 0.0) -> Counter[str] | None:
        """Let new answers of all tenants enter their queues; how many items are new by tenant, None if another process
        looks, or did less than ``every_s`` ago. Raises ``Unsupported``: review is off."""
        if not self.settings.enabled:
            raise Unsupported("review is off", remedy="Set review.enabled")
        return await self._looking.look(await self.queues.all(), every_s=every_s)

    async def deliver(self) -> int:
        """Give reviewed answers to the data sets that their queues name; the number of them."""
        if self.sets is None:
            return 0
        named = [each for each in await self.queues.all() if each.definition.dataset]
        return sum([await self._delivering.deliver(each, self.sets) for each in named])

    async def put(self, principal: Principal, queue: Queue, answers: Sequence[str]) -> list[str]:
        """Put these answers into a queue, whatever its rule says; the ids of their items. Raises ``NotFound`` naming
        one that is not there or not seen, ``QuotaExceeded``."""
        found = {each.answer.id: each for each in await self.showing.answers(principal, answers)}
        if missing := [each for each in answers if each not in found]:
            raise NotFound(f"the text of answer {missing[0]} is gone, or hidden from you", param="answer_ids")
        return await self._filling.put(queue, [_arrived(found[each].answer) for each in dict.fromkeys(answers)])

    async def take(self, principal: Principal, name: str) -> dict[str, Any] | None:
        """The item that the reviewer holds, or the next one, as JSON; None: nothing waits. Raises ``NotFound``, and
        ``Forbidden`` for people whom the queue does not name."""
        queue = await self.queues.get(principal.tenant, name)
        named = queue.definition.labelling.reviewers
        if named and not set(names_of(principal)) & set(named):
            raise Forbidden(
                f"the queue {queue.name} names its reviewers, and this key is none of them",
                remedy="Ask a curator to add the key to labelling.reviewers",
            )
        for _ in range(_TRIES):
            taken = await self.labels.take(principal, queue)
            if taken is None:
                return None
            try:
                shown = await self.showing.answer(principal, taken.item.answer_id)
            except NotFound:
                # Its text has expired since it entered: it is nobody's work any more.
                await self.labels.drop(principal, taken.item.id)
                continue
            earlier = (
                await said(self._events, self.items, queue, taken.item.id) if taken.item.state == ADJUDICATE else []
            )
            return task_body(taken, shown, [{**each, "by": chr(65 + place)} for place, each in enumerate(earlier)])
        return None

    async def label(self, principal: Principal, name: str, item_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Label an item, as JSON of the route's body; the item. Raises ``InvalidRequest`` naming a field, and what
        ``Labels.submit`` raises."""
        queue = await self.queues.get(principal.tenant, name)
        return item_body(await self.labels.submit(principal, queue, item_id, submitted(queue.definition, body)))

    async def leave(self, principal: Principal, name: str, item_id: str, *, skip: bool) -> None:
        """Hand an item back or skip it. Raises ``NotFound``."""
        queue = await self.queues.get(principal.tenant, name)
        await self.items.get(queue, item_id)
        await self.labels.leave(principal, item_id, skip=skip)

    async def assign(self, principal: Principal, name: str, item_id: str, to: str, hours: float) -> dict[str, Any]:
        """Keep an item for a person, as JSON. Raises ``InvalidRequest`` for one whom the queue does not name, and what
        ``Assignments.assign`` raises."""
        queue = await self.queues.get(principal.tenant, name)
        named = queue.definition.labelling.reviewers
        if named and to not in named:
            raise InvalidRequest(
                f"{to} is no reviewer of {queue.name}", remedy="Add the key to labelling.reviewers", param="to"
            )
        until = await self.assignments.assign(queue, item_id, to, time.time() + 3600 * hours)
        return {"object": "review.assignment", "item_id": item_id, "to": to, "until": until}

    async def with_places(self, queue: Queue, found: Sequence[Any]) -> list[dict[str, Any]]:
        """Items as JSON, with who has their places."""
        held = await self.assignments.places(queue, [row.id for row in found])
        return [{**item_body(row), "places": held.get(row.id, [])} for row in found]

    async def item(self, principal: Principal, name: str, item_id: str) -> dict[str, Any]:
        """An item with its texts, and with its labels once all are given: until then nobody's may sway another's.
        Raises ``NotFound``."""
        queue = await self.queues.get(principal.tenant, name)
        row = await self.items.get(queue, item_id)
        shown = await self.showing.answer(principal, row.answer_id)
        labels = await said(self._events, self.items, queue, item_id) if row.state != OPEN else []
        (about,) = await self.with_places(queue, [row])
        return {**about, **shown_body(shown), "labels": labels}


def submitted(definition: Definition, body: Mapping[str, Any]) -> Submitted:
    """A label from the route's body. Raises ``InvalidRequest``: a criterion or an error that the queue does not have,
    or a required criterion that is missing."""
    places: Mapping[str, int] = body.get("labels") or {}
    scores = {name: definition.criterion(name).score(place) for name, place in places.items()}
    for each in definition.criteria:
        if each.required and each.name not in scores:
            raise InvalidRequest(
                f"the label lacks {each.name}", remedy="Send its position on the scale", param="labels"
            )
    known = [each.name for each in definition.errors]
    for name in body.get("errors") or ():
        if name not in known:
            raise InvalidRequest(f"there is no error {name!r}", remedy=f"There are: {', '.join(known)}", param="errors")
    return Submitted(
        scores=scores,
        approved=bool(body["approved"]),
        errors=tuple(dict.fromkeys(body.get("errors") or ())),
        comment=body.get("comment") or "",
        edit=body.get("edit"),
        seconds=body.get("seconds"),
    )


def _arrived(answer: EventRecord) -> Arrived:
    facts = AnswerFacts.of(answer.facts)
    return Arrived(answer.tenant, answer.id, answer.trace_id, facts.requested, answer.at, MANUAL)
