"""Imports in the database: how far each is, and the events of a piece in one commit with that."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

import sqlalchemy as sa

import mainspring.stores.sql.database as sql
import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.jobs as jobs_store
import mainspring.stores.sql.pages as pages
import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.errors import Conflict, NotFound, QuotaExceeded
from mainspring.core.types import EventRecord, Principal
from mainspring.features.imports.settings import ImportsSettings
from mainspring.features.imports.tables import imports
from mainspring.stores.events.audit_log import Actor, Audit
from mainspring.stores.events.log import EventLog
from mainspring.stores.schema import events
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.jobs import Job
from mainspring.stores.sql.pages import Page, Slice

PREFIX, KIND = "import_", "import"
ImportStatus = Literal["queued", "running", "completed", "failed", "cancelled"]
STATUSES: tuple[ImportStatus, ...] = get_args(ImportStatus)
OVER: tuple[ImportStatus, ...] = ("completed", "failed", "cancelled")
MOST_ERRORS = 100
_DEAD_S = 3600.0


@dataclass(frozen=True, slots=True)
class Import:
    """An import: ``position`` records of its file are done. ``counts``: ``events`` that were written, those that were
    ``known``, records that were ``left_out`` by reason, and ``faulty`` ones. ``errors``: ``record`` and ``message``."""

    tenant: str
    id: str
    source: str
    name: str
    owner: str
    key_id: str
    groups: frozenset[str] = frozenset()
    file_id: str = ""
    digest: str = ""
    application: str = ""
    consent: bool = False
    delete_file: bool = True
    status: ImportStatus = "queued"
    position: int = 0
    slices: int = 0
    counts: Mapping[str, Any] = field(default_factory=dict)
    errors: Sequence[Mapping[str, Any]] = ()
    error: str = ""
    created_at: float = 0.0
    updated_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Piece:
    """The events of some records, up to ``position``."""

    records: Sequence[EventRecord]
    position: int
    left_out: Mapping[str, int]
    errors: Sequence[Mapping[str, Any]]


class Imports:
    """The imports of each tenant. A key sees its own, an admin key those of keys with its groups."""

    def __init__(self, database: Database, audit: Audit, settings: ImportsSettings) -> None:
        self._database = database
        self._audit = audit
        self._settings = settings

    async def create(self, principal: Principal, made: Import, *, job: bool, trace_id: str = "") -> Import:
        """Record an import, and queue its work if ``job``. Raises ``QuotaExceeded``: too many are under way."""
        now = time.time()
        name = cards.scrub(made.name)[:256]
        values = {**_values(made), "id": ids.new(PREFIX), "name": name, "created_at": now, "updated_at": now}

        def work(connection: sa.Connection) -> None:
            sql.lock(connection, f"imports {made.tenant}")
            mine = sa.and_(imports.c.tenant == made.tenant, imports.c.status.not_in(OVER))
            # One of a command that died is taken up when the command is given again.
            mine = sa.and_(mine, (imports.c.file_id != "") | (imports.c.updated_at > now - _DEAD_S))
            count = connection.execute(sa.select(sa.func.count()).select_from(imports).where(mine)).scalar_one()
            if count >= self._settings.pending:
                remedy = "Wait for one to end, cancel one, or raise imports.pending"
                raise QuotaExceeded(f"this tenant has {count} imports under way", remedy=remedy)
            self._forget_oldest(connection, made.tenant)
            connection.execute(sa.insert(imports), values)
            if job:
                jobs_store.insert(connection, made.tenant, f"{values['id']}.0", KIND, {"import": values["id"]})
            by = Actor(principal.key_id, trace_id)
            told = {"source": made.source, "consent": made.consent, "digest": made.digest}
            self._audit.append(connection, made.tenant, "import.begun", by, object=str(values["id"]), details=told)

        await self._database.write(work, durable=True)
        return await self.find(made.tenant, str(values["id"]))

    async def get(self, principal: Principal, import_id: str) -> Import:
        """Raises ``NotFound``, also for one that the caller may not see."""
        made = await self.find(principal.tenant, import_id)
        seen = made.owner in principal.own_keys or made.key_id in principal.own_keys
        if not seen and not ("admin" in principal.scopes and made.groups <= principal.groups):
            raise _unknown(import_id)
        return made

    async def find(self, tenant: str, import_id: str) -> Import:
        """Raises ``NotFound``."""
        query = sa.select(imports).where(imports.c.tenant == tenant, imports.c.id == import_id)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise _unknown(import_id)
        return _import(row)

    async def page(self, principal: Principal, page: Page) -> Slice[Import]:
        """By age. Raises ``InvalidRequest`` for a cursor that is no import's id."""
        mine = imports.c.owner.in_(sorted(principal.own_keys)) | imports.c.key_id.in_(sorted(principal.own_keys))
        seen = sa.and_(imports.c.tenant == principal.tenant, mine)
        if "admin" in principal.scopes:
            # Groups are compared where they are read: no database compares sets alike.
            names = await self._group_names(principal)
            seen = sa.and_(imports.c.tenant == principal.tenant, mine | imports.c.groups.in_(names))

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            return pages.read(connection, sa.select(imports).where(seen), (imports.c.id,), page, pages.by_id(PREFIX))

        return (await self._database.read(work)).map(_import)

    async def _group_names(self, principal: Principal) -> list[str]:
        query = sa.select(imports.c.groups).where(imports.c.tenant == principal.tenant).distinct()
        found = await self._database.read(lambda connection: connection.execute(query).scalars().all())
        return [each for each in found if frozenset(rows.load(each)) <= principal.groups]

    async def unfinished(self, tenant: str, source: str, digest: str, owner: str) -> Import | None:
        """The import of this file that broke off."""
        query = sa.select(imports).where(
            *(imports.c.tenant == tenant, imports.c.source == source, imports.c.digest == digest),
            *(imports.c.owner == owner, imports.c.status.in_(("queued", "running")), imports.c.file_id == ""),
        )
        row = await self._database.read(lambda connection: connection.execute(query.limit(1)).one_or_none())
        return None if row is None else _import(row)

    async def cancel(self, made: Import) -> None:
        """Stop it; what is imported stays. Raises ``Conflict`` if it is over."""
        mine = sa.and_(imports.c.tenant == made.tenant, imports.c.id == made.id, imports.c.status.not_in(OVER))
        ended = sa.update(imports).where(mine).values(status="cancelled", updated_at=time.time())
        if not await self._database.write(lambda connection: connection.execute(ended).rowcount, durable=True):
            raise Conflict(f"{made.id} is {made.status}", param="import_id")

    async def add(self, made: Import, piece: Piece, job: Job | None) -> Import | None:
        """Write a piece's events that are new, and how far the import is; None if it was cancelled, or is another
        process's by now."""

        def work(connection: sa.Connection) -> Import | None:
            if job is not None and not jobs_store.lease_holds(connection, job):
                return None
            row = connection.execute(_one(made).with_for_update()).one_or_none()
            if row is None or row.status in OVER or row.position != made.position:
                return None
            new = _new(connection, made.tenant, piece.records)
            EventLog.within(connection, new)
            now = _import(row)
            values = {
                "status": "running",
                "position": piece.position,
                "counts": rows.dump(_added(now.counts, piece, len(new))),
                "errors": rows.dump([*now.errors, *piece.errors][:MOST_ERRORS]),
                "updated_at": time.time(),
            }
            connection.execute(sa.update(imports).where(_is(made)).values(**values))
            return _import(connection.execute(_one(made)).one())

        return await self._database.write(work, durable=True)

    async def pause(self, made: Import, job: Job) -> None:
        """Let others go first: the rest is a job of its own, behind those that wait."""

        def work(connection: sa.Connection) -> None:
            if not jobs_store.lease_holds(connection, job):
                return
            connection.execute(sa.update(imports).where(_is(made)).values(slices=made.slices + 1))
            jobs_store.end(connection, job, jobs_store.DONE)
            name = f"{made.id}.{made.slices + 1}"
            jobs_store.insert(connection, made.tenant, name, KIND, {"import": made.id})

        await self._database.write(work, durable=True)

    async def end(self, made: Import, status: ImportStatus, error: str = "") -> None:
        """Say that it is over, unless it is already."""
        mine = sa.and_(_is(made), imports.c.status.not_in(OVER))
        ended = sa.update(imports).where(mine).values(status=status, error=error[:1000], updated_at=time.time())
        await self._database.write(lambda connection: connection.execute(ended) and None, durable=True)

    def _forget_oldest(self, connection: sa.Connection, tenant: str) -> None:
        over = sa.and_(imports.c.tenant == tenant, imports.c.status.in_(OVER))
        kept = sa.select(imports.c.id).where(over).order_by(imports.c.id.desc()).offset(self._settings.kept - 1)
        gone = connection.execute(kept.limit(100)).scalars().all()
        connection.execute(sa.delete(imports).where(imports.c.tenant == tenant, imports.c.id.in_(gone)))


def _new(connection: sa.Connection, tenant: str, records: Sequence[EventRecord]) -> list[EventRecord]:
    """Those of ``records`` that are not recorded yet, each once."""
    unique = {record.id: record for record in reversed(records)}
    names = sorted(unique)
    for start in range(0, len(names), 400):
        part = names[start : start + 400]
        query = sa.select(events.c.id).where(events.c.tenant == tenant, events.c.id.in_(part))
        for known in connection.execute(query).scalars():
            del unique[known]
    return [record for record in records if unique.get(record.id) is record]


def _added(counts: Mapping[str, Any], piece: Piece, new: int) -> dict[str, Any]:
    left_out = dict(counts.get("left_out", {}))
    for reason, number in piece.left_out.items():
        left_out[reason] = left_out.get(reason, 0) + number
    return {
        "events": counts.get("events", 0) + new,
        "known": counts.get("known", 0) + len(piece.records) - new,
        "faulty": counts.get("faulty", 0) + len(piece.errors),
        "left_out": left_out,
    }


def _one(made: Import) -> sa.Select[Any]:
    return sa.select(imports).where(_is(made))


def _is(made: Import) -> sa.ColumnElement[bool]:
    return sa.and_(imports.c.tenant == made.tenant, imports.c.id == made.id)


def _unknown(import_id: str) -> NotFound:
    return NotFound(f"there is no import {import_id}", remedy="GET /v1/imports lists them", param="import_id")


def _values(made: Import) -> dict[str, Any]:
    values = {column.name: getattr(made, column.name) for column in imports.columns}
    return {
        **values,
        "groups": rows.names(made.groups),
        "counts": rows.dump(dict(made.counts)),
        "errors": rows.dump(list(made.errors)),
    }


def _import(row: sa.Row[Any]) -> Import:
    fields = dict(row._mapping)
    fields["groups"] = frozenset(rows.load(row.groups))
    fields["counts"], fields["errors"] = rows.load(row.counts), rows.load(row.errors)
    return Import(**{**fields, "status": cast("ImportStatus", row.status)})
