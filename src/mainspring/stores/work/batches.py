"""Batches: many requests in one file, answered line by line. Each answer is stored once, whichever process gave it.

A batch and its job are written in one commit, and so are the last of them: its files, its status and the job's end.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa

import mainspring.stores.documents.blobs as blob_store
import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.jobs as jobs
import mainspring.stores.sql.pages as pages
import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.errors import Conflict, NotFound
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.types import Principal
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.documents.files import ANSWERS
from mainspring.stores.documents.files import PREFIX as FILE_PREFIX
from mainspring.stores.keys.quotas import Quotas
from mainspring.stores.schema import batch_lines, batches, events, files
from mainspring.stores.schema import jobs as jobs_table
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.jobs import Job
from mainspring.stores.sql.pages import Page, Slice

PREFIX = "batch_"
KIND = "batch"
Status = Literal["validating", "in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled"]
OVER: tuple[Status, ...] = ("completed", "failed", "expired", "cancelled")


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch. ``scopes`` and ``groups`` are those of its key at its creation. ``times`` holds Unix seconds by the
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
    output_expires_s: int | None = None


class Batches:
    """The batches of each tenant; a key sees those of keys of the same groups."""

    def __init__(self, database: Database, blobs: Blobs, quotas: Quotas | None = None) -> None:
        self._database = database
        self._quotas = quotas or Quotas(database)
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
        output_expires_s: int | None = None,
    ) -> Batch:
        """A new batch and the job that answers it; durable when it returns. Its files of answers live for
        ``output_expires_s`` (None: for ever)."""
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
            metadata=cards.scrubbed(metadata),
            output_expires_s=output_expires_s,
        )

        def work(connection: sa.Connection) -> Batch:
            self._quotas.hold(connection, batch.tenant, "batches")
            connection.execute(sa.insert(batches).values(**_columns(batch)))
            jobs.insert(connection, batch.tenant, batch.id, KIND, {})
            return batch

        return await self._database.write(work, durable=True)

    async def get(self, tenant: str, batch_id: str, *, groups: frozenset[str] | None = None) -> Batch:
        """The batch, if keys of these ``groups`` may see it (None: for its worker). Raises ``NotFound``."""
        query = sa.select(batches).where(_is(tenant, batch_id))
        if groups is not None:
            query = query.where(batches.c.groups == rows.names(groups))
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise NotFound(f"there is no batch {batch_id}", remedy="GET /v1/batches lists them", param="batch_id")
        return _batch(row)

    async def page(
        self, tenant: str, page: Page, *, groups: frozenset[str], endpoint: str | None = None
    ) -> Slice[Batch]:
        """A page of the batches (of ``endpoint`` only), by age. Raises ``InvalidRequest`` for a cursor that is no
        batch's id."""
        query = sa.select(batches).where(batches.c.tenant == tenant, batches.c.groups == rows.names(groups))
        if endpoint is not None:
            query = query.where(batches.c.endpoint == endpoint)

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

    async def delete(self, tenant: str, batch_id: str) -> None:
        """Forget a batch that is over, and its lines; its files are others' concern. Raises ``NotFound``."""
        mine = sa.and_(_is(tenant, batch_id), batches.c.status.in_(OVER))

        def work(connection: sa.Connection) -> int:
            gone = connection.execute(sa.delete(batches).where(mine)).rowcount
            if gone:
                connection.execute(sa.delete(batch_lines).where(_of(tenant, batch_id)))
            return gone

        if not await self._database.write(work, durable=True):
            raise NotFound(f"there is no batch {batch_id}", remedy="GET /v1/batches lists them", param="batch_id")

    async def begin(self, job: Job, total: int) -> bool:
        """The file was found good, and lines are being answered; whether the lease held. A batch that is being
        cancelled stays so."""

        def work(connection: sa.Connection) -> bool:
            if not jobs.lease_holds(connection, job):
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
        """Store the answer to a line if none is stored and the lease holds; returns whether it was stored."""
        line = cards.scrub_json(line)
        row = {"tenant": job.tenant, "batch_id": job.id, "number": number, "succeeded": succeeded, "line": line}
        column = batches.c.completed if succeeded else batches.c.failed

        def work(connection: sa.Connection) -> bool:
            if not jobs.lease_holds(connection, job):
                return False
            if connection.execute(rows.insert_new(connection, batch_lines), row).rowcount == 0:
                return False
            counted = sa.update(batches).where(_is(job.tenant, job.id))
            connection.execute(counted.values({column.name: column + 1}))
            return True

        return await self._database.write(work)

    async def finalize(self, job: Job) -> Status | None:
        """All lines are answered: returns the batch's new status, ``cancelling`` if it was to be cancelled, and None if
        the lease is lost."""

        def work(connection: sa.Connection) -> Status | None:
            if not jobs.lease_holds(connection, job):
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
            if not jobs.lease_holds(connection, job):
                return False
            for row, data in made.values():
                # Deleting another file of the same bytes may have taken the blob since it was written.
                if not blob_store.claim(connection, self._blobs, row["sha256"]):
                    self._blobs.write(data)
                connection.execute(sa.insert(files).values(**row))
            values: dict[str, Any] = {f"{name}_file_id": row["id"] for name, (row, _) in made.items()}
            times = rows.dump({**batch.times, status: time.time()})
            values |= {"status": status, "errors": rows.dump(cards.scrubbed(list(errors))), "times": times}
            connection.execute(sa.update(batches).where(_is(job.tenant, job.id)).values(**values))
            connection.execute(sa.delete(batch_lines).where(_of(job.tenant, job.id)))
            jobs.end(connection, job, _ENDS[status])
            return True

        return await self._database.write(work, durable=True)

    async def forget(self, tenant: str, answers: Collection[str]) -> None:
        """Take answers, named by their ids, out of kept lines and of files; their lines say that they were erased."""
        for batch_id, output_file_id, gone in await self._database.read(lambda it: _with_any(it, tenant, answers)):
            mine = _of(tenant, batch_id)

            def lines(connection: sa.Connection, mine: Any = mine, gone: set[str] = gone) -> None:
                kept = connection.execute(sa.select(batch_lines.c.number, batch_lines.c.line).where(mine)).all()
                for row in kept:
                    if (line := without(row.line, gone)) != row.line:
                        changed = sa.update(batch_lines).where(mine, batch_lines.c.number == row.number)
                        connection.execute(changed.values(line=line))

            await self._database.write(lines, durable=True)
            if output_file_id is not None:
                await self._rewrite(tenant, output_file_id, gone)

    async def _rewrite(self, tenant: str, file_id: str, gone: set[str]) -> None:
        mine = sa.and_(files.c.tenant == tenant, files.c.id == file_id)
        query = sa.select(files.c.sha256).where(mine)
        old = await self._database.read(lambda connection: connection.execute(query).scalar_one_or_none())
        if old is None:
            return
        text = (await self._blobs.get(old)).decode()
        data = "".join(f"{without(line, gone)}\n" for line in text.removesuffix("\n").split("\n")).encode()
        if data == text.encode():
            return
        new = await self._blobs.put(data)

        def work(connection: sa.Connection) -> None:
            if not blob_store.claim(connection, self._blobs, new):
                self._blobs.write(data)
            changed = sa.update(files).where(mine, files.c.sha256 == old)
            held = connection.execute(changed.values(sha256=new, bytes=len(data))).rowcount
            blob_store.discard(connection, old if held else new)

        await self._database.write(work, durable=True)
        await blob_store.sweep(self._database, self._blobs)


def without(line: str, answers: Collection[str]) -> str:
    """A line of a batch's file, without its answer if that is one of ``answers``."""
    if not any(answer.partition("_")[2] in line for answer in answers):
        return line
    said = json.loads(line)
    if answer_of((said["response"] or {}).get("body") or {}) not in answers:
        return line
    error = {"code": "erased", "message": "a document that this answer was made of was deleted"}
    return rows.dump({**said, "response": None, "error": error})


def answer_of(body: Mapping[str, Any]) -> str:
    """The id of the answer in the body of a line; its protocol may show it under a prefix of its own."""
    shown = body.get("id")
    prefix, _, digits = shown.partition("_") if isinstance(shown, str) else ("", "", "")
    return f"ans_{digits}" if prefix in ("ans", "resp", "msg") else ""


def _with_any(
    connection: sa.Connection, tenant: str, answers: Collection[str]
) -> list[tuple[str, str | None, set[str]]]:
    """The batches that may hold some of ``answers``, with their output files and those: of the same key, and in
    progress when the answer was given."""
    found: dict[tuple[str, str | None], set[str]] = {}
    for answer in sorted(answers):
        given = sa.select(events.c.at, events.c.facts).where(
            events.c.tenant == tenant, events.c.kind == "answer", events.c.subject == answer
        )
        for event in connection.execute(given):
            key_id = AnswerFacts.from_json(rows.load(event.facts)).key_id
            its = sa.select(batches.c.id, batches.c.output_file_id, batches.c.status, batches.c.times).where(
                batches.c.tenant == tenant, batches.c.key_id == key_id, batches.c.created_at <= event.at
            )
            for row in connection.execute(its):
                if row.status not in OVER or max(rows.load(row.times).values()) >= event.at:
                    found.setdefault((row.id, row.output_file_id), set()).add(answer)
    return [(batch_id, file_id, gone) for (batch_id, file_id), gone in found.items()]


_ENDS = {"completed": jobs.DONE, "expired": jobs.DONE, "failed": jobs.FAILED, "cancelled": jobs.CANCELLED}


def _is(tenant: str, batch_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(batches.c.tenant == tenant, batches.c.id == batch_id)


def _of(tenant: str, batch_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(batch_lines.c.tenant == tenant, batch_lines.c.batch_id == batch_id)


def _file(batch: Batch, name: str, sha256: str, size: int) -> dict[str, Any]:
    """A row of ``files`` with the access of the batch."""
    now = time.time()
    return {
        "tenant": batch.tenant,
        "id": ids.new(FILE_PREFIX),
        "name": f"{batch.id}_{name}.jsonl",
        "bytes": size,
        "sha256": sha256,
        "purpose": ANSWERS,
        "created_at": now,
        "groups": rows.names(batch.groups),
        "expires_at": None if batch.output_expires_s is None else now + batch.output_expires_s,
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
