"""What people did with answers, over time: answers, feedback and outcomes without their texts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import sqlalchemy as sa

from mainspring.core.types import EventRecord
from mainspring.stores.events.tolerant import facts_of
from mainspring.stores.schema import events
from mainspring.stores.sql.database import Database

KINDS = ("answer", "feedback", "outcome")
_AT_ONCE = 5_000


async def uses(database: Database, tenant: str, since: float, until: float) -> AsyncIterator[Sequence[EventRecord]]:
    """The tenant's events of ``KINDS`` from ``since`` to before ``until`` (Unix seconds), by time, in pieces."""
    wanted = (events.c.id, events.c.at, events.c.kind, events.c.subject, events.c.facts, events.c.person)
    base = (
        sa.select(*wanted)
        .where(events.c.tenant == tenant, events.c.kind.in_(KINDS), events.c.at >= since, events.c.at < until)
        .order_by(events.c.at, events.c.id)
        .limit(_AT_ONCE)
    )
    after: tuple[float, str] | None = None
    while True:
        query = base
        if after is not None:
            query = base.where(sa.tuple_(events.c.at, events.c.id) > sa.tuple_(*map(sa.literal, after)))
        found = await database.read(lambda connection, query=query: _records(connection, query, tenant))  # type: ignore[misc]
        if found:
            yield found
        if len(found) < _AT_ONCE:
            return
        after = (found[-1].at, found[-1].id)


def _records(connection: sa.Connection, query: sa.Select[Any], tenant: str) -> list[EventRecord]:
    return [
        EventRecord(row.id, row.at, tenant, "", row.subject, facts_of(row, "eval online"), person=row.person)
        for row in connection.execute(query)
    ]
