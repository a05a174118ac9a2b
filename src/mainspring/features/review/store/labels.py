"""Who labels what: items are taken under a lease, handed back, skipped, and labelled.

A transaction that takes or labels an item locks its row first and then counts its labels, so that two processes never
give one place of an item to two people.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.events.contents as contents
import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict, NotFound
from mainspring.core.facts.opinions import LabelFacts
from mainspring.core.types import EventRecord, Principal
from mainspring.features.review.definition import Queue
from mainspring.features.review.store.filling import ADJUDICATE, DONE, OPEN
from mainspring.features.review.store.verdicts import GivenLabel, disagree, result
from mainspring.features.review.tables import review_items as items
from mainspring.features.review.tables import review_labels as labels
from mainspring.stores.events.event_visibility import visible_events
from mainspring.stores.events.log import EventLog
from mainspring.stores.schema import events
from mainspring.stores.sql.database import Database

LEASED, SKIPPED, GIVEN, ASSIGNED = "leased", "skipped", "given", "assigned"
_BATCH = 50
# Items that are looked through for one that the reviewer may see.
_MOST = 5_000


@dataclass(frozen=True, slots=True)
class LeasedItem:
    """An item that a reviewer holds until ``lease_until``."""

    item: sa.Row[Any]
    label_id: str
    taken_at: float
    lease_until: float


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a reviewer says: ``scores`` in [0, 1] by criterion. ``edit``: the answer as it should be."""

    scores: Mapping[str, float]
    approved: bool
    errors: Sequence[str] = ()
    comment: str = ""
    edit: str | None = None
    seconds: float | None = None


class Labels:
    """The labels of all tenants."""

    def __init__(self, database: Database, log: EventLog) -> None:
        self._database = database
        self._log = log

    async def take(self, principal: Principal, queue: Queue) -> LeasedItem | None:
        """The item that the reviewer holds, the next one that is assigned to them, or the next one; None: nothing waits
        for this reviewer."""

        def work(connection: sa.Connection) -> LeasedItem | None:
            now = time.time()
            if held := _held(connection, principal, queue, now):
                return held
            mine = _assigned(connection, principal, queue, now)
            seen = _seen(connection, principal, mine)
            for name in mine:
                if name in seen and (taken := _lease(connection, principal, queue, name, now)):
                    return taken
            for start in range(0, _MOST, _BATCH):
                names = _waiting(connection, principal, queue, now, start)
                seen = _seen(connection, principal, names)
                for name in names:
                    if name in seen and (taken := _lease(connection, principal, queue, name, now)):
                        return taken
                if len(names) < _BATCH:
                    break
            return None

        return await self._database.write(work, durable=False)

    async def leave(self, principal: Principal, item_id: str, *, skip: bool) -> None:
        """Hand an item back, for anybody, or ``skip`` it: it is for others. Raises ``NotFound``: it is not held."""

        def work(connection: sa.Connection) -> None:
            mine = sa.and_(_by(principal, item_id), labels.c.state == LEASED)
            change: Any = sa.update(labels).where(mine).values(state=SKIPPED, lease_until=None)
            if not connection.execute(change if skip else sa.delete(labels).where(mine)).rowcount:
                raise NotFound(f"you do not hold the item {item_id}", remedy="Take the next one", param="item_id")

        await self._database.write(work, durable=False)

    async def drop(self, principal: Principal, item_id: str) -> None:
        """Delete an item whose answer has no text any more."""

        def work(connection: sa.Connection) -> None:
            item = connection.execute(sa.select(items).where(_item(principal.tenant, item_id))).one_or_none()
            if item is not None and _answer(connection, item) is None:
                _delete(connection, item)

        await self._database.write(work, durable=False)

    async def bring(self, queue: Queue, item_id: str, by: str, said: Submitted, at: float | None) -> bool:
        """A label that ``by`` gave elsewhere; whether it is new. Raises ``NotFound``: the answer was erased."""
        person = Principal(queue.tenant, by)
        record: list[EventRecord] = []

        def work(connection: sa.Connection) -> bool:
            record.clear()
            contents.lock(connection)
            item = locked(connection, person.tenant, item_id)
            given = sa.and_(_by(person, item_id), labels.c.state == GIVEN)
            answer = _answer(connection, item)
            if answer is None or connection.execute(sa.select(labels.c.id).where(given)).first() is not None:
                return False
            values = {"tenant": item.tenant, "id": ids.new("label_"), "queue_id": queue.id, "item_id": item_id}
            values |= {"answer_id": item.answer_id, "by": by, "state": LEASED, "taken_at": at or time.time()}
            connection.execute(sa.delete(labels).where(_by(person, item_id)))
            connection.execute(sa.insert(labels).values(**values))
            label = connection.execute(sa.select(labels).where(_by(person, item_id))).one()
            record.append(_event(person, queue, item, answer, said))
            _give(connection, label, queue, item, said, record[0], at)
            self._log.within(connection, record)
            _settle(connection, queue, item)
            return True

        made = await self._database.write(work, durable=True)
        for hear in self._log.heard if made else ():
            hear(record)
        return made

    async def submit(self, principal: Principal, queue: Queue, item_id: str, said: Submitted) -> sa.Row[Any]:
        """Label an item that the reviewer holds, and write the event, in one commit; returns the item. Raises
        ``NotFound``: it is not held, or its answer was erased; ``Conflict``: it is labelled, or the lease ran out and
        another person has it."""
        record: list[EventRecord] = []

        def work(connection: sa.Connection) -> sa.Row[Any] | None:
            record.clear()
            # An erasure of the answer holds the same lock: either this is not written, or it is erased, too.
            contents.lock(connection)
            item = locked(connection, principal.tenant, item_id)
            label = _leased(connection, principal, queue, item, item_id)
            answer = _answer(connection, item)
            if answer is None:
                _delete(connection, item)
                return None
            record.append(_event(principal, queue, item, answer, said))
            _give(connection, label, queue, item, said, record[0])
            self._log.within(connection, record)
            _settle(connection, queue, item)
            return connection.execute(sa.select(items).where(_item(item.tenant, item_id))).one()

        done = await self._database.write(work, durable=True)
        if done is None:
            raise NotFound("the text of this answer is gone", remedy="Take the next one", param="item_id")
        for hear in self._log.heard:
            hear(record)
        return done


def _item(tenant: str, item_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(items.c.tenant == tenant, items.c.id == item_id)


def _delete(connection: sa.Connection, item: sa.Row[Any]) -> None:
    for table, column in ((labels, labels.c.item_id), (items, items.c.id)):
        connection.execute(sa.delete(table).where(table.c.tenant == item.tenant, column == item.id))


def _by(principal: Principal, item_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(labels.c.tenant == principal.tenant, labels.c.item_id == item_id, labels.c.by == principal.person)


def _held(connection: sa.Connection, principal: Principal, queue: Queue, now: float) -> LeasedItem | None:
    mine = sa.and_(
        labels.c.tenant == principal.tenant,
        labels.c.queue_id == queue.id,
        labels.c.by == principal.person,
        labels.c.state == LEASED,
        labels.c.lease_until > now,
    )
    label = connection.execute(sa.select(labels).where(mine).order_by(labels.c.taken_at).limit(1)).one_or_none()
    if label is None:
        return None
    item = connection.execute(sa.select(items).where(_item(principal.tenant, label.item_id))).one_or_none()
    if item is None or not _seen(connection, principal, [item.id]):
        return None
    return LeasedItem(item, label.id, label.taken_at, label.lease_until)


def names_of(principal: Principal) -> tuple[str, ...]:
    """The names under which a person may be a reviewer: a key that replaced another one has that one's, too."""
    return tuple(sorted({principal.person, *principal.own_keys}))


def places(now: float, besides: Sequence[str]) -> sa.ScalarSelect[int]:
    """How many places of an item are taken by others: labels, and leases and assignments that hold."""
    kept = sa.and_(labels.c.state.in_((LEASED, ASSIGNED)), labels.c.lease_until > now)
    held = sa.or_(labels.c.state == GIVEN, kept)
    of = sa.and_(labels.c.tenant == items.c.tenant, labels.c.item_id == items.c.id, labels.c.by.not_in(besides))
    return sa.select(sa.func.count()).select_from(labels).where(of, held).correlate(items).scalar_subquery()


def _assigned(connection: sa.Connection, principal: Principal, queue: Queue, now: float) -> list[str]:
    """The ids of items that are kept for this reviewer, the most urgent first."""
    of = sa.and_(items.c.tenant == labels.c.tenant, items.c.id == labels.c.item_id)
    query = (
        sa.select(items.c.id)
        .join(labels, of)
        .where(
            *(labels.c.tenant == queue.tenant, labels.c.queue_id == queue.id, labels.c.by.in_(names_of(principal))),
            *(labels.c.state == ASSIGNED, labels.c.lease_until > now, items.c.state.in_((OPEN, ADJUDICATE))),
        )
    )
    return list(connection.execute(query.order_by(labels.c.lease_until, items.c.id).limit(_BATCH)).scalars())


def _waiting(connection: sa.Connection, principal: Principal, queue: Queue, now: float, start: int) -> list[str]:
    """The ids of items with a free place for this reviewer: disputed ones first, then those that wait for a second
    label, then by turn."""
    mine = sa.and_(
        labels.c.tenant == items.c.tenant,
        labels.c.item_id == items.c.id,
        labels.c.by == principal.person,
        labels.c.state.in_((GIVEN, SKIPPED)),
    )
    seen = sa.select(sa.literal(1)).select_from(labels).where(mine).correlate(items).exists()
    here = sa.and_(items.c.tenant == queue.tenant, items.c.queue_id == queue.id, items.c.state.in_((OPEN, ADJUDICATE)))
    free = places(now, names_of(principal)) < items.c.needs
    order = (sa.case((items.c.state == ADJUDICATE, 0), else_=1), items.c.given.desc(), items.c.turn, items.c.id)
    query = sa.select(items.c.id).where(here, ~seen, free).order_by(*order).limit(_BATCH).offset(start)
    return list(connection.execute(query).scalars())


def _seen(connection: sa.Connection, principal: Principal, names: Sequence[str]) -> set[str]:
    """Those of these items whose answers the reviewer may see."""
    if not names:
        return set()
    of = sa.and_(events.c.tenant == items.c.tenant, events.c.id == items.c.answer_id)
    query = sa.select(items.c.id).join(events, of).where(items.c.tenant == principal.tenant, items.c.id.in_(names))
    return set(connection.execute(query.where(visible_events(connection, principal.groups))).scalars())


def _lease(
    connection: sa.Connection, principal: Principal, queue: Queue, item_id: str, now: float
) -> LeasedItem | None:
    locked = sa.select(items).where(_item(queue.tenant, item_id)).with_for_update(skip_locked=True)
    item = connection.execute(locked).one_or_none()
    if item is None or item.state == DONE:
        return None
    # Counted again under the lock: another process may have taken the place since it was listed.
    taken = connection.execute(sa.select(places(now, names_of(principal))).where(_item(queue.tenant, item_id)))
    if int(taken.scalar_one()) >= item.needs:
        return None
    mine = sa.and_(labels.c.tenant == queue.tenant, labels.c.item_id == item_id, labels.c.by.in_(names_of(principal)))
    # Who was asked keeps the item until the deadline.
    kept = sa.select(sa.func.max(labels.c.lease_until)).where(mine, labels.c.state == ASSIGNED)
    asked = connection.execute(kept).scalar_one_or_none() or 0.0
    until = max(now + 60 * queue.definition.labelling.lease_minutes, asked)
    connection.execute(sa.delete(labels).where(mine, labels.c.state.in_((LEASED, ASSIGNED))))
    values: dict[str, Any] = {"tenant": queue.tenant, "id": ids.new("label_"), "queue_id": queue.id, "item_id": item_id}
    values |= {"answer_id": item.answer_id, "by": principal.person, "state": LEASED, "version": queue.version}
    made = rows.insert_new(connection, labels).values(**values, lease_until=until, taken_at=now)
    if not connection.execute(made).rowcount:
        return None
    return LeasedItem(item, str(values["id"]), now, until)


def locked(connection: sa.Connection, tenant: str, item_id: str) -> sa.Row[Any]:
    """An item, until the transaction ends. Raises ``NotFound``."""
    found = connection.execute(sa.select(items).where(_item(tenant, item_id)).with_for_update())
    if (item := found.one_or_none()) is None:
        raise NotFound(f"there is no item {item_id}", param="item_id")
    return item


def _leased(
    connection: sa.Connection, principal: Principal, queue: Queue, item: sa.Row[Any], item_id: str
) -> sa.Row[Any]:
    label = connection.execute(sa.select(labels).where(_by(principal, item_id))).one_or_none()
    if item.queue_id != queue.id or label is None or label.state in (SKIPPED, ASSIGNED):
        raise NotFound(f"you do not hold the item {item_id}", remedy="Take the next one", param="item_id")
    if label.state == GIVEN:
        raise Conflict("you have labelled this item", remedy="Take the next one", param="item_id")
    taken = connection.execute(
        sa.select(places(time.time(), names_of(principal))).where(_item(item.tenant, item_id))
    ).scalar_one()
    if int(taken) >= item.needs:
        raise Conflict(
            "your time for this item ran out, and another person has it", remedy="Take the next one", param="item_id"
        )
    return label


def _answer(connection: sa.Connection, item: sa.Row[Any]) -> sa.Row[Any] | None:
    """The event of the answer; None if its text is gone."""
    of = sa.and_(events.c.tenant == item.tenant, events.c.id == item.answer_id, events.c.content_id.is_not(None))
    return connection.execute(sa.select(events).where(of)).one_or_none()


def _event(principal: Principal, queue: Queue, item: sa.Row[Any], answer: sa.Row[Any], said: Submitted) -> EventRecord:
    facts = LabelFacts(
        queue=queue.name,
        guideline=str(queue.version),
        by=principal.person,
        scores=dict(said.scores),
        approved=said.approved,
        errors=tuple(said.errors),
        comment=said.comment,
        edited=said.edit is not None,
        adjudicated=item.state == ADJUDICATE,
        seconds=said.seconds,
    )
    return EventRecord(
        id=ids.new("evt_"),
        at=time.time(),
        tenant=item.tenant,
        trace_id=answer.trace_id,
        subject=item.answer_id,
        facts=facts,
        content=said.edit,
        parent_id=item.answer_id,
        consent=answer.consent,
        retention=answer.retention,
    )


def _give(
    connection: sa.Connection,
    label: sa.Row[Any],
    queue: Queue,
    item: sa.Row[Any],
    said: Submitted,
    record: EventRecord,
    at: float | None = None,
) -> None:
    values: dict[str, Any] = {
        "state": GIVEN,
        "lease_until": None,
        "version": queue.version,
        "scores": rows.dump(dict(said.scores)),
    }
    values |= {"approved": said.approved, "errors": rows.dump(list(said.errors)), "edited": said.edit is not None}
    values |= {"adjudicated": item.state == ADJUDICATE, "seconds": said.seconds, "event_id": record.id}
    mine = sa.and_(labels.c.tenant == label.tenant, labels.c.id == label.id)
    connection.execute(sa.update(labels).where(mine).values(**values, given_at=record.at if at is None else at))


def _settle(connection: sa.Connection, queue: Queue, item: sa.Row[Any]) -> None:
    """The state of an item after a label: it waits for another, is disputed, or is done."""
    mine = sa.and_(labels.c.tenant == item.tenant, labels.c.item_id == item.id, labels.c.state == GIVEN)
    found = [
        GivenLabel.of(row) for row in connection.execute(sa.select(labels).where(mine).order_by(labels.c.given_at))
    ]
    values: dict[str, Any] = {"given": len(found)}
    if len(found) >= item.needs:
        bound = queue.definition.labelling.disagreement
        if item.state != ADJUDICATE and disagree(found, bound):
            values |= {"state": ADJUDICATE, "needs": len(found) + 1}
        else:
            values |= {"state": DONE, "done_at": time.time(), "result": rows.dump(result(found))}
    connection.execute(sa.update(items).where(_item(item.tenant, item.id)).values(**values))
