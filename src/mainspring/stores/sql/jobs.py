"""Durable work: rows that a process leases, works on and finishes; another process resumes the work of a dead one.

A job is ``waiting``, ``running`` under a lease, or over (``done``, ``failed``, ``cancelled``). The holder of a lease
extends it while it works. A dead process does not: when the lease has expired, another process gets the job, and
``attempts`` is counted. Write all results under the lease (``held``), so that a process that lost it unnoticed changes
nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from cachetools import LRUCache

import mainspring.stores.sql.rows as rows
from mainspring.core.errors import NotFound
from mainspring.stores.schema import jobs
from mainspring.stores.sql.database import Database

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
OVER = (DONE, FAILED, CANCELLED)
_TURNS = 10_000
"""Tenants whose last turn in this process is known."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it was read. ``owner`` is the lease that runs the job; ``cancelled`` says that it should stop."""

    tenant: str
    id: str
    kind: str
    state: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    owner: str = ""
    lease_until: float | None = None
    attempts: int = 0
    cancelled: bool = False
    error: str = ""
    created_at: float = 0.0
    updated_at: float = 0.0
    priority: int = 0


class Jobs:
    """The jobs of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turns: LRUCache[tuple[str, str], float] = LRUCache(_TURNS)
        self._looked_for: set[str] = set()
        self._look: asyncio.Task[frozenset[str]] | None = None
        self._looked_at = 0.0

    async def submit(
        self, tenant: str, job_id: str, kind: str, payload: Mapping[str, Any], *, priority: int = 0
    ) -> None:
        """Queue a job; durable when it returns. Waiting jobs of higher ``priority`` run first."""
        await self._database.write(
            lambda connection: insert(connection, tenant, job_id, kind, payload, priority=priority), durable=True
        )

    async def ensure(self, tenant: str, job_id: str, kind: str) -> None:
        """Queue a job that never finishes, if it does not exist yet: the lease holder does its work."""
        now = time.time()
        values = {"kind": kind, "state": WAITING, "created_at": now, "updated_at": now}
        await self._database.write(
            lambda connection: (
                connection.execute(rows.insert_new(connection, jobs).values(tenant=tenant, id=job_id, **values))
                and None
            ),
            durable=True,
        )

    async def again(self, tenant: str, job_id: str, kind: str, payload: Mapping[str, Any]) -> Job:
        """Queue a repeatable job: returns the one that waits or runs, or a new one that replaces a finished one.
        Durable when it returns."""

        def work(connection: sa.Connection) -> Job:
            now = time.time()
            fresh = {"state": WAITING, "payload": rows.dump(dict(payload)), "attempts": 0, "cancelled": False}
            fresh |= {"error": "", "created_at": now, "updated_at": now}
            new = {"tenant": tenant, "id": job_id, "kind": kind, **fresh}
            connection.execute(rows.insert_new(connection, jobs), new)
            over = sa.update(jobs).where(_is(tenant, job_id), jobs.c.state.in_(OVER))
            connection.execute(over.values(**fresh))
            return _job(connection.execute(sa.select(jobs).where(_is(tenant, job_id))).one())

        return await self._database.write(work, durable=True)

    async def get(self, tenant: str, job_id: str) -> Job:
        """Raises ``NotFound``."""
        query = sa.select(jobs).where(jobs.c.tenant == tenant, jobs.c.id == job_id)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise NotFound(f"there is no job {job_id}")
        return _job(row)

    async def due(self, kind: str, *, within_s: float) -> bool:
        """Whether a job of ``kind`` waits, or its lease has expired, as it was at most ``within_s`` ago.

        One look at the table serves all workers of this process: ``lease`` is a transaction of the single writer, and
        a dozen kinds that each try it once a second are the most that an idle server does.
        """
        now = time.monotonic()
        known = kind in self._looked_for and self._look is not None
        if not known or (self._look_over() and now - self._looked_at > within_s):
            self._looked_for.add(kind)
            self._looked_at = now
            self._look = asyncio.create_task(self._due(tuple(sorted(self._looked_for))), name="jobs: due")
        assert self._look is not None
        # Others wait for the same look.
        return kind in await asyncio.shield(self._look)

    def _look_over(self) -> bool:
        return self._look is None or self._look.done()

    async def _due(self, kinds: tuple[str, ...]) -> frozenset[str]:
        def work(connection: sa.Connection) -> frozenset[str]:
            found = connection.execute(_DUE, {"kinds": kinds, "now": time.time()})
            return frozenset(found.scalars())

        return await self._database.read(work)

    async def lease(self, kind: str, owner: str, lease_s: float) -> Job | None:
        """Lease to ``owner`` the next job of ``kind`` that waits or whose lease has expired; None if there is no such
        job.

        The most urgent ones go first. Of tenants whose jobs are equally urgent, that one has its turn of which the
        fewest run, and then the one that had none here for the longest time: a thousand jobs of one tenant are no line
        for the others. ``owner`` must be a new name each time: it distinguishes this lease from every other.
        """

        def work(connection: sa.Connection) -> Job | None:
            now = time.time()
            row = self._next(connection, kind, now)
            if row is None:
                return None
            taken = {
                "state": RUNNING,
                "owner": owner,
                "lease_until": now + lease_s,
                "attempts": row.attempts + 1,
                "updated_at": now,
            }
            connection.execute(sa.update(jobs).where(_is(row.tenant, row.id)).values(**taken))
            self._turns[kind, row.tenant] = time.monotonic()
            return _job(row, **taken)

        return await self._database.write(work, durable=False)

    def _next(self, connection: sa.Connection, kind: str, now: float) -> sa.Row[Any] | None:
        free = sa.or_(jobs.c.state == WAITING, sa.and_(jobs.c.state == RUNNING, jobs.c.lease_until < now))
        urgency, since = sa.func.max(jobs.c.priority), sa.func.min(jobs.c.created_at)
        lines = sa.select(jobs.c.tenant, urgency, since).where(jobs.c.kind == kind, free).group_by(jobs.c.tenant)
        found = [(row[0], row[1], row[2]) for row in connection.execute(lines)]
        running: dict[str, int] = {}
        if len(found) > 1:
            held = sa.and_(jobs.c.kind == kind, jobs.c.state == RUNNING, jobs.c.lease_until >= now)
            counts = sa.select(jobs.c.tenant, sa.func.count()).where(held).group_by(jobs.c.tenant)
            running = {row[0]: row[1] for row in connection.execute(counts)}

        def turn(line: tuple[str, int, float]) -> tuple[int, int, float, float]:
            tenant, urgent, waits = line
            return -urgent, running.get(tenant, 0), self._turns.get((kind, tenant), 0.0), waits

        for tenant, *_ in sorted(found, key=turn):
            mine = sa.select(jobs).where(jobs.c.kind == kind, jobs.c.tenant == tenant, free)
            first = mine.order_by(jobs.c.priority.desc(), jobs.c.created_at).limit(1)
            # Side by side, each takes another one; SQLite has one writer anyway.
            row = connection.execute(first.with_for_update(skip_locked=True)).one_or_none()
            if row is not None:
                return row
        return None

    async def claim(self, kind: str, owner: str, every_s: float, lease_s: float) -> Job | None:
        """Lease the one recurring job of ``kind`` to ``owner`` if it last ran ``every_s`` ago or longer; None if it is
        too early or another process runs it. ``release`` it when it is done."""

        def work(connection: sa.Connection) -> Job | None:
            now = time.time()
            fresh = {"tenant": "", "id": kind, "kind": kind, "state": WAITING, "created_at": now, "updated_at": 0.0}
            connection.execute(rows.insert_new(connection, jobs), fresh)
            waits = sa.and_(jobs.c.state == WAITING, jobs.c.updated_at <= now - every_s)
            left = sa.and_(jobs.c.state == RUNNING, jobs.c.lease_until < now)
            values = {"state": RUNNING, "owner": owner, "lease_until": now + lease_s, "attempts": jobs.c.attempts + 1}
            taken = sa.update(jobs).where(_is("", kind), sa.or_(waits, left)).values(**values)
            row = connection.execute(taken.returning(*jobs.columns)).one_or_none()
            return None if row is None else _job(row)

        return await self._database.write(work, durable=False)

    async def extend(self, job: Job, lease_s: float) -> Job | None:
        """The job with an extended lease, read again; None if another process holds the lease."""

        def work(connection: sa.Connection) -> Job | None:
            now = time.time()
            mine = sa.update(jobs).where(_is(job.tenant, job.id), jobs.c.state == RUNNING, jobs.c.owner == job.owner)
            row = connection.execute(mine.values(lease_until=now + lease_s).returning(*jobs.columns)).one_or_none()
            return None if row is None else _job(row)

        return await self._database.write(work, durable=False)

    async def release(self, job: Job, *, ran: bool = True) -> None:
        """Give the lease up: the job waits again, for any process; one that has not ``ran`` as if it had not been
        claimed."""
        await self._end(job, WAITING, "", None if ran else job.updated_at)

    async def finish(self, job: Job, state: str = DONE, error: str = "") -> bool:
        """End the job; whether the lease still held."""
        return await self._end(job, state, error)

    async def cancel(self, tenant: str, job_id: str) -> None:
        """Ask the job to stop; its worker learns of it when it extends its lease."""
        wanted = sa.update(jobs).where(_is(tenant, job_id), jobs.c.state.not_in(OVER)).values(cancelled=True)
        await self._database.write(lambda connection: connection.execute(wanted) and None, durable=True)

    async def note(self, job: Job, payload: Mapping[str, Any]) -> bool:
        """Put ``payload`` in place of the job's own; whether the lease still held."""
        mine = sa.and_(_is(job.tenant, job.id), jobs.c.state == RUNNING, jobs.c.owner == job.owner)
        noted = sa.update(jobs).where(mine).values(payload=rows.dump(dict(payload)))
        return bool(await self._database.write(lambda connection: connection.execute(noted).rowcount, durable=True))

    async def _end(self, job: Job, state: str, error: str, at: float | None = None) -> bool:
        def work(connection: sa.Connection) -> bool:
            if not lease_holds(connection, job):
                return False
            end(connection, job, state, error, at)
            return True

        return await self._database.write(work, durable=True)


_DUE = (
    sa.select(jobs.c.kind)
    .distinct()
    .where(
        jobs.c.kind.in_(sa.bindparam("kinds", expanding=True)),
        jobs.c.state.in_((WAITING, RUNNING)),
        sa.or_(jobs.c.state == WAITING, jobs.c.lease_until < sa.bindparam("now")),
    )
)
# Made once: building it takes longer than running it, and every result of a job comes here.
_HELD = (
    sa.select(jobs.c.id)
    .where(
        jobs.c.tenant == sa.bindparam("tenant"),
        jobs.c.id == sa.bindparam("id"),
        jobs.c.state == RUNNING,
        jobs.c.owner == sa.bindparam("owner"),
    )
    .with_for_update()
)


def insert(
    connection: sa.Connection, tenant: str, job_id: str, kind: str, payload: Mapping[str, Any], *, priority: int = 0
) -> None:
    """``Jobs.submit``, in the transaction that writes the job's subject."""
    now = time.time()
    connection.execute(
        sa.insert(jobs).values(
            tenant=tenant,
            id=job_id,
            kind=kind,
            state=WAITING,
            priority=priority,
            payload=rows.dump(dict(payload)),
            created_at=now,
            updated_at=now,
        )
    )


def lease_holds(connection: sa.Connection, job: Job) -> bool:
    """Whether the lease of ``job`` holds, and will until this transaction ends."""
    values = {"tenant": job.tenant, "id": job.id, "owner": job.owner}
    return connection.execute(_HELD, values).first() is not None


def end(connection: sa.Connection, job: Job, state: str, error: str = "", at: float | None = None) -> None:
    """``Jobs.finish``, within the transaction that writes the result; call it after ``held``. ``at``: the recorded time
    of the change (Unix seconds), now by default."""
    values = {"state": state, "owner": "", "lease_until": None, "error": error}
    connection.execute(
        sa.update(jobs).where(_is(job.tenant, job.id)).values(**values, updated_at=time.time() if at is None else at)
    )


def _is(tenant: str, job_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(jobs.c.tenant == tenant, jobs.c.id == job_id)


def _job(row: sa.Row[Any], **changes: Any) -> Job:
    fields = {**row._mapping, **changes}
    return Job(**{**fields, "payload": rows.load(fields["payload"])})
