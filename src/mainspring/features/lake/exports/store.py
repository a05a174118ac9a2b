"""Exports in the database, and their files as blobs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal, cast

import sqlalchemy as sa

import mainspring.stores.documents.blobs as blob_store
import mainspring.stores.sql.database as sql
import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.jobs as jobs_store
import mainspring.stores.sql.pages as pages
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict, NotFound, QuotaExceeded
from mainspring.core.types import Principal
from mainspring.features.lake.exports.asking import ExportRequest
from mainspring.features.lake.exports.settings import ExportBounds
from mainspring.features.lake.exports.tables import (
    lake_export_answers,
    lake_export_copies,
    lake_export_files,
    lake_exports,
)
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import parts
from mainspring.stores.events.audit_log import Actor, Audit
from mainspring.stores.schema import events, jobs
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.jobs import Job
from mainspring.stores.sql.pages import Page, Slice

_DEAD_S = 6 * 3600.0
PREFIX, KIND = "lakeexport-", "lake export"
ExportStatus = Literal["queued", "running", "completed", "failed", "deleted"]


@dataclass(frozen=True, slots=True)
class Export:
    """An export as it is recorded. ``erasures`` are receipts (``at``, ``rows``, ``copies``)."""

    tenant: str
    id: str
    kind: str
    format: str
    name: str
    owner: str
    key_id: str
    groups: frozenset[str]
    asked: Mapping[str, Any]
    status: ExportStatus
    manifest: Mapping[str, Any] = field(default_factory=dict)
    erasures: Sequence[Mapping[str, Any]] = ()
    error: str = ""
    rows: int = 0
    kept: bool = True
    created_at: float = 0.0
    updated_at: float = 0.0


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A file of an export."""

    name: str
    sha256: str
    bytes: int


class ExportStore:
    """The exports of each tenant, for callers with all groups of the key that asked."""

    def __init__(self, database: Database, blobs: Blobs, audit: Audit, bounds: ExportBounds) -> None:
        self._database = database
        self._blobs = blobs
        self._audit = audit
        self._bounds = bounds

    async def create(
        self, principal: Principal, asked: ExportRequest, *, job: bool, trace_id: str = "", export_id: str = ""
    ) -> Export:
        """Record an export, and queue it if ``job``; ``export_id`` empty: a new one. Raises ``QuotaExceeded``."""
        now, tenant = time.time(), principal.tenant
        export_id = export_id or ids.new(PREFIX)
        values: dict[str, Any] = {
            "tenant": tenant,
            "id": export_id,
            "kind": asked.kind,
            "format": asked.format,
            "name": asked.title,
        }
        values |= {"owner": principal.person, "key_id": principal.key_id, "groups": rows.names(principal.groups)}
        values |= {"asked": rows.dump(asked.plain()), "status": "queued" if job else "running"}

        def work(connection: sa.Connection) -> None:
            sql.lock(connection, f"lake exports {tenant}")
            _bury(connection, tenant, now)
            self._check_room(connection, tenant)
            connection.execute(sa.insert(lake_exports), {**values, "created_at": now, "updated_at": now})
            if job:
                jobs_store.insert(connection, tenant, export_id, KIND, {})
            told: dict[str, Any] = {"kind": asked.kind, "format": asked.format, "consent": not asked.override}
            told |= {"reason": asked.override} if asked.override else {}
            action = "lake.export.override" if asked.override else "lake.export"
            self._audit.append(
                connection, tenant, action, Actor(principal.key_id, trace_id), object=export_id, details=told
            )

        await self._database.write(work, durable=True)
        return await self.find(tenant, export_id)

    def _check_room(self, connection: sa.Connection, tenant: str) -> None:
        count = sa.select(sa.func.count()).select_from(lake_exports).where(lake_exports.c.tenant == tenant)
        pending = count.where(lake_exports.c.status.in_(("queued", "running")))
        if connection.execute(pending).scalar_one() >= self._bounds.pending:
            remedy = "Wait for one to end, or raise lake.exports.pending"
            raise QuotaExceeded("this tenant has the maximum number of exports under way", remedy=remedy)
        if connection.execute(count.where(lake_exports.c.kept)).scalar_one() >= self._bounds.kept:
            remedy = "Delete one: DELETE /v1/lake/exports/{id}; or raise lake.exports.kept"
            raise QuotaExceeded(f"this tenant keeps {self._bounds.kept} exports, the maximum", remedy=remedy)

    async def find(self, tenant: str, export_id: str) -> Export:
        """Raises ``NotFound``."""
        query = sa.select(lake_exports).where(_is(tenant, export_id))
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise NotFound(
                f"there is no export {export_id}", remedy="GET /v1/lake/exports lists them", param="export_id"
            )
        return _export(row)

    async def get(self, principal: Principal, export_id: str) -> Export:
        """Raises ``NotFound``, also for one that the caller may not see."""
        found = await self.find(principal.tenant, export_id)
        if not found.groups <= principal.groups:
            raise NotFound(
                f"there is no export {export_id}", remedy="GET /v1/lake/exports lists them", param="export_id"
            )
        return found

    async def page(
        self, principal: Principal, page: Page, answer_id: str | None = None, trace_id: str | None = None
    ) -> Slice[Export]:
        """By age; those with an answer, or with one of a trace. Raises ``InvalidRequest`` for a bad cursor."""
        tenant = principal.tenant
        of = lake_export_answers.c

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            every = sa.select(lake_exports.c.groups).where(lake_exports.c.tenant == tenant).distinct()
            names = [each for each in connection.execute(every).scalars() if set(rows.load(each)) <= principal.groups]
            query = sa.select(lake_exports).where(
                lake_exports.c.tenant == tenant, lake_exports.c.groups.in_(names), lake_exports.c.status != "deleted"
            )
            for answers in _answers(tenant, answer_id, trace_id):
                inside = sa.select(of.export_id).where(of.tenant == tenant, of.answer_id.in_(answers))
                query = query.where(lake_exports.c.id.in_(inside))
            return pages.read(connection, query, (lake_exports.c.id,), page, pages.by_id(PREFIX))

        return (await self._database.read(work)).map(_export)

    async def of_trace(self, principal: Principal, trace_id: str, limit: int) -> list[tuple[Export, list[str]]]:
        """The newest exports with rows of a trace, each with the answers of the trace that are in it."""
        found = (await self.page(principal, Page(limit), None, trace_id)).rows
        of, tenant = lake_export_answers.c, principal.tenant
        (answers,) = _answers(tenant, None, trace_id)
        query = sa.select(of.export_id, of.answer_id).where(
            of.tenant == tenant, of.export_id.in_([each.id for each in found]), of.answer_id.in_(answers)
        )
        inside: dict[str, list[str]] = {each.id: [] for each in found}
        query = query.order_by(of.answer_id)
        for row in await self._database.read(lambda connection: connection.execute(query).all()):
            inside[row.export_id].append(row.answer_id)
        return [(each, inside[each.id]) for each in found]

    async def having(self, tenant: str, answers: Sequence[str]) -> list[str]:
        """The exports that have rows of any of these answers."""
        of = lake_export_answers.c

        def work(connection: sa.Connection) -> set[str]:
            found: set[str] = set()
            for part in parts(list(answers)):
                query = sa.select(of.export_id.distinct()).where(of.tenant == tenant, of.answer_id.in_(part))
                found.update(connection.execute(query).scalars())
            return found

        return sorted(await self._database.read(work))

    async def answers(self, tenant: str, export_id: str, limit: int) -> list[str]:
        """The answers that its rows are made of."""
        of = lake_export_answers.c
        query = sa.select(of.answer_id).where(of.tenant == tenant, of.export_id == export_id)
        query = query.order_by(of.answer_id).limit(limit)
        return list(await self._database.read(lambda connection: connection.execute(query).scalars().all()))

    async def groups(self, tenant: str) -> frozenset[str]:
        """All groups that exports of the tenant need."""
        query = sa.select(lake_exports.c.groups).where(lake_exports.c.tenant == tenant).distinct()
        found = await self._database.read(lambda connection: connection.execute(query).scalars().all())
        return frozenset(group for each in found for group in rows.load(each))

    async def files(self, found: Export) -> list[ExportFile]:
        """The files that are kept."""
        query = sa.select(lake_export_files).where(_of(lake_export_files, found)).order_by(lake_export_files.c.name)
        made = await self._database.read(lambda connection: connection.execute(query).all())
        return [ExportFile(row.name, row.sha256, row.bytes) for row in made]

    async def content(self, found: Export, name: str, key_id: str) -> bytes:
        """The bytes of a file that is handed out now. Raises ``NotFound``."""
        return await self._blobs.get((await self._handed_out(found, name, key_id)).sha256)

    async def copy(self, found: Export, name: str, key_id: str, target: Path) -> None:
        """``content`` into a file, a part at a time. Raises ``NotFound``, ``StoreError``."""
        await self._blobs.copy((await self._handed_out(found, name, key_id)).sha256, target)

    async def _handed_out(self, found: Export, name: str, key_id: str) -> ExportFile:
        file = next((each for each in await self.files(found) if each.name == name), None)
        if file is None:
            raise NotFound(f"{found.id} has no file {name}", param="name")
        values: dict[str, Any] = {"tenant": found.tenant, "export_id": found.id, "sha256": file.sha256, "name": name}
        values |= {"key_id": key_id, "at": time.time()}

        def work(connection: sa.Connection) -> None:
            connection.execute(rows.insert_new(connection, lake_export_copies), values)

        await self._database.write(work, durable=True)
        return file

    async def copies(self, found: Export) -> list[dict[str, Any]]:
        """The versions of files that were handed out."""
        return await self._database.read(lambda connection: copies_of(connection, found.tenant, found.id))

    async def complete(
        self,
        found: Export,
        files: Mapping[str, Path],
        manifest: Mapping[str, Any],
        answers: Iterable[str],
        unchanged: Any,
        job: Job | None,
    ) -> bool | None:
        """Keep the files in one commit with the index of answers, each of which comes once. ``unchanged`` says within
        it whether what the rows were made of is still there; False if not, None if another process has the job, or the
        export is gone."""
        kept = {name: (await self._blobs.put_file(path), path) for name, path in files.items()}

        mine_of = {"tenant": found.tenant, "export_id": found.id}

        def work(connection: sa.Connection) -> bool | None:
            if job is not None and not jobs_store.lease_holds(connection, job):
                return None
            if not unchanged(connection):
                return False
            values = {"status": "completed", "manifest": rows.dump(dict(manifest)), "rows": manifest["rows"]}
            mine = sa.and_(_is(found.tenant, found.id), lake_exports.c.status.in_(("queued", "running")))
            changed = sa.update(lake_exports).where(mine).values(**values, updated_at=time.time())
            if not connection.execute(changed).rowcount:
                return None
            put_files(connection, self._blobs, found.tenant, found.id, kept)
            left = iter(answers)
            while part := [{**mine_of, "answer_id": each} for each in islice(left, 1000)]:
                connection.execute(sa.insert(lake_export_answers), part)
            if job is not None:
                jobs_store.end(connection, job, jobs_store.DONE)
            return True

        done = await self._database.write(work, durable=True)
        if not done:
            await self._discard([sha256 for sha256, _ in kept.values()])
        return done

    async def failed(self, found: Export, error: str) -> None:
        """It ended without files."""
        mine = sa.and_(_is(found.tenant, found.id), lake_exports.c.status.in_(("queued", "running")))
        values = {"status": "failed", "error": error[:1000], "kept": False, "updated_at": time.time()}
        await self._database.write(
            lambda connection: connection.execute(sa.update(lake_exports).where(mine).values(**values)) and None,
            durable=True,
        )

    async def delete(self, found: Export, by: Actor) -> None:
        """Delete the files. What was handed out is still known. Raises ``Conflict`` while it is being made."""
        if found.status in ("queued", "running"):
            raise Conflict(f"{found.id} is {found.status}", remedy="Wait until it has ended", param="export_id")

        def work(connection: sa.Connection) -> None:
            gone = sa.delete(lake_export_files).where(_of(lake_export_files, found))
            for sha256 in connection.execute(gone.returning(lake_export_files.c.sha256)).scalars().all():
                blob_store.discard(connection, sha256)
            values = {"status": "deleted", "kept": False, "updated_at": time.time()}
            connection.execute(sa.update(lake_exports).where(_is(found.tenant, found.id)).values(**values))
            self._audit.append(connection, found.tenant, "lake.export.deleted", by, object=found.id)

        await self._database.write(work, durable=True, frees=True)
        await blob_store.sweep(self._database, self._blobs)

    async def _discard(self, found: Sequence[str]) -> None:
        def work(connection: sa.Connection) -> None:
            for sha256 in found:
                blob_store.discard(connection, sha256)

        await self._database.write(work)
        await blob_store.sweep(self._database, self._blobs)


def _bury(connection: sa.Connection, tenant: str, now: float) -> None:
    """Exports of commands that died: no job will go on with them."""
    old = sa.and_(lake_exports.c.tenant == tenant, lake_exports.c.status == "running")
    job = sa.exists().where(jobs.c.tenant == tenant, jobs.c.id == lake_exports.c.id)
    dead = sa.and_(old, lake_exports.c.updated_at < now - _DEAD_S, ~job)
    values = {"status": "failed", "error": "its process died", "kept": False}
    connection.execute(sa.update(lake_exports).where(dead).values(**values))


def put_files(
    connection: sa.Connection, blobs: Blobs, tenant: str, export_id: str, kept: Mapping[str, tuple[str, Path]]
) -> None:
    """Name files (sha256, where the bytes are) in the place of those of before, whose blobs are discarded."""
    mine = sa.and_(lake_export_files.c.tenant == tenant, lake_export_files.c.export_id == export_id)
    gone = sa.delete(lake_export_files).where(mine).returning(lake_export_files.c.sha256)
    old = set(connection.execute(gone).scalars())
    for name, (sha256, path) in sorted(kept.items(), key=lambda each: each[1][0]):
        if not blob_store.claim(connection, blobs, sha256):
            blobs.write_file(path)
        size = path.stat().st_size
        row = {"tenant": tenant, "export_id": export_id, "name": name, "sha256": sha256, "bytes": size}
        connection.execute(sa.insert(lake_export_files), row)
    for sha256 in sorted(old - {sha256 for sha256, _ in kept.values()}):
        blob_store.discard(connection, sha256)


def copies_of(connection: sa.Connection, tenant: str, export_id: str) -> list[dict[str, Any]]:
    """The versions of files that were handed out, first ones first."""
    of = lake_export_copies.c
    query = sa.select(lake_export_copies).where(of.tenant == tenant, of.export_id == export_id).order_by(of.at)
    return [{"name": row.name, "sha256": row.sha256, "at": row.at} for row in connection.execute(query)]


def _answers(tenant: str, answer_id: str | None, trace_id: str | None) -> Iterable[Any]:
    if answer_id is not None:
        yield [answer_id]
    if trace_id is not None:
        yield sa.select(events.c.subject).where(events.c.tenant == tenant, events.c.trace_id == trace_id)


def _is(tenant: str, export_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(lake_exports.c.tenant == tenant, lake_exports.c.id == export_id)


def _of(table: sa.Table, found: Export) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.tenant == found.tenant, table.c.export_id == found.id)


def _export(row: sa.Row[Any]) -> Export:
    fields = dict(row._mapping)
    for name in ("asked", "manifest", "erasures"):
        fields[name] = rows.load(fields[name])
    fields["groups"] = frozenset(rows.load(row.groups))
    return Export(**{**fields, "status": cast("ExportStatus", row.status)})
