"""Items that are kept for a person: a place of the item is theirs until they answer, or until the deadline."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
from mainspring.core.errors import Conflict, NotFound
from mainspring.features.review.definition import Queue
from mainspring.features.review.store.filling import DONE
from mainspring.features.review.store.labels import ASSIGNED, GIVEN, LEASED, SKIPPED, locked, places
from mainspring.features.review.tables import review_items as items
from mainspring.features.review.tables import review_labels as labels
from mainspring.stores.erase.data_subjects import parts
from mainspring.stores.sql.database import Database

_KEPT = (LEASED, ASSIGNED)


class Assignments:
    """The places of items that people hold, have filled, or are asked to fill."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def assign(self, queue: Queue, item_id: str, to: str, until: float) -> float:
        """Keep a place of an item for ``to``; again: with another deadline, which is returned. Raises ``NotFound``;
        ``Conflict``: the item is done, ``to`` has labelled it, or others have all its places."""

        def work(connection: sa.Connection) -> float:
            now = time.time()
            item = locked(connection, queue.tenant, item_id)
            if item.queue_id != queue.id:
                raise NotFound(f"there is no item {item_id}", param="item_id")
            if item.state == DONE:
                raise Conflict("the item is done", remedy="Assign another one", param="item_id")
            mine = _of(queue, item_id, to)
            label = connection.execute(sa.select(labels).where(mine)).one_or_none()
            if label is not None and label.state == GIVEN:
                raise Conflict(f"{to} has labelled this item", remedy="Assign it to another person", param="to")
            taken = connection.execute(sa.select(places(now, (to,))).where(_item(queue, item_id))).scalar_one()
            if int(taken) >= item.needs:
                raise Conflict(
                    "others have all places of this item", remedy="Unassign one, or wait for its deadline", param="to"
                )
            if label is None:
                values: dict[str, Any] = {"tenant": queue.tenant, "id": ids.new("label_"), "queue_id": queue.id}
                values |= {
                    "item_id": item_id,
                    "answer_id": item.answer_id,
                    "by": to,
                    "state": ASSIGNED,
                    "version": queue.version,
                }
                connection.execute(sa.insert(labels).values(**values, lease_until=until, taken_at=now))
                return until
            # Who holds it goes on with it.
            held = label.state == LEASED and label.lease_until > now
            change = {"state": LEASED if held else ASSIGNED, "lease_until": until}
            connection.execute(sa.update(labels).where(mine).values(**change))
            return until

        return await self._database.write(work, durable=True)

    async def unassign(self, queue: Queue, item_id: str, to: str) -> None:
        """Give the place to others, also one that ``to`` holds. Raises ``NotFound``: nothing is kept for ``to``."""
        kept = sa.and_(_of(queue, item_id, to), labels.c.queue_id == queue.id, labels.c.state.in_(_KEPT))

        def work(connection: sa.Connection) -> None:
            if not connection.execute(sa.delete(labels).where(kept)).rowcount:
                raise NotFound(f"the item {item_id} is not assigned to {to}", param="to")

        await self._database.write(work, durable=True)

    async def places(self, queue: Queue, names: Sequence[str]) -> Mapping[str, list[dict[str, Any]]]:
        """Who has the places of these items, as JSON, by item."""
        now = time.time()
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)

        def work(connection: sa.Connection) -> list[sa.Row[Any]]:
            query = sa.select(labels).where(labels.c.tenant == queue.tenant, labels.c.queue_id == queue.id)
            query = query.order_by(labels.c.taken_at, labels.c.id)
            return [
                row
                for part in parts(list(names))
                for row in connection.execute(query.where(labels.c.item_id.in_(part)))
            ]

        for row in await self._database.read(work):
            kept = row.state in _KEPT
            overdue = kept and row.lease_until <= now
            shown = {"by": row.by, "state": row.state, "until": row.lease_until if kept else None, "overdue": overdue}
            found[row.item_id].append(shown)
        return found

    async def workload(self, queue: Queue) -> list[dict[str, Any]]:
        """What each person has to do and has done, those that the queue names first, as JSON. ``overdue`` are places
        that were kept for them and that they did not fill, in items that still wait."""
        late = sa.case((sa.and_(labels.c.state.in_(_KEPT), labels.c.lease_until <= time.time()), 1), else_=0)
        count = sa.func.count().label("number")
        of = sa.and_(items.c.tenant == labels.c.tenant, items.c.id == labels.c.item_id)
        query = sa.select(labels.c.by, labels.c.state, late.label("late"), count).join(items, of)
        mine = sa.and_(labels.c.tenant == queue.tenant, labels.c.queue_id == queue.id)
        waits = sa.or_(items.c.state != DONE, labels.c.state == GIVEN, labels.c.state == SKIPPED)
        query = query.where(mine, waits).group_by(labels.c.by, labels.c.state, late)
        named = queue.definition.labelling.reviewers
        found = {name: dict.fromkeys((*_KEPT, GIVEN, SKIPPED, "overdue"), 0) for name in named}
        for row in await self._database.read(lambda connection: connection.execute(query).all()):
            theirs = found.setdefault(row.by, dict.fromkeys((*_KEPT, GIVEN, SKIPPED, "overdue"), 0))
            theirs["overdue" if row.late else row.state] += row.number
        return [
            {"object": "review.workload", "reviewer": name, "named": name in named, **counts}
            for name, counts in sorted(found.items(), key=lambda each: (each[0] not in named, each[0]))
        ]


def _item(queue: Queue, item_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(items.c.tenant == queue.tenant, items.c.id == item_id)


def _of(queue: Queue, item_id: str, to: str) -> sa.ColumnElement[bool]:
    return sa.and_(labels.c.tenant == queue.tenant, labels.c.item_id == item_id, labels.c.by == to)
