"""Alerts with the times when they were raised and cleared, their notices, and silences."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import sqlalchemy as sa

import mainspring.stores.sql.database as sql
import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.jobs as jobs
import mainspring.stores.sql.pages as pages
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import NotFound, QuotaExceeded
from mainspring.features.monitor.tables import alerts, silences
from mainspring.stores.schema import jobs as jobs_table
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.jobs import Job
from mainspring.stores.sql.pages import Page, Place, Slice

State = Literal["firing", "resolved"]
NOTICE = "alert:"
"""The prefix of the kind of notification jobs; the receiver follows."""
MOST_SILENCES = 100
"""Current ones of a tenant: every look of the watcher reads all."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One time that something went wrong. ``told`` is the last state that was reported to receivers, empty for none."""

    tenant: str
    id: str
    rule: str
    application: str
    name: str
    severity: str
    state: State
    summary: str
    raised_at: float
    details: Mapping[str, Any] = field(default_factory=dict)
    cleared_at: float | None = None
    told: str = ""
    told_at: float | None = None
    acknowledged_by: str = ""
    acknowledged_at: float | None = None

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.tenant, self.rule, self.application, self.name


@dataclass(frozen=True, slots=True)
class Silence:
    """No notices go out for alerts of this rule and application (empty: of any) until then."""

    tenant: str
    id: str
    rule: str
    application: str
    comment: str
    created_by: str
    created_at: float
    until: float

    def covers(self, alert: Alert, now: float) -> bool:
        return (
            self.tenant == alert.tenant
            and self.rule in ("", alert.rule)
            and self.application in ("", alert.application)
            and self.created_at <= now < self.until
        )


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice for a receiver: a job of its own, committed together with its alerts."""

    receiver: str
    tenant: str
    payload: Mapping[str, Any]


class Alerts:
    """The alerts and silences of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self) -> list[Alert]:
        """Alerts that are firing, or whose end was not reported."""
        unsettled = sa.or_(alerts.c.state == "firing", sa.and_(alerts.c.state == "resolved", alerts.c.told == "firing"))
        query = sa.select(alerts).where(unsettled).order_by(alerts.c.raised_at)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [_alert(row) for row in found]

    async def write(self, changed: Sequence[Alert], notices: Sequence[Notice], lease: Job | None) -> bool:
        """Store the current alerts and queue their notices, in one transaction; returns False, and writes nothing, if
        another process holds the lease. An acknowledgement in the meantime stays."""

        def work(connection: sa.Connection) -> bool:
            if lease is not None and not jobs.lease_holds(connection, lease):
                return False
            for each in changed:
                values = {name: getattr(each, name) for name in _WRITTEN} | {"details": rows.dump(each.details)}
                place = sa.update(alerts).where(_is(each.tenant, each.id)).values(**values)
                if not connection.execute(place).rowcount:
                    connection.execute(sa.insert(alerts).values(tenant=each.tenant, id=each.id, **values))
            for notice in notices:
                kind = NOTICE + notice.receiver
                jobs.insert(connection, notice.tenant, ids.new("note_"), kind, notice.payload)
            return True

        return await self._database.write(work, durable=True)

    async def page(self, tenant: str, page: Page, *, state: str | None = None, rule: str | None = None) -> Slice[Alert]:
        """The tenant's alerts by the time at which they were raised. Raises ``InvalidRequest`` for a cursor that is
        none."""

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            query = sa.select(alerts).where(alerts.c.tenant == tenant)
            for column, value in ((alerts.c.state, state), (alerts.c.rule, rule)):
                if value is not None:
                    query = query.where(column == value)

            def place(cursor: str) -> Place | None:
                found = connection.execute(query.where(alerts.c.id == cursor)).one_or_none()
                return None if found is None else (found.raised_at, found.id)

            return pages.read(connection, query, (alerts.c.raised_at, alerts.c.id), page, place)

        return (await self._database.read(work)).map(_alert)

    async def get(self, tenant: str, alert_id: str) -> Alert:
        """Raises ``NotFound``."""
        query = sa.select(alerts).where(_is(tenant, alert_id))
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise NotFound(f"there is no alert {alert_id!r}", param="alert_id")
        return _alert(row)

    async def acknowledge(self, tenant: str, alert_id: str, by: str) -> Alert:
        """Acknowledge an alert: from now on receivers are notified only of its end. The first acknowledgement stays.
        Raises ``NotFound``."""
        found = await self.get(tenant, alert_id)
        if found.acknowledged_by:
            return found
        now = time.time()
        values = {"acknowledged_by": by, "acknowledged_at": now}
        mine = sa.and_(_is(tenant, alert_id), alerts.c.acknowledged_by == "")
        await self._database.write(
            lambda connection: connection.execute(sa.update(alerts).where(mine).values(**values)) and None, durable=True
        )
        return replace(found, acknowledged_by=by, acknowledged_at=now)

    async def acknowledged(self, found: Sequence[Alert]) -> dict[str, tuple[str, float | None]]:
        """Who acknowledged these alerts and when, by id; alerts without acknowledgement are omitted."""
        named = sa.and_(alerts.c.id.in_([each.id for each in found]), alerts.c.acknowledged_by != "")
        query = sa.select(alerts.c.id, alerts.c.acknowledged_by, alerts.c.acknowledged_at).where(named)
        rows_ = await self._database.read(lambda connection: connection.execute(query).all())
        return {row.id: (row.acknowledged_by, row.acknowledged_at) for row in rows_}

    async def silence(self, silence: Silence) -> None:
        """Durable when it returns. Raises ``QuotaExceeded`` for one more than a tenant may have."""
        values = {name: getattr(silence, name) for name in Silence.__slots__}
        current = sa.and_(silences.c.tenant == silence.tenant, silences.c.until > silence.created_at)
        count = sa.select(sa.func.count()).select_from(silences).where(current)

        def work(connection: sa.Connection) -> None:
            sql.lock(connection, f"silences {silence.tenant}")
            if connection.execute(count).scalar_one() >= MOST_SILENCES:
                raise QuotaExceeded(
                    f"this tenant has {MOST_SILENCES} silences, and may have no more", remedy="End some"
                )
            connection.execute(sa.insert(silences).values(**values))

        await self._database.write(work, durable=True)

    async def silences(self, now: float, tenant: str | None = None) -> list[Silence]:
        """Current silences."""
        query = sa.select(silences).where(silences.c.until > now).order_by(silences.c.created_at)
        if tenant is not None:
            query = query.where(silences.c.tenant == tenant)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [Silence(**row._mapping) for row in found]

    async def speak(self, tenant: str, silence_id: str) -> None:
        """End a silence. Raises ``NotFound``."""
        gone = sa.delete(silences).where(silences.c.tenant == tenant, silences.c.id == silence_id)
        if not await self._database.write(lambda connection: connection.execute(gone).rowcount, durable=True):
            raise NotFound(f"there is no silence {silence_id!r}", param="silence_id")

    async def expire(self, before: float) -> None:
        """Delete alerts that were cleared before that time, silences that had ended, and notices that were sent or
        given up."""

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.delete(alerts).where(alerts.c.state == "resolved", alerts.c.cleared_at < before))
            connection.execute(sa.delete(silences).where(silences.c.until < before))
            told = sa.and_(jobs_table.c.kind.startswith(NOTICE), jobs_table.c.state.in_(jobs.OVER))
            connection.execute(sa.delete(jobs_table).where(told, jobs_table.c.updated_at < before))

        await self._database.write(work, durable=False)


_WRITTEN = (
    *("rule", "application", "name", "severity", "state", "summary", "raised_at", "cleared_at", "told", "told_at"),
)


def _is(tenant: str, alert_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(alerts.c.tenant == tenant, alerts.c.id == alert_id)


def _alert(row: sa.Row[Any]) -> Alert:
    return Alert(**{**row._mapping, "details": rows.load(row.details)})
