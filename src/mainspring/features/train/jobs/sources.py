"""What the rows of jobs are made of: recorded before their job, in parts that let other writes pass in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial

import sqlalchemy as sa

from mainspring.features.train.tables import training_jobs, training_sources, training_versions
from mainspring.stores.erase.data_subjects import parts
from mainspring.stores.sql import ids
from mainspring.stores.sql.database import Database

AT_ONCE = 1_000
"""The sources of one transaction: some 30 ms, in which another write waits."""
_AT_ONCE = 200
_ORPHAN_S = 6 * 3600.0
_MOST_JOBS = 10_000
_s, _j, _v = training_sources.c, training_jobs.c, training_versions.c


class Sources:
    """Sources of jobs in all tenants. ``prefix`` begins a job's id, which says when it was made."""

    def __init__(self, database: Database, prefix: str) -> None:
        self._database = database
        self._prefix = prefix

    async def record(self, tenant: str, job_id: str, sources: Mapping[str, str]) -> None:
        """Each source with its kind. They last once a durable write follows; without a job they are swept."""
        ordered = await asyncio.to_thread(sorted, sources)
        for part in parts(ordered, AT_ONCE):
            values = [{"tenant": tenant, "source": each, "job": job_id, "kind": sources[each]} for each in part]
            await self._database.write(partial(_insert, values=values), durable=False)

    async def drop(self, tenant: str, job_id: str) -> None:
        """Delete those of a job."""
        of = sa.and_(_s.tenant == tenant, _s.job == job_id)
        some = sa.select(_s.source).where(of).limit(AT_ONCE)

        def work(connection: sa.Connection) -> int:
            found = list(connection.execute(some).scalars())
            for part in parts(found, _AT_ONCE):
                connection.execute(sa.delete(training_sources).where(of, _s.source.in_(part)))
            return len(found)

        while await self._database.write(work, durable=False):
            pass

    async def sweep(self) -> None:
        """Delete those of jobs that were never recorded: a process was killed in between."""
        before = ids.at(self._prefix, time.time() - _ORPHAN_S)
        for tenant, job_id in await self._database.read(lambda connection: _orphans(connection, before)):
            await self.drop(tenant, job_id)


def _insert(connection: sa.Connection, values: list[dict[str, str]]) -> None:
    for part in parts(values, _AT_ONCE):
        connection.execute(sa.insert(training_sources), list(part))


def _orphans(connection: sa.Connection, before: str) -> list[tuple[str, str]]:
    """The tenants and ids of jobs that have sources, and neither a row nor a version. Steps from job to job, so that
    the sources of each are not read."""
    found: list[tuple[str, str]] = []
    step = sa.select(_s.tenant, _s.job).order_by(_s.tenant, _s.job).limit(1)
    at = connection.execute(step).one_or_none()
    for _ in range(_MOST_JOBS):
        if at is None:
            break
        tenant, job_id = at
        of_job = sa.select(_j.id).where(_j.tenant == tenant, _j.id == job_id)
        of_version = sa.select(_v.job).where(_v.tenant == tenant, _v.job == job_id)
        if job_id < before and connection.execute(sa.union_all(of_job, of_version)).first() is None:
            found.append((tenant, job_id))
        at = connection.execute(step.where(sa.tuple_(_s.tenant, _s.job) > (tenant, job_id))).one_or_none()
    return found
