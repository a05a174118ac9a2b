"""The data of data subjects in training: rows in the folders of jobs, and versions that were made of them.

What a model has learnt cannot be taken out of it. Versions that were made of erased rows, and those made from these,
are marked with the reason; with ``train.on_erasure: withdraw`` a server takes them out of service.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.features.train.data import placing
from mainspring.features.train.jobs.store import OVER, stop_erased
from mainspring.features.train.tables import training_events, training_jobs, training_sources, training_versions
from mainspring.features.train.versions import entering, keeping
from mainspring.features.train.versions.keeping import Places
from mainspring.features.train.versions.store import Row, made_of
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData, parts
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
        self._home = blobs.directory.parent
        self._places = Places(self._home)
        self._audit = Audit(database)

    async def find(
        self,
        subject: Subject,
        held: SubjectData,
        upto: float,  # noqa: ARG002
        groups: frozenset[str] | None = None,
    ) -> Sequence[Mapping[str, Any]]:
        """The jobs and versions that read rows made of the subject's answers; the rows are shown with their exports."""
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

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Take the rows out of the folders of jobs, and mark versions; how many."""
        if subject.kind == "tenant":
            return await self._delete_all(subject.tenant, upto)
        traces = sorted({each.trace_id for each in held.answers.values() if each.trace_id})
        return await self._mark(subject.tenant, sorted(held.answers), traces, ERASED)

    async def forget(self, tenant: str, answers: Sequence[str]) -> None:
        """A document behind these answers is gone: so are the rows that repeat it."""
        await self._mark(tenant, answers, (), DELETED)

    async def forget_documents(self, tenant: str, documents: Sequence[str]) -> None:
        """These documents or collections are gone: so are the rows that say that they repeat them."""
        await self._mark(tenant, documents, (), DELETED)

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
        marked, cleaned = 0, set[tuple[str, int]]()
        # The sources go last: what was killed before finds all again.
        for last in (False, True):

            def work(connection: sa.Connection, last: bool = last) -> tuple[list[tuple[str, bool]], list[Row], int]:
                jobs, versions = made_of(connection, tenant, answers)
                names = [job for job, _ in jobs]
                stop_erased(connection, tenant, names)
                fresh = [row for row in versions if not row.stale]
                for row in fresh:
                    self._mark_one(connection, row, reason)
                own = [row for row in versions if row.job in set(names)]
                for row in own:
                    self._redact(connection, row, frozenset(answers))
                for part in parts([*answers, *traces]) if last else ():
                    of = training_sources.c
                    connection.execute(sa.delete(training_sources).where(of.tenant == tenant, of.source.in_(part)))
                return _ended(connection, tenant, names), own, len(fresh)

            jobs, own, fresh = await self._database.write(work, durable=True, frees=True)
            if not jobs:
                break
            marked += fresh
            for job, ended in jobs if not last else ():
                await asyncio.to_thread(self._clean, job, frozenset(answers), ended)
            for row in own:
                if (row.name, row.number) not in cleaned:
                    cleaned.add((row.name, row.number))
                    place = self._places.version(tenant, row.name, row.number)
                    await asyncio.to_thread(keeping.redact, place, reason)
        return marked

    def _mark_one(self, connection: sa.Connection, row: Row, reason: str) -> None:
        of = training_versions.c
        mine = sa.and_(of.tenant == row.tenant, of.name == row.name, of.number == row.number)
        connection.execute(sa.update(training_versions).where(mine).values(stale=reason, stale_at=time.time()))
        label, details = f"{row.name}@{row.number}", {"reason": reason, "served": bool(row.served)}
        self._audit.append(connection, row.tenant, "training.version.stale", ITSELF, object=label, details=details)

    def _redact(self, connection: sa.Connection, row: Row, answers: frozenset[str]) -> None:
        made = keeping.without(row.made, answers)
        if made != row.made:
            of = training_versions.c
            mine = sa.and_(of.tenant == row.tenant, of.name == row.name, of.number == row.number)
            connection.execute(sa.update(training_versions).where(mine).values(made=made))

    def _clean(self, job: str, answers: frozenset[str], ended: bool) -> None:
        """``ended``: it works no more. The folder of one that works is cleaned by a server after its end."""
        folder = Folder(self._places.job(job))
        if folder.path.exists():
            placing.without(folder.data, answers)
            # Samples repeat prompts of rows.
            (folder.path / "samples.jsonl").unlink(missing_ok=True)
            if ended:
                keeping.forget(folder)

    async def _delete_all(self, tenant: str, upto: float) -> int:
        """Versions in the catalogue leave a row without words until a server has deleted their models."""
        of, made = training_jobs.c, training_versions.c
        entered = await asyncio.to_thread(entering.read, self._home)

        def work(connection: sa.Connection) -> list[str]:
            old = sa.and_(of.tenant == tenant, of.created_at <= upto)
            jobs = list(connection.execute(sa.select(of.id).where(old)).scalars())
            for part in parts(jobs):
                for table in (training_events, training_sources):
                    connection.execute(sa.delete(table).where(table.c.tenant == tenant, table.c.job.in_(part)))
            connection.execute(sa.delete(training_jobs).where(old))
            return jobs

        def last(connection: sa.Connection) -> None:
            for row in connection.execute(sa.select(training_versions).where(gone)).all():
                mine = sa.and_(made.tenant == tenant, made.name == row.name, made.number == row.number)
                if entering.name_of(row) in entered:
                    connection.execute(sa.update(training_versions).where(mine).values(**_WORDLESS, withdrawn_at=now))
                else:
                    connection.execute(sa.delete(training_versions).where(mine))

        now = time.time()
        gone = sa.and_(made.tenant == tenant, made.created_at <= upto)
        # Rows go last: what was killed before finds the folders again.
        query = sa.select(made.name, made.number).where(gone)
        versions = await self._database.read(lambda connection: connection.execute(query).all())
        jobs = await self._database.write(work, durable=True, frees=True)
        for job in jobs:
            await asyncio.to_thread(shutil.rmtree, self._places.job(job), True)
        for row in versions:
            await asyncio.to_thread(shutil.rmtree, self._places.version(tenant, row.name, row.number), True)
        await asyncio.to_thread(_prune, self._places.tenant(tenant))
        await self._database.write(last, durable=True, frees=True)
        return len(jobs)


_WORDLESS = {
    **dict.fromkeys(("made", "data", "asked"), "{}"),
    **dict.fromkeys(("owner", "export", "base", "problem"), ""),
    "groups": "[]",
    "stale": ERASED,
    "state": "erased",
}


def _prune(folder: Path) -> None:
    """Delete the folders of a tenant's versions that are empty."""
    for each in (*folder.glob("*"), folder):
        with contextlib.suppress(OSError):
            each.rmdir()


def _ended(connection: sa.Connection, tenant: str, jobs: Sequence[str]) -> list[tuple[str, bool]]:
    """These jobs, and whether each is over; those that are gone are."""
    over = dict.fromkeys(jobs, True)
    for part in parts(jobs):
        query = sa.select(training_jobs.c.id, training_jobs.c.state)
        query = query.where(training_jobs.c.tenant == tenant, training_jobs.c.id.in_(part))
        over |= {row.id: row.state in OVER for row in connection.execute(query)}
    return list(over.items())


HOLDINGS = (TrainedOn,)
