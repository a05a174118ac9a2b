"""Gives reviewed answers to data sets: the corrected text is the reference, or an approved answer itself.

What was delivered is noted afterwards: after a crash in between it is delivered again, under the same ids.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.errors import InvalidRequest, MainspringError, NotFound
from mainspring.core.types import Message, Principal
from mainspring.evaluation.example_json import checked
from mainspring.evaluation.examples import DataSets, Example
from mainspring.features.review.definition import Queue
from mainspring.features.review.store.items import Items
from mainspring.features.review.tables import review_items as items
from mainspring.features.review.tables import review_labels as labels
from mainspring.features.review.work.showing import ReviewedAnswer, Showing
from mainspring.stores import Stores
from mainspring.stores.schema import keys

_log = logging.getLogger(__name__)
MOST = 200


class Delivering:
    """Delivers the done items of queues that name a data set."""

    def __init__(self, stores: Stores, reading: Items, showing: Showing) -> None:
        self._stores = stores
        self._items = reading
        self._showing = showing

    async def deliver(self, queue: Queue, sets: DataSets) -> int:
        """The number of items that were delivered now, ``MOST`` at most, as one version of the data set. A data set
        that cannot take them is named in the log and tried again."""
        name = queue.definition.dataset
        done = await self._items.done(queue, undelivered=True, limit=MOST) if name else []
        if not done:
            return 0
        # The maker of the queue decided that its answers go there, independent of who labelled them: those that the
        # maker may see.
        principal = await self._author(queue)
        seen = {each.answer.id for each in await self._showing.answers(principal, [row.answer_id for row in done])}
        if len(seen) < len(done):
            told = "%d reviewed answers of queue %s stay out of its data set: gone, or hidden from who made the queue"
            _log.warning(told, len(done) - len(seen), queue.id)
        made = []
        for row in done:
            try:
                if row.answer_id in seen:
                    made.append(checked(await self._example(queue, row)))
            except NotFound:
                continue
            except InvalidRequest as error:
                # It would keep all others out.
                _log.warning("the answer %s is not an example for a data set: %s", row.answer_id, error)
        try:
            if made:
                await sets.add_examples(principal, name, made, note=f"reviewed in {queue.name}")
        except MainspringError as error:
            _log.warning("reviewed answers of queue %s wait for their data set: %s", queue.id, error)
            return 0
        await self._note([row.id for row in done], queue)
        return len(made)

    async def _author(self, queue: Queue) -> Principal:
        """Who made the queue, with the groups of the person's newest key that is usable; without one, with none."""
        mine = sa.or_(keys.c.id == queue.created_by, keys.c.identity == queue.created_by)
        query = sa.select(keys.c.id).where(keys.c.tenant == queue.tenant, mine).order_by(keys.c.created_at.desc())
        names = await self._stores.database.read(lambda connection: connection.execute(query).scalars().all())
        for name in names:
            info = await self._stores.keys.get(queue.tenant, name)
            if info.usable(time.time()):
                return Principal(queue.tenant, queue.created_by, groups=info.principal().groups)
        return Principal(queue.tenant, queue.created_by)

    async def _example(self, queue: Queue, row: sa.Row[Any]) -> Example:
        shown = await self._showing.whole(queue.tenant, row.answer_id)
        result = rows.load(row.result)
        events, edit = await self._edit(queue.tenant, row.id, result.get("label_id") or "")
        return example_of(shown, row, result, edit, (row.answer_id, *events))

    async def _edit(self, tenant: str, item_id: str, label_id: str) -> tuple[Sequence[str], str | None]:
        """The events of an item's labels, and the corrected text of one of them."""
        mine = sa.and_(labels.c.tenant == tenant, labels.c.item_id == item_id, labels.c.state == "given")
        query = sa.select(labels.c.id, labels.c.event_id).where(mine).order_by(labels.c.given_at)
        found = await self._stores.database.read(lambda connection: connection.execute(query).all())
        event = next((each.event_id for each in found if each.id == label_id), "")
        text = (await self._stores.events.get(tenant, event)).content if event else None
        return [each.event_id for each in found], text

    async def _note(self, names: Sequence[str], queue: Queue) -> None:
        mine = sa.and_(items.c.tenant == queue.tenant, items.c.id.in_(names))
        noted = sa.update(items).where(mine).values(delivered_at=time.time())
        await self._stores.database.write(lambda connection: connection.execute(noted) and None, durable=True)


def example_of(
    shown: ReviewedAnswer, row: sa.Row[Any], result: dict[str, Any], edit: str | None, sources: tuple[str, ...]
) -> Example:
    """A reviewed answer as an example."""
    references = (edit,) if edit else (shown.text,) if result.get("approved") and shown.text else ()
    messages = tuple(Message(each["role"], str(each["content"])) for each in shown.messages if each["role"] != "tool")
    verdict = "approved" if result.get("approved") else "rejected"
    return Example(
        id=f"review-{row.answer_id}",
        messages=messages,
        references=references,
        passages=tuple(shown.passages),
        tags={"application": row.application, "stratum": row.stratum, "verdict": verdict},
        sources=sources,
        trace_id=row.trace_id,
        subject=shown.answer.person,
        extra={"answer": shown.text, "scores": result.get("scores", {}), "errors": result.get("errors", [])},
    )
