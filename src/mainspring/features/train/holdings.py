"""The data of data subjects in training: rows in the folders of jobs, and versions that were made of them.

What a model has learnt cannot be taken out of it. Versions that were made of erased rows, and those made from these,
are marked with the reason; with ``train.on_erasure: withdraw`` a server takes them out of service.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.features.train.data import placing
from mainspring.features.train.jobs.store import BUSY
from mainspring.features.train.tables import training_events, training_jobs, training_sources, training_versions
from mainspring.features.train.versions.keeping import Places
from mainspring.features.train.versions.store import Row, made_of
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Held, Subject, parts
from mainspring.stores.events.audit_log import ITSELF, Audit
from mainspring.stores.sql.database import Database
from mainspring.training.folder import Folder

ERASED = "rows that it was made of were erased"
DELETED = "a document behind rows that it was made of was deleted"
_MOST_TOLD = 200
UNLEARNT = "the consent to learn from rows that it was made of was withdrawn"


class TrainedOn:
    """What was trained on a subject's answers, in all tenants."""

    name = "training"

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._places = Places(blobs.directory.parent)
        self._audit = Audit(database)

    async def find(
        self,
        subject: Subject,
        held: Held,
        upto: float,  # noqa: ARG002
        groups: frozenset[str] | None = None,
    ) -> Sequence[Mapping[str, Any]]:
        """The jobs and versions that read rows made of the subject's answers; the rows are told with their exports."""
        if subject.kind == "tenant":
            return []
        answers = sorted(held.answers)
        jobs, versions = await self._database.read(lambda it: made_of(it, subject.tenant, answers))
        seen = [row for row in versions if groups is None or frozenset(rows.load(row.groups)) <= groups]
        told: list[Mapping[str, Any]] = [
            {"type": "trained_version", "version": f"{row.name}@{row.number}", "makes": row.makes, "job": row.job}
            for row in seen
        ]
        known = {row.job for row in seen}
        return told + [{"type": "training_job", "job": job} for job, state in jobs if state and job in known]

    async def erase(self, subject: Subject, held: Held, upto: float) -> int:
        """Take the rows out of the folders of jobs, and mark versions; how many."""
        if subject.kind == "tenant":
            return await self._delete_all(subject.tenant, upto)
        traces = sorted({each.trace_id for each in held.answers.values() if each.trace_id})
        return await self._mark(subject.tenant, sorted(held.answers), traces, ERASED)

    async def forget(self, tenant: str, answers: Sequence[str]) -> None:
        """A document behind these answers is gone: so are the rows that repeat it."""
        await self._mark(tenant, answers, (), DELETED)

    async def unlearn(self, tenant: str, answers: Sequence[str]) -> int:
        """Nothing may be learnt from these answers any more; the number of versions that are marked."""
        return await self._mark(tenant, answers, (), UNLEARNT)

    async def remains(self, tenant: str, since: float) -> Sequence[str]:
        """See ``Remains``: the versions that were made of erased rows."""
        of = training_versions.c
        query = sa.select(of.name, of.number).where(of.tenant == tenant, of.stale == ERASED, of.stale_at >= since)
        query = query.where(of.state == "ready").order_by(of.name, of.number).limit(_MOST_TOLD)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [f"the trained version {row.name}@{row.number}, which is marked as stale" for row in found]

    async def _mark(self, tenant: str, answers: Sequence[str], traces: Sequence[str], reason: str) -> int:
        jobs, _ = await self._database.read(lambda connection: made_of(connection, tenant, answers))
        if not jobs:
            return 0
        for job, _state in jobs:
            await asyncio.to_thread(self._clean, job, frozenset(answers))

        def work(connection: sa.Connection) -> int:
            again, versions = made_of(connection, tenant, answers)
            names = [job for job, _ in again]
            self._stop(connection, tenant, names)
            fresh = [row for row in versions if not row.stale]
            for row in fresh:
                self._mark_one(connection, row, reason)
            for part in parts([*answers, *traces]):
                of = training_sources.c
                connection.execute(sa.delete(training_sources).where(of.tenant == tenant, of.source.in_(part)))
            return len(fresh)

        return await self._database.write(work, durable=True, frees=True)

    def _mark_one(self, connection: sa.Connection, row: Row, reason: str) -> None:
        of = training_versions.c
        mine = sa.and_(of.tenant == row.tenant, of.name == row.name, of.number == row.number)
        connection.execute(sa.update(training_versions).where(mine).values(stale=reason, stale_at=time.time()))
        label, details = f"{row.name}@{row.number}", {"reason": reason, "served": bool(row.served)}
        self._audit.append(connection, row.tenant, "training.version.stale", ITSELF, object=label, details=details)

    def _stop(self, connection: sa.Connection, tenant: str, jobs: Sequence[str]) -> None:
        """What has begun to learn the rows begins no more from its checkpoints; what has not goes on without them."""
        of = training_jobs.c
        for part in parts(jobs):
            mine = sa.and_(of.tenant == tenant, of.id.in_(part))
            running = sa.and_(mine, of.state == "running")
            connection.execute(sa.update(training_jobs).where(running).values(wish="erased"))
            begun = sa.and_(mine, of.started_at.is_not(None), of.state.in_((*BUSY, "failed")), of.state != "running")
            error = rows.dump({"code": "rows_erased", "message": f"{ERASED}; order it again", "param": None})
            values = {"state": "failed", "error": error, "ended_at": time.time()}
            connection.execute(sa.update(training_jobs).where(begun).values(**values))

    def _clean(self, job: str, answers: frozenset[str]) -> None:
        folder = Folder(self._places.job(job))
        if folder.path.exists():
            placing.without(folder.data, answers)
            # Samples repeat prompts of rows.
            (folder.path / "samples.jsonl").unlink(missing_ok=True)

    async def _delete_all(self, tenant: str, upto: float) -> int:
        def work(connection: sa.Connection) -> list[str]:
            of = training_jobs.c
            old = sa.and_(of.tenant == tenant, of.created_at <= upto)
            jobs = list(connection.execute(sa.select(of.id).where(old)).scalars())
            for part in parts(jobs):
                for table in (training_events, training_sources):
                    connection.execute(sa.delete(table).where(table.c.tenant == tenant, table.c.job.in_(part)))
            connection.execute(sa.delete(training_jobs).where(old))
            gone = sa.and_(training_versions.c.tenant == tenant, training_versions.c.created_at <= upto)
            values = {"stale": ERASED, "state": "deleted", "withdrawn_at": time.time(), "made": "{}", "data": "{}"}
            connection.execute(sa.update(training_versions).where(gone).values(**values))
            return jobs

        jobs = await self._database.write(work, durable=True, frees=True)
        for job in jobs:
            await asyncio.to_thread(shutil.rmtree, self._places.job(job), True)
        await asyncio.to_thread(shutil.rmtree, self._places.tenant(tenant), True)
        return len(jobs)


HOLDINGS = (TrainedOn,)
