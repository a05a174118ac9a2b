"""Brings labels to Label Studio and back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from mainspring.core.facts.opinions import LabelFacts
from mainspring.core.types import Principal
from mainspring.features.review.definition import Queue
from mainspring.features.review.measures.service import Measures
from mainspring.features.review.shapes import item_body, label_body
from mainspring.features.review.store.filling import OPEN
from mainspring.features.review.store.items import Items
from mainspring.features.review.store.labels import Labels
from mainspring.features.review.store.queues import Queues
from mainspring.features.review.work import label_studio
from mainspring.features.review.work.showing import Showing
from mainspring.stores.events.log import EventLog
from mainspring.stores.sql.pages import Page, Slice

Put = Callable[[Principal, Queue, Sequence[str]], Awaitable[list[str]]]


class Interchange:
    """Writes tasks and reads annotations. ``put`` puts answers into a queue."""

    def __init__(
        self,
        log: EventLog,
        queues: Queues,
        items: Items,
        labels: Labels,
        showing: Showing,
        measures: Measures,
        put: Put,
    ) -> None:
        self._log = log
        self._queues = queues
        self._items = items
        self._labels = labels
        self._showing = showing
        self._measures = measures
        self._put = put

    async def interface(self, tenant: str, name: str) -> str:
        """The labelling interface in XML. Raises ``NotFound``."""
        queue = await self._queues.get(tenant, name)
        found = await self._items.page(queue, Page(100))
        verdicts = await self._measures.verdicts(tenant, [row.answer_id for row in found.rows])
        return label_studio.interface(
            queue.definition, sorted({name for _, each in verdicts.values() for name in each})
        )

    async def tasks(self, principal: Principal, name: str, page: Page) -> Slice[dict[str, Any]]:
        """A page of tasks, each with its item's ``id``; answers that the principal may not see, or whose text is gone,
        are None in it. Labels of items that are still open are left out. Raises ``NotFound``."""
        queue = await self._queues.get(principal.tenant, name)
        found = await self._items.page(queue, page)
        names = [row.answer_id for row in found.rows]
        seen = {each.answer.id for each in await self._showing.answers(principal, names)}
        verdicts = await self._measures.verdicts(principal.tenant, names)
        made = []
        for row in found.rows:
            task = None
            if row.answer_id in seen:
                shown = await self._showing.whole(principal.tenant, row.answer_id)
                labels = await said(self._log, self._items, queue, row.id) if row.state != OPEN else []
                verdict = verdicts.get(row.answer_id)
                task = label_studio.written(shown, item_body(row), labels, queue.definition, verdict)
            made.append({"id": row.id, "task": task})
        return Slice(made, found.more)

    async def take_in(self, principal: Principal, name: str, tasks: Sequence[Any]) -> tuple[int, int]:
        """The numbers of items and of new labels. Labels that are known are left as they are. Raises
        ``InvalidRequest`` naming what is wrong, before anything is written; ``NotFound``, ``QuotaExceeded``."""
        queue = await self._queues.get(principal.tenant, name)
        found = label_studio.read(tasks, queue.definition)
        made = await self._put(principal, queue, [each.answer_id for each in found])
        known = dict(zip(dict.fromkeys(each.answer_id for each in found), made, strict=True))
        count = 0
        for task in found:
            for each in task.annotations:
                count += await self._labels.bring(queue, known[task.answer_id], each.by, each.said, each.at)
        return len(known), count


async def said(log: EventLog, items: Items, queue: Queue, item_id: str) -> list[dict[str, Any]]:
    """The labels of an item with their texts, as JSON."""
    made = []
    for each in await items.given(queue, [item_id]):
        event = await log.get(queue.tenant, each.event_id)
        comment = LabelFacts.of(event.facts).comment
        made.append(label_body(each, comment=comment, edit=event.content if each.edited else None))
    return made
