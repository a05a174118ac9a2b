"""Queues and their versions."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict, NotFound, QuotaExceeded
from mainspring.core.types import Principal
from mainspring.features.review.definition import Definition, Queue
from mainspring.features.review.tables import review_items as items
from mainspring.features.review.tables import review_labels as labels
from mainspring.features.review.tables import review_queues as queues
from mainspring.features.review.tables import review_versions as versions
from mainspring.stores.sql.database import Database

PREFIX = "queue_"


class Queues:
    """The queues of all tenants; ``most`` of each."""

    def __init__(self, database: Database, most: int) -> None:
        self._database = database
        self._most = most

    async def create(self, principal: Principal, name: str, definition: Definition, guideline: str) -> Queue:
        """Raises ``Conflict``: there is one of this name; ``QuotaExceeded``."""
        queue_id, now, tenant = ids.new(PREFIX), time.time(), principal.tenant

        def work(connection: sa.Connection) -> Queue:
            held = sa.select(sa.func.count()).select_from(queues).where(queues.c.tenant == tenant)
            if int(connection.execute(held).scalar_one()) >= self._most:
                raise QuotaExceeded(
                    f"this tenant has {self._most} review queues, the most that review.queues allows",
                    remedy="Delete some",
                )
            values = {"tenant": tenant, "id": queue_id, "name": name, "created_by": principal.person}
            made = rows.insert_new(connection, queues).values(**values, created_at=now, updated_at=now)
            if not connection.execute(made).rowcount:
                raise Conflict(f"there is a review queue {name}", remedy="Choose another name", param="name")
            _version(connection, principal, queue_id, 1, definition, guideline, now)
            return _get(connection, tenant, queue_id)

        return await self._database.write(work, durable=True)

    async def get(self, tenant: str, queue: str) -> Queue:
        """The queue of this id or name. Raises ``NotFound``."""
        return await self._database.read(lambda connection: _get(connection, tenant, queue))

    async def all(self, tenant: str = "") -> list[Queue]:
        """Those of ``tenant`` if given, else of all, by name."""

        def work(connection: sa.Connection) -> list[Queue]:
            query = _query().order_by(queues.c.name)
            query = query.where(queues.c.tenant == tenant) if tenant else query
            return [_queue(row) for row in connection.execute(query)]

        return await self._database.read(work)

    async def change(
        self, principal: Principal, queue: str, definition: Definition | None, guideline: str | None
    ) -> Queue:
        """The next version. Raises ``NotFound``."""
        now = time.time()

        def work(connection: sa.Connection) -> Queue:
            found = _get(connection, principal.tenant, queue, lock=True)
            next_definition = found.definition if definition is None else definition
            next_guideline = found.guideline if guideline is None else guideline
            if (next_definition, next_guideline) == (found.definition, found.guideline):
                return found
            number = found.version + 1
            _version(connection, principal, found.id, number, next_definition, next_guideline, now)
            mine = sa.update(queues).where(queues.c.tenant == found.tenant, queues.c.id == found.id)
            connection.execute(mine.values(version=number, updated_at=now))
            return _get(connection, principal.tenant, found.id)

        return await self._database.write(work, durable=True)

    async def versions(self, tenant: str, queue: str) -> list[sa.Row[Any]]:
        """All of a queue's, newest first. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> list[sa.Row[Any]]:
            found = _get(connection, tenant, queue)
            mine = sa.select(versions).where(versions.c.tenant == tenant, versions.c.queue_id == found.id)
            return list(connection.execute(mine.order_by(versions.c.version.desc()).limit(100)))

        return await self._database.read(work)

    async def delete(self, tenant: str, queue: str) -> Queue:
        """The queue with its items. The events of its labels stay. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> Queue:
            found = _get(connection, tenant, queue, lock=True)
            for table in (labels, items, versions):
                connection.execute(sa.delete(table).where(table.c.tenant == tenant, table.c.queue_id == found.id))
            connection.execute(sa.delete(queues).where(queues.c.tenant == tenant, queues.c.id == found.id))
            return found

        return await self._database.write(work, durable=True)


def _version(
    connection: sa.Connection,
    principal: Principal,
    queue_id: str,
    number: int,
    definition: Definition,
    guideline: str,
    now: float,
) -> None:
    values = {"tenant": principal.tenant, "queue_id": queue_id, "version": number, "created_by": principal.person}
    values |= {"definition": definition.stored(), "guideline": guideline, "created_at": now}
    connection.execute(sa.insert(versions).values(**values))


def _query() -> sa.Select[Any]:
    current = sa.and_(
        versions.c.tenant == queues.c.tenant,
        versions.c.queue_id == queues.c.id,
        versions.c.version == queues.c.version,
    )
    return sa.select(queues, versions.c.definition, versions.c.guideline).join(versions, current)


def _get(connection: sa.Connection, tenant: str, queue: str, *, lock: bool = False) -> Queue:
    named = sa.or_(queues.c.id == queue, queues.c.name == queue)
    if lock:
        connection.execute(sa.select(queues.c.id).where(queues.c.tenant == tenant, named).with_for_update())
    row = connection.execute(_query().where(queues.c.tenant == tenant, named)).first()
    if row is None:
        raise NotFound(f"there is no review queue {queue}", param="queue")
    return _queue(row)


def _queue(row: sa.Row[Any]) -> Queue:
    return Queue(
        tenant=row.tenant,
        id=row.id,
        name=row.name,
        version=row.version,
        definition=Definition.model_validate(rows.load(row.definition)),
        guideline=row.guideline,
        seen=rows.load(row.seen),
        entered=rows.load(row.entered),
        dropped=rows.load(row.dropped),
        created_by=row.created_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
