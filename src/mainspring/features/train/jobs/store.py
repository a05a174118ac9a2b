"""Jobs of training in the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.database as sql
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict, MainspringError, NotFound, QuotaExceeded
from mainspring.core.types import Principal
from mainspring.features.train.jobs.sources import Sources
from mainspring.features.train.settings import TrainSettings
from mainspring.features.train.tables import training_events, training_jobs
from mainspring.stores.erase.data_subjects import parts
from mainspring.stores.schema import jobs as queue
from mainspring.stores.sql import ids, pages
from mainspring.stores.sql import jobs as job_store
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.jobs import DONE, Job
from mainspring.stores.sql.pages import Page, Slice
from mainspring.stores.sql.row_access import RowAccess

KIND, PREFIX, EVENT = "training", "ftjob-", "ftevent-"
ORDERS = "order_"
"""The beginning of the digest of a planned order, which makes one job."""
OVER = ("succeeded", "failed", "cancelled")
BUSY = ("queued", "waiting", "paused", "running")
MOST_EVENTS = 500
ERASED = "erased"
"""The wish of a running job whose rows were erased: nothing takes its place."""
SHEDDING, GONE, FORGOTTEN = "shedding", "gone", "forgotten"
"""The wish of a job that is over and whose rows are deleted; were; and so were all texts that it wrote. Nothing begins
from it."""
ROWS_ERASED: Mapping[str, Any] = {
    "code": "rows_erased",
    "message": "rows that it was trained on were erased; order it again with the remaining rows",
    "param": None,
}
Row = sa.Row[Any]


class TrainingJobs:
    """The jobs that a principal may see: those whose groups it has all."""

    def __init__(self, database: Database, settings: TrainSettings) -> None:
        self._database = database
        self._settings = settings
        self.sources = Sources(database, PREFIX)

    async def create(
        self, principal: Principal, job_id: str, values: Mapping[str, Any], sources: Mapping[str, str], state: str
    ) -> str:
        """Record a job after its ``sources``, and queue it if ``state`` is ``queued``; durable when it returns. Returns
        its id, or that of the one that has its ``digest``. Raises ``QuotaExceeded``."""
        tenant, now = principal.tenant, time.time()

        def work(connection: sa.Connection) -> str:
            sql.lock(connection, f"training {tenant}")
            if values["digest"] and (known := _of_digest(connection, tenant, values["digest"])):
                return known
            busy = self._admitted(connection, tenant)
            made = {"tenant": tenant, "id": job_id, "state": state, "key_id": principal.key_id, **values}
            made |= {"owner": principal.person, "created_at": now, "updated_at": now}
            connection.execute(sa.insert(training_jobs).values(**made))
            _tell(connection, tenant, job_id, "The job is recorded.")
            if state == "queued":
                # A tenant's first goes before another's second.
                job_store.insert(connection, tenant, job_id, KIND, {}, priority=-busy)
            return job_id

        made = ""
        try:
            await self.sources.record(tenant, job_id, sources)
            made = await self._database.write(work, durable=True)
        finally:
            if made != job_id:
                await asyncio.shield(self.sources.drop(tenant, job_id))
        return made

    async def admit(self, tenant: str) -> None:
        """Raises ``QuotaExceeded`` if the tenant may order no further job now."""
        await self._database.read(lambda connection: self._admitted(connection, tenant))

    def _admitted(self, connection: sa.Connection, tenant: str) -> int:
        """How many jobs are not over."""
        counted = sa.select(sa.func.count()).select_from(training_jobs).where(training_jobs.c.tenant == tenant)
        busy = self.room(connection, tenant)
        if connection.execute(counted).scalar_one() >= self._settings.kept:
            raise QuotaExceeded(f"{self._settings.kept} training jobs are kept, the maximum", remedy="Delete some")
        return busy

    def room(self, connection: sa.Connection, tenant: str) -> int:
        """How many jobs are not over. Raises ``QuotaExceeded``."""
        query = sa.select(sa.func.count()).select_from(training_jobs)
        mine = sa.and_(training_jobs.c.tenant == tenant, training_jobs.c.state.in_(BUSY))
        busy = int(connection.execute(query.where(mine)).scalar_one())
        if busy >= self._settings.per_tenant:
            raise QuotaExceeded(f"{busy} training jobs are queued or running", remedy="Wait for one, or cancel one")
        return busy

    async def known(self, tenant: str, digest: str) -> str:
        """The job of this digest; empty: there is none."""
        return await self._database.read(lambda connection: _of_digest(connection, tenant, digest)) if digest else ""

    async def ordered(self, principal: Principal, name: str) -> Row:
        """The job of the planned order ``name``. Raises ``NotFound``."""
        return await self.get(principal, await self.known(principal.tenant, name) or name)

    async def get(self, principal: Principal, job_id: str) -> Row:
        """Raises ``NotFound``."""

        def work(connection: sa.Connection) -> Row | None:
            seen = RowAccess(connection, principal.groups).has_all(training_jobs.c.groups)
            return connection.execute(sa.select(training_jobs).where(_is(principal.tenant, job_id), seen)).one_or_none()

        return _found(await self._database.read(work), job_id)

    async def of(self, tenant: str, job_id: str) -> Row:
        """For every caller. Raises ``NotFound``."""
        query = sa.select(training_jobs).where(_is(tenant, job_id))
        return _found(await self._database.read(lambda connection: connection.execute(query).one_or_none()), job_id)

    async def page(self, principal: Principal, page: Page, metadata: Mapping[str, str] | None = None) -> Slice[Row]:
        """Jobs by their ids; those alone that have these ``metadata``."""

        def work(connection: sa.Connection) -> Slice[Row]:
            access = RowAccess(connection, principal.groups)
            query = sa.select(training_jobs).where(
                training_jobs.c.tenant == principal.tenant, access.has_all(training_jobs.c.groups)
            )
            for name, value in (metadata or {}).items():
                query = query.where(access.field(training_jobs.c.metadata, name) == value)
            return pages.read(connection, query, (training_jobs.c.id,), page, pages.by_id(PREFIX))

        return await self._database.read(work)

    async def begin(self, job: Job) -> bool:
        """Under its lease; False if that does not hold, if the job is over, or if rows that it has read were erased:
        the last ends it."""
        now = time.time()

        def work(connection: sa.Connection) -> bool:
            if not job_store.lease_holds(connection, job):
                return False
            state = _state(connection, job.tenant, job.id)
            if state in OVER or erased(connection, job.tenant, job.id):
                end(connection, job.tenant, job.id, "failed")
                job_store.end(connection, job, DONE)
                return False
            values = {"state": "running", "started_at": sa.func.coalesce(training_jobs.c.started_at, now)}
            mine = sa.update(training_jobs).where(_is(job.tenant, job.id))
            connection.execute(mine.values(**values, updated_at=now))
            return True

        return await self._database.write(work, durable=True)

    async def progress(self, job: Job, seconds: float, step: int, deaths: int) -> bool:
        """Note how long it has worked in all, and how far it is."""
        told = {"seconds": seconds, "step": step, "deaths": deaths, "updated_at": time.time()}
        return await self._under(job, told, durable=False)

    async def _under(self, job: Job, values: Mapping[str, Any], *, durable: bool = True) -> bool:
        def work(connection: sa.Connection) -> bool:
            if not job_store.lease_holds(connection, job):
                return False
            connection.execute(sa.update(training_jobs).where(_is(job.tenant, job.id)).values(**values))
            return True

        return await self._database.write(work, durable=durable)

    async def rest(self, job: Job, state: str, message: str) -> bool:
        """It works no further for now (``paused``, ``waiting``): its lease ends."""

        def work(connection: sa.Connection) -> bool:
            if not job_store.lease_holds(connection, job):
                return False
            if erased(connection, job.tenant, job.id):
                end(connection, job.tenant, job.id, "failed")
            else:
                values = {"state": state, "wish": "", "updated_at": time.time()}
                connection.execute(sa.update(training_jobs).where(_is(job.tenant, job.id)).values(**values))
                _tell(connection, job.tenant, job.id, message)
            job_store.end(connection, job, DONE)
            return True

        return await self._database.write(work, durable=True)

    async def end(self, job: Job, state: str, error: Mapping[str, Any] | None = None, version: str = "") -> bool:
        """Under its lease, together with it."""

        def work(connection: sa.Connection) -> bool:
            if not job_store.lease_holds(connection, job):
                return False
            end(connection, job.tenant, job.id, state, error, version)
            job_store.end(connection, job, DONE)
            return True

        return await self._database.write(work, durable=True)

    async def wish(self, row: Row, wanted: str) -> None:
        """``pause`` or ``cancel`` it: at once if nobody works on it, otherwise by the process that does. Raises
        ``Conflict`` for one that is over, or ends because rows were erased."""
        tenant, job_id = row.tenant, row.id

        def work(connection: sa.Connection) -> None:
            state = _state(connection, tenant, job_id)
            if state in OVER or (state == "paused" and wanted == "pause"):
                raise Conflict(f"the job is {state}", remedy="Check its state first", param="job_id")
            if erased(connection, tenant, job_id):
                raise Conflict(f"the job ends: {ROWS_ERASED['message']}", remedy="Wait for its end", param="job_id")
            if state == "running":
                if wanted == "cancel":
                    queued = sa.and_(queue.c.tenant == tenant, queue.c.id == job_id)
                    connection.execute(sa.update(queue).where(queued).values(cancelled=True))
                    connection.execute(sa.update(training_jobs).where(_is(tenant, job_id)).values(wish="cancel"))
                else:
                    connection.execute(sa.update(training_jobs).where(_is(tenant, job_id)).values(wish="pause"))
                return
            _unqueue(connection, tenant, job_id)
            if wanted == "cancel":
                end(connection, tenant, job_id, "cancelled")
            else:
                values = {"state": "paused", "wish": "", "updated_at": time.time()}
                connection.execute(sa.update(training_jobs).where(_is(tenant, job_id)).values(**values))
                _tell(connection, tenant, job_id, "The job is paused.")

        await self._database.write(work, durable=True)

    async def queue(self, tenant: str, job_id: str, states: Sequence[str], message: str) -> None:
        """Have it worked on (again). Raises ``Conflict`` if it is in none of ``states``, ``QuotaExceeded``."""

        def work(connection: sa.Connection) -> None:
            state = _state(connection, tenant, job_id)
            if state not in states:
                raise Conflict(f"the job is {state}", remedy=f"It goes on from {' or '.join(states)}", param="job_id")
            busy = self.room(connection, tenant) if state in OVER else 0
            values: dict[str, Any] = {"state": "queued", "wish": "", "error": "null", "deaths": 0, "ended_at": None}
            values["updated_at"] = time.time()
            kept = sa.and_(_is(tenant, job_id), training_jobs.c.wish.not_in((SHEDDING, GONE, FORGOTTEN)))
            if not connection.execute(sa.update(training_jobs).where(kept).values(**values)).rowcount:
                raise Conflict("its rows are not kept any more", remedy="Order it again", param="job_id")
            _tell(connection, tenant, job_id, message)
            _unqueue(connection, tenant, job_id)
            job_store.insert(connection, tenant, job_id, KIND, {}, priority=-busy)

        await self._database.write(work, durable=True)

    async def waiting(self) -> list[tuple[str, str]]:
        """Those of all tenants that wait for the night."""
        query = sa.select(training_jobs.c.tenant, training_jobs.c.id).where(training_jobs.c.state == "waiting")
        found = await self._database.read(lambda connection: connection.execute(query.limit(1000)).all())
        return [(row.tenant, row.id) for row in found]

    async def tell(self, tenant: str, job_id: str, message: str, level: str = "info") -> None:
        """Add to its messages."""
        await self._database.write(lambda it: _tell(it, tenant, job_id, message, level), durable=False)

    async def without_rows(self) -> list[tuple[str, str]]:
        """The tenants and ids of jobs that ended because rows were erased."""
        of = training_jobs.c
        query = sa.select(of.tenant, of.id).where(of.state == "failed", of.error.like('%"rows_erased"%'))
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [(row.tenant, row.id) for row in found]

    async def among(self, ids: Sequence[str]) -> set[str]:
        """Those of these ids that are jobs, in whatever tenant."""
        of = training_jobs.c

        def work(connection: sa.Connection) -> set[str]:
            queries = (sa.select(of.id).where(of.id.in_(part)) for part in parts(ids))
            return {each for query in queries for each in connection.execute(query).scalars()}

        return await self._database.read(work)

    async def events(self, tenant: str, job_id: str) -> list[Row]:
        """Its messages, oldest first."""
        of = training_events.c
        query = sa.select(training_events).where(of.tenant == tenant, of.job == job_id).order_by(of.id)
        return list(await self._database.read(lambda connection: connection.execute(query).all()))

    async def delete(self, tenant: str, job_id: str) -> None:
        """Forget one that is over. Raises ``Conflict``."""

        def work(connection: sa.Connection) -> None:
            if _state(connection, tenant, job_id) not in OVER:
                raise Conflict("the job has not ended", remedy="Cancel it first", param="job_id")
            _unqueue(connection, tenant, job_id)
            connection.execute(
                sa.delete(training_events).where(training_events.c.tenant == tenant, training_events.c.job == job_id)
            )
            connection.execute(sa.delete(training_jobs).where(_is(tenant, job_id)))

        await self._database.write(work, durable=True)


def end(
    connection: sa.Connection,
    tenant: str,
    job_id: str,
    state: str,
    error: Mapping[str, Any] | None = None,
    version: str = "",
) -> None:
    """Write the end of a job that is not over yet. One whose rows were erased fails for that, unless it has made a
    version: it must not go on."""
    now = time.time()
    if not version and erased(connection, tenant, job_id):
        state, error = "failed", ROWS_ERASED
    values: dict[str, Any] = {"state": state, "wish": "", "updated_at": now, "ended_at": now, "version": version}
    values["error"] = rows.dump(None if error is None else dict(error))
    query = sa.update(training_jobs).where(_is(tenant, job_id), training_jobs.c.state.not_in(OVER))
    if connection.execute(query.values(**values)).rowcount:
        message = f"The job has {state}." if state != "cancelled" else "The job is cancelled."
        if error is not None:
            message = f"The job has failed: {error['message']}"
        if version:
            message = f"The job has succeeded: {version}"
        _tell(connection, tenant, job_id, message, "error" if state == "failed" else "info")


def erased(connection: sa.Connection, tenant: str, job_id: str) -> bool:
    """Whether rows that it works on were erased, and it has not ended for that yet."""
    return _wish(connection, tenant, job_id) == ERASED


def _wish(connection: sa.Connection, tenant: str, job_id: str) -> str | None:
    query = sa.select(training_jobs.c.wish).where(_is(tenant, job_id))
    return connection.execute(query).scalar_one_or_none()


def stop_erased(connection: sa.Connection, tenant: str, jobs: Sequence[str]) -> None:
    """What has begun to learn rows that are erased begins no more from its checkpoints: one that works is notified, all
    others end. What has not begun goes on without the rows."""
    of = training_jobs.c
    for part in parts(jobs):
        mine = sa.and_(of.tenant == tenant, of.id.in_(part))
        running = sa.and_(mine, of.state == "running")
        connection.execute(sa.update(training_jobs).where(running).values(wish=ERASED))
        begun = sa.and_(mine, of.started_at.is_not(None), of.state.in_((*BUSY, "failed")), of.state != "running")
        ended = list(connection.execute(sa.select(of.id).where(begun)).scalars())
        values = {"state": "failed", "error": rows.dump(dict(ROWS_ERASED)), "ended_at": time.time()}
        connection.execute(sa.update(training_jobs).where(begun).values(**values))
        for job_id in ended:
            _unqueue(connection, tenant, job_id)
        # A failure may repeat a row.
        told = sa.and_(training_events.c.tenant == tenant, training_events.c.job.in_(part))
        connection.execute(sa.delete(training_events).where(told, training_events.c.level == "error"))


def told_of(error: MainspringError) -> dict[str, Any]:
    """An error as it is kept with a job."""
    return {"code": error.code, "message": error.told, "param": error.param}


def _tell(connection: sa.Connection, tenant: str, job_id: str, message: str, level: str = "info") -> None:
    values = {"tenant": tenant, "job": job_id, "id": ids.new(EVENT), "at": time.time()}
    counted = sa.select(sa.func.count()).select_from(training_events)
    mine = sa.and_(training_events.c.tenant == tenant, training_events.c.job == job_id)
    if connection.execute(counted.where(mine)).scalar_one() < MOST_EVENTS:
        connection.execute(sa.insert(training_events).values(**values, level=level, message=message[:2000]))


def _unqueue(connection: sa.Connection, tenant: str, job_id: str) -> None:
    mine = sa.and_(queue.c.tenant == tenant, queue.c.id == job_id)
    connection.execute(sa.delete(queue).where(mine))


def _state(connection: sa.Connection, tenant: str, job_id: str) -> str:
    query = sa.select(training_jobs.c.state).where(_is(tenant, job_id)).with_for_update()
    state = connection.execute(query).scalar_one_or_none()
    if state is None:
        raise NotFound(f"there is no training job {job_id:.100}", param="job_id")
    return str(state)


def _of_digest(connection: sa.Connection, tenant: str, digest: str) -> str:
    of = training_jobs.c
    query = sa.select(of.id).where(of.tenant == tenant, of.digest == digest).order_by(of.id).limit(1)
    return connection.execute(query).scalar_one_or_none() or ""


def _found(row: Row | None, job_id: str) -> Row:
    if row is None:
        raise NotFound(f"there is no training job {job_id:.100}", param="job_id")
    return row


def _is(tenant: str, job_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(training_jobs.c.tenant == tenant, training_jobs.c.id == job_id)
