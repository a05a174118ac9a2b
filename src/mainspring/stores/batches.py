"""Batches: many requests in one file, answered line by line; each answer is kept once, whoever gave it.

A batch and its job are written in one commit, and so are the last of them: its files, its status and the job's end.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa

import mainspring.stores.blobs as blob_store
import mainspring.stores.ids as ids
import mainspring.stores.jobs as jobs
import mainspring.stores.pages as pages
import mainspring.stores.rows as rows
from mainspring.errors import Conflict, NotFound
from mainspring.stores.blobs import Blobs
from mainspring.stores.database import Database
from mainspring.stores.files import PREFIX as FILE_PREFIX
from mainspring.stores.jobs import Job
from mainspring.stores.pages import Page, Slice
from mainspring.stores.schema import batch_lines, batches, files
from mainspring.stores.schema import jobs as jobs_table
from mainspring.types import Principal

PREFIX = "batch_"
KIND = "batch"
Status = Literal["validating", "in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled"]
OVER: tuple[Status, ...] = ("completed", "failed", "expired", "cancelled")


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch. ``scopes`` and ``groups`` are those of its key when it was made. ``times`` holds Unix seconds by the
    status that began then; ``errors`` are OpenAI's objects of ``code``, ``message``, ``param`` and ``line``."""

    tenant: str
    id: str
    key_id: str
    scopes: frozenset[str]
    groups: frozenset[str]
    endpoint: str
    input_file_id: str
    completion_window: str
    created_at: float
    expires_at: float
    status: Status = "validating"
    metadata: Mapping[str, str] = field(default_factory=dict)
    errors: Sequence[Mapping[str, Any]] = ()
    times: Mapping[str, float] = field(default_factory=dict)
    total: int = 0
    completed: int = 0
    failed: int = 0
    output_file_id: str | None = None
    error_file_id: str | None = None


class Batches:
    """The batches of each tenant; a key sees those of keys of the same groups."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    async def create(
        self,
        principal: Principal,
        *,
        endpoint: str,
        input_file_id: str,
        window: str,
        window_s: float,
        metadata: Mapping[str, str],
    ) -> Batch:
        """A new batch and the job that answers it; durable when it returns."""
        now = time.time()
        batch = Batch(
            tenant=principal.tenant,
            id=ids.new(PREFIX),
            key_id=principal.key_id,
            scopes=principal.scopes,
            groups=principal.groups,
            endpoint=endpoint,
            input_file_id=input_file_id,
            completion_window=window,
            created_at=now,
            expires_at=now + window_s,
            metadata=metadata,
        )

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.insert(batches).values(**_columns(batch)))
            jobs.insert(connection, batch.tenant, batch.id, KIND, {})

        await self._database.write(work, durable=True)
        return batch

    async def get(self, tenant: str, batch_id: str, *, groups: frozenset[str] | None = None) -> Batch:
        """The batch, as keys of these ``groups`` may see it (None: whoever works on it). Raises ``NotFound``."""
        query = sa.select(batches).where(_is(tenant, batch_id))
        if groups is not None:
            query = query.where(batches.c.groups == rows.names(groups))
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise NotFound(f"there is no batch {batch_id}", remedy="GET /v1/batches lists them", param="batch_id")
        return _batch(row)

    async def page(self, tenant: str, page: Page, *, groups: frozenset[str]) -> Slice[Batch]:
        """A page of the batches, by age. Raises ``InvalidRequest`` for a cursor that is no batch's id."""
        query = sa.select(batches).where(batches.c.tenant == tenant, batches.c.groups == rows.names(groups))

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            return pages.read(connection, query, (batches.c.id,), page, pages.by_id(PREFIX))

        return (await self._database.read(work)).map(_batch)

    async def cancel(self, tenant: str, batch_id: str, *, groups: frozenset[str]) -> Batch:
        """Have the batch stopped. Raises ``NotFound``, and ``Conflict`` for one that is over."""
        mine = sa.and_(_is(tenant, batch_id), batches.c.groups == rows.names(groups))

        def work(connection: sa.Connection) -> Batch | None:
            row = connection.execute(sa.select(batches).where(mine).with_for_update()).one_or_none()
            if row is None or row.status in (*OVER, "finalizing"):
                return None if row is None else _batch(row)
            if row.status != "cancelling":
                times = {**rows.load(row.times), "cancelling": time.time()}
                values = {"status": "cancelling", "times": rows.dump(times)}
                connection.execute(sa.update(batches).where(mine).values(**values))
                wanted = sa.update(jobs_table).where(jobs_table.c.tenant == tenant, jobs_table.c.id == batch_id)
                connection.execute(wanted.values(cancelled=True))
            return _batch(connection.execute(sa.select(batches).where(mine)).one())

        found = await self._database.write(work, durable=True)
        if found is None:
            raise NotFound(f"there is no batch {batch_id}", remedy="GET /v1/batches lists them", param="batch_id")
        if found.status != "cancelling":
            raise Conflict(f"{batch_id} is {found.status} and cannot be cancelled", param="batch_id")
        return found

    async def begin(self, job: Job, total: int) -> bool:
        """The file was found good, and lines are being answered; whether the lease held. A batch that is being
        cancelled stays so."""

        def work(connection: sa.Connection) -> bool:
            if not jobs.held(connection, job):
                return False
            row = connection.execute(sa.select(batches).where(_is(job.tenant, job.id)).with_for_update()).one()
            values: dict[str, Any] = {"total": total}
            if row.status == "validating":
                times = {**rows.load(row.times), "in_progress": time.time()}
                values |= {"status": "in_progress", "times": rows.dump(times)}
            connection.execute(sa.update(batches).where(_is(job.tenant, job.id)).values(**values))
            return True

        return await self._database.write(work)

    async def answered(self, tenant: str, batch_id: str) -> set[int]:
        """The numbers of the lines that were answered."""
        query = sa.select(batch_lines.c.number).where(_of(tenant, batch_id))
        found = await self._database.read(lambda connection: connection.execute(query).scalars().all())
        return set(found)

    async def record(self, job: Job, number: int, line: str, *, succeeded: bool) -> bool:
        """Keep the answer to a line, where none is kept and the lease holds; whether it was kept."""
        row = {"tenant": job.tenant, "batch_id": job.id, "number": number, "succeeded": succeeded, "line": line}
        column = batches.c.completed if succeeded else batches.c.failed

        def work(connection: sa.Connection) -> bool:
            if not jobs.held(connection, job):
                return False
            if connection.execute(rows.insert_new(connection, batch_lines), row).rowcount == 0:
                return False
            counted = sa.update(batches).where(_is(job.tenant, job.id))
            connection.execute(counted.values({column.name: column + 1}))
            return True

        return await self._database.write(work)

    async def finalize(self, job: Job) -> Status | None:
        """All lines are answered: the batch's status from now on, which is ``cancelling`` where it was to be cancelled;
        None where the lease is lost."""

        def work(connection: sa.Connection) -> Status | None:
            if not jobs.held(connection, job):
                return None
            row = connection.execute(sa.select(batches).where(_is(job.tenant, job.id)).with_for_update()).one()
            if row.status == "cancelling":
                return "cancelling"
            times = rows.dump({**rows.load(row.times), "finalizing": time.time()})
            changed = sa.update(batches).where(_is(job.tenant, job.id))
            connection.execute(changed.values(status="finalizing", times=times))
            return "finalizing"

        return await self._database.write(work)

    async def finish(self, job: Job, status: Status, errors: Sequence[Mapping[str, Any]] = ()) -> bool:
        """Write the answered lines to files and end the batch and its job, in one commit; whether the lease held."""
        batch = await self.get(job.tenant, job.id)
        query = sa.select(batch_lines.c.line, batch_lines.c.succeeded).where(_of(job.tenant, job.id))
        ordered = query.order_by(batch_lines.c.number)
        found = await self._database.read(lambda connection: connection.execute(ordered).all())
        made: dict[str, tuple[dict[str, Any], bytes]] = {}
        for name, succeeded in (("output", True), ("error", False)):
            data = "".join(f"{row.line}\n" for row in found if row.succeeded is succeeded).encode()
            if data:
                made[name] = _file(batch, name, await self._blobs.put(data), len(data)), data

        def work(connection: sa.Connection) -> bool:
            if not jobs.held(connection, job):
                return False
            for row, data in made.values():
                # Deleting another file of the same bytes may have taken the blob since it was written.
                if not blob_store.claim(connection, self._blobs, row["sha256"]):
                    self._blobs.write(data)
                connection.execute(sa.insert(files).values(**row))
            values: dict[str, Any] = {f"{name}_file_id": row["id"] for name, (row, _) in made.items()}
            times = rows.dump({**batch.times, status: time.time()})
            values |= {"status": status, "errors": rows.dump(list(errors)), "times": times}
            connection.execute(sa.update(batches).where(_is(job.tenant, job.id)).values(**values))
            connection.execute(sa.delete(batch_lines).where(_of(job.tenant, job.id)))
            jobs.end(connection, job, _ENDS[status])
            return True

        return await self._database.write(work, durable=True)


_ENDS = {"completed": jobs.DONE, "expired": jobs.DONE, "failed": jobs.FAILED, "cancelled": jobs.CANCELLED}


def _is(tenant: str, batch_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(batches.c.tenant == tenant, batches.c.id == batch_id)


def _of(tenant: str, batch_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(batch_lines.c.tenant == tenant, batch_lines.c.batch_id == batch_id)


def _file(batch: Batch, name: str, sha256: str, size: int) -> dict[str, Any]:
    """A row of ``files``, for whoever sees the batch."""
    return {
        "tenant": batch.tenant,
        "id": ids.new(FILE_PREFIX),
        "name": f"{batch.id}_{name}.jsonl",
        "bytes": size,
        "sha256": sha256,
        "purpose": "batch_output",
        "created_at": time.time(),
        "groups": rows.names(batch.groups),
    }


def _columns(batch: Batch) -> dict[str, Any]:
    fields = {column.name: getattr(batch, column.name) for column in batches.columns}
    for name in ("scopes", "groups"):
        fields[name] = rows.names(fields[name])
    return {**fields, **{name: rows.dump(fields[name]) for name in ("metadata", "errors", "times")}}


def _batch(row: sa.Row[Any]) -> Batch:
    fields = dict(row._mapping)
    for name in ("scopes", "groups"):
        fields[name] = frozenset(rows.load(fields[name]))
    return Batch(**{**fields, **{name: rows.load(fields[name]) for name in ("metadata", "errors", "times")}})
