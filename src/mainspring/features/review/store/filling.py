"""Writes what enters queues: a page of the event log at a time, under a lease, with the position behind it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.jobs as jobs
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import NotFound, QuotaExceeded
from mainspring.evaluation.strata import chosen
from mainspring.features.review.definition import MANUAL, REST, Queue
from mainspring.features.review.tables import review_items as items
from mainspring.features.review.tables import review_queues as queues
from mainspring.stores.events import feed
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.jobs import Job

PREFIX = "item_"
OPEN, ADJUDICATE, DONE = "open", "adjudicate", "done"


@dataclass(frozen=True, slots=True)
class Arrived:
    """An answer with its ``stratum`` when it was settled, and the certain ones that later facts put it in. ``new``: the
    answer itself is of this page, and is counted."""

    tenant: str
    id: str
    trace_id: str
    application: str
    at: float
    stratum: str
    later: Sequence[str] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    new: bool = True


@dataclass(slots=True)
class _Room:
    """A queue while a page is written: what its counts become, and how many more items it takes."""

    queue: Queue
    left: int
    seen: Counter[str]
    entered: Counter[str]
    dropped: Counter[str]


class Filling:
    """Writes items; at most ``most_open`` wait in a queue, and it has ``most`` in all."""

    def __init__(self, database: Database, most_open: int, most: int) -> None:
        self._database = database
        self._most_open = most_open
        self._most = most

    async def write(
        self, found: Sequence[tuple[Queue, Sequence[Arrived]]], reader: str, position: int, lease: Job
    ) -> Counter[str] | None:
        """Write a page with the position behind it, in one commit; how many items are new by tenant, None if the lease
        is lost."""

        def work(connection: sa.Connection) -> Counter[str] | None:
            if not jobs.lease_holds(connection, lease):
                return None
            count: Counter[str] = Counter()
            for queue, arrived in found:
                room = self._room(connection, queue)
                if room is not None:
                    count[queue.tenant] += sum(_take(connection, room, each) for each in arrived)
                    _count(connection, room)
            feed.move(connection, reader, position)
            return count

        return await self._database.write(work, durable=False)

    async def put(self, queue: Queue, arrived: Sequence[Arrived]) -> list[str]:
        """Put these answers there, whatever the rule says; returns the ids of their items, known ones too. Raises
        ``QuotaExceeded``, ``NotFound``."""

        def work(connection: sa.Connection) -> list[str]:
            room = self._room(connection, queue)
            if room is None:
                raise NotFound(f"there is no review queue {queue.id}", param="queue")
            made = []
            for each in arrived:
                item_id = _known(connection, queue, each.id)
                if item_id is None:
                    if room.left <= 0:
                        raise QuotaExceeded(
                            f"{self._most_open} items wait in {queue.name}, the most that review.open_items allows",
                            remedy="Label some",
                        )
                    item_id = _insert(connection, room, each, MANUAL, None)
                made.append(item_id)
            _count(connection, room)
            return made

        return await self._database.write(work, durable=True)

    def _room(self, connection: sa.Connection, queue: Queue) -> _Room | None:
        mine = sa.and_(queues.c.tenant == queue.tenant, queues.c.id == queue.id)
        row = connection.execute(sa.select(queues).where(mine).with_for_update()).one_or_none()
        if row is None:
            return None
        of = sa.and_(items.c.tenant == queue.tenant, items.c.queue_id == queue.id)
        held = sa.select(sa.func.count()).select_from(items).where(of)
        waiting = int(connection.execute(held.where(items.c.state != DONE)).scalar_one())
        entered = Counter(rows.load(row.entered))
        left = min(self._most_open - waiting, self._most - entered.total())
        return _Room(queue, left, Counter(rows.load(row.seen)), entered, Counter(rows.load(row.dropped)))


def _take(connection: sa.Connection, room: _Room, each: Arrived) -> int:
    """Count the answer, and add it if the rule says so; the number of new items."""
    rule = room.queue.definition.rule
    if rule.applications and each.application not in rule.applications:
        return 0
    if each.at < room.queue.created_at:
        return 0
    first = rule.stratum(each.stratum)
    low = ["low"] if any(each.scores.get(name, 1.0) < bound for name, bound in rule.below.items()) else []
    moved = next((found for name in (*each.later, *low) if (found := rule.stratum(name)) != REST), "")
    stratum = first if first != REST else moved or REST
    if each.new:
        room.seen[stratum] += 1
        if not chosen(each.id, rule.probability(stratum)):
            return 0
        return _enter(connection, room, each, stratum)
    if stratum == REST or first != REST:
        return 0
    return _move(connection, room, each, stratum)


def _move(connection: sa.Connection, room: _Room, each: Arrived, stratum: str) -> int:
    """An answer of the rest turned out to be of a certain stratum."""
    mine = _is(room.queue, each.id)
    row = connection.execute(sa.select(items.c.id, items.c.stratum).where(mine)).one_or_none()
    if row is not None and row.stratum != REST:
        return 0
    if row is None and not _enter(connection, room, each, stratum):
        return 0
    if row is not None:
        connection.execute(sa.update(items).where(mine).values(stratum=stratum, probability=1.0))
        room.entered[REST] -= 1
        room.entered[stratum] += 1
    room.seen[REST] -= 1
    room.seen[stratum] += 1
    return int(row is None)


def _enter(connection: sa.Connection, room: _Room, each: Arrived, stratum: str) -> int:
    if room.left <= 0:
        room.dropped[stratum] += 1
        return 0
    _insert(connection, room, each, stratum, room.queue.definition.rule.probability(stratum))
    return 1


def _insert(connection: sa.Connection, room: _Room, each: Arrived, stratum: str, probability: float | None) -> str:
    queue, item_id = room.queue, ids.new(PREFIX)
    double = chosen(each.id, queue.definition.labelling.double, queue.id)
    values: dict[str, Any] = {"tenant": queue.tenant, "id": item_id, "queue_id": queue.id, "answer_id": each.id}
    values |= {"trace_id": each.trace_id, "application": each.application, "answered_at": each.at}
    values |= {"stratum": stratum, "probability": probability, "turn": room.entered[stratum], "state": OPEN}
    values |= {"needs": 2 if double else 1, "added_at": time.time()}
    if connection.execute(rows.insert_new(connection, items).values(**values)).rowcount:
        room.entered[stratum] += 1
        room.left -= 1
    return item_id


def _known(connection: sa.Connection, queue: Queue, answer_id: str) -> str | None:
    return connection.execute(sa.select(items.c.id).where(_is(queue, answer_id))).scalar_one_or_none()


def _count(connection: sa.Connection, room: _Room) -> None:
    values = {name: rows.dump(_plain(getattr(room, name))) for name in ("seen", "entered", "dropped")}
    mine = sa.and_(queues.c.tenant == room.queue.tenant, queues.c.id == room.queue.id)
    connection.execute(sa.update(queues).where(mine).values(**values))


def _plain(counts: Counter[str]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def _is(queue: Queue, answer_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(items.c.tenant == queue.tenant, items.c.queue_id == queue.id, items.c.answer_id == answer_id)


def by_tenant(found: Iterable[Queue]) -> dict[str, list[Queue]]:
    """The queues of each tenant."""
    made: dict[str, list[Queue]] = {}
    for each in found:
        made.setdefault(each.tenant, []).append(each)
    return made
