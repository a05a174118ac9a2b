"""Counts of the traffic by application and time, with the position that their reader has reached in the event log."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import sqlalchemy as sa

import mainspring.stores.events.feed as feed
import mainspring.stores.sql.jobs as jobs
import mainspring.stores.sql.rows as rows
from mainspring.features.monitor.tables import tallies
from mainspring.stores.schema import watermarks
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.jobs import Job


@dataclass(frozen=True, slots=True)
class TallyRow:
    """Counts of one application over ``span`` seconds from ``at``, as JSON."""

    tenant: str
    application: str
    span: int
    at: int
    counted: Mapping[str, Any]


class StoredTallies(Sequence[TallyRow]):
    """Rows whose JSON is parsed on access, in a thread of its own if there are many."""

    def __init__(self, found: Sequence[sa.Row[Any]]) -> None:
        self._found = found

    def __len__(self) -> int:
        return len(self._found)

    @overload
    def __getitem__(self, index: int) -> TallyRow: ...

    @overload
    def __getitem__(self, index: slice) -> list[TallyRow]: ...

    def __getitem__(self, index: int | slice) -> TallyRow | list[TallyRow]:
        return [_row(row) for row in self._found[index]] if isinstance(index, slice) else _row(self._found[index])


class Tallies:
    """The counts of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(
        self,
        span: int,
        since: float,
        until: float | None = None,
        *,
        tenant: str | None = None,
        application: str | None = None,
    ) -> list[TallyRow]:
        """Rows of ``span`` that start at ``since`` or later and before ``until``, oldest first."""
        found = await self.rows(span, since, until, tenant=tenant, application=application)
        # The rows of weeks take a while to be parsed.
        return await asyncio.to_thread(list, found) if len(found) > _FEW else list(found)

    async def rows(
        self,
        span: int,
        since: float,
        until: float | None = None,
        *,
        tenant: str | None = None,
        application: str | None = None,
    ) -> StoredTallies:
        """The same, still to be parsed."""
        query = sa.select(tallies).where(tallies.c.span == span, tallies.c.at >= since).order_by(tallies.c.at)
        if until is not None:
            query = query.where(tallies.c.at < until)
        for column, value in ((tallies.c.tenant, tenant), (tallies.c.application, application)):
            if value is not None:
                query = query.where(column == value)
        return StoredTallies(await self._database.read(lambda connection: connection.execute(query).all()))

    async def known(self, tenant: str | None = None) -> list[tuple[str, str]]:
        """(tenant, application) of all that is counted."""
        query = sa.select(tallies.c.tenant, tallies.c.application).distinct()
        if tenant is not None:
            query = query.where(tallies.c.tenant == tenant)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return sorted((row.tenant, row.application) for row in found)

    async def write(self, changed: Sequence[TallyRow], name: str, position: int, lease: Job | None) -> bool:
        """Replace the stored rows by these and record that the reader ``name`` has reached ``position``, in one
        transaction; returns False, and writes nothing, if another process holds the lease."""

        def work(connection: sa.Connection) -> bool:
            if lease is not None and not jobs.lease_holds(connection, lease):
                return False
            for each in changed:
                place = sa.and_(
                    tallies.c.tenant == each.tenant,
                    tallies.c.application == each.application,
                    tallies.c.span == each.span,
                    tallies.c.at == each.at,
                )
                counted = rows.dump(each.counted)
                if not connection.execute(sa.update(tallies).where(place).values(counted=counted)).rowcount:
                    of = {"tenant": each.tenant, "application": each.application, "span": each.span, "at": each.at}
                    connection.execute(sa.insert(tallies).values(**of, counted=counted))
            feed.move(connection, name, position)
            return True

        return await self._database.write(work, durable=False)

    async def expire(self, span: int, before: float) -> None:
        """Forget those of ``span`` that began before then."""
        old = sa.delete(tallies).where(tallies.c.span == span, tallies.c.at < before)
        await self._database.write(lambda connection: connection.execute(old) and None, durable=False)

    async def accepted(self) -> dict[tuple[str, str], float]:
        """The time since which the traffic of an application (tenant, name) counts as normal, if an operator said
        so."""
        query = sa.select(watermarks).where(watermarks.c.name.startswith(_ACCEPTED, autoescape=True))
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return {(row.tenant, row.name.removeprefix(_ACCEPTED)): row.position for row in found}

    async def accept(self, tenant: str, application: str, since: float) -> None:
        """Traffic from ``since`` on counts as normal for this application."""
        await self._database.write(
            lambda connection: feed.move(connection, f"{_ACCEPTED}{application}", since, tenant), durable=True
        )


_ACCEPTED = "accepted:"
# This many rows are parsed faster than a thread starts.
_FEW = 50


def _row(row: sa.Row[Any]) -> TallyRow:
    return TallyRow(row.tenant, row.application, row.span, row.at, rows.load(row.counted))
