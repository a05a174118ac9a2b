"""What becomes of runs that nobody works on: those whose approval was decided go on, old ones are deleted."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa

from mainspring.features.runs.settings import RunsSettings
from mainspring.features.runs.store.runs import OPEN, delete_runs, is_run, leased, one, queue_again, stop
from mainspring.features.runs.tables import run_sessions, run_steps, runs
from mainspring.stores.schema import approvals
from mainspring.stores.schema import jobs as jobs_table
from mainspring.stores.sql.database import Database


def _waits() -> sa.Select[Any]:
    """Runs that wait for approvals, one of which was decided or expired before ``now``."""
    decided = sa.and_(
        approvals.c.tenant == run_steps.c.tenant,
        approvals.c.id == run_steps.c.approval_id,
        sa.or_(approvals.c.status != "pending", approvals.c.expires_at <= sa.bindparam("now", type_=sa.Float)),
    )
    asked = sa.and_(run_steps.c.tenant == runs.c.tenant, run_steps.c.run_id == runs.c.id, run_steps.c.state == "asked")
    asks = sa.exists(sa.select(run_steps.c.path).where(asked, sa.exists().where(decided)))
    doubts = sa.exists(
        sa.select(run_steps.c.path).where(
            run_steps.c.tenant == runs.c.tenant, run_steps.c.run_id == runs.c.id, run_steps.c.state == "unknown"
        )
    )
    return sa.select(runs.c.tenant, runs.c.id).where(runs.c.state == "waiting", asks, ~doubts).limit(100)


def _left() -> sa.Select[Any]:
    """Attended runs whose process is dead ``now``, and which nobody takes up."""
    lease = sa.and_(jobs_table.c.tenant == runs.c.tenant, jobs_table.c.id == runs.c.id)
    held = jobs_table.c.lease_until >= sa.bindparam("now", type_=sa.Float)
    alive = sa.exists(sa.select(jobs_table.c.id).where(lease, held))
    return sa.select(runs.c.tenant, runs.c.id).where(runs.c.state == "running", runs.c.attended, ~alive).limit(100)


# Made once: a server asks them every second, and making them takes longer than running them.
_WAITS, _LEFT = _waits(), _left()


class Upkeep:
    """Looks after the runs of all tenants."""

    def __init__(self, database: Database, settings: RunsSettings) -> None:
        self._database = database
        self._settings = settings

    async def wake(self) -> int:
        """Queue runs that waited for approvals, one of which was decided or has expired, and note those whose process
        is dead and that nobody takes up; how many were queued."""
        now = {"now": time.time()}
        found, dead = await self._database.read(
            lambda connection: (connection.execute(_WAITS, now).all(), connection.execute(_LEFT, now).all())
        )

        def work(connection: sa.Connection) -> int:
            count = 0
            for row in found:
                state = sa.select(runs.c.state).where(is_run(row.tenant, row.id)).with_for_update()
                if connection.execute(state).scalar_one_or_none() == "waiting":
                    queue_again(connection, row.tenant, row.id)
                    count += 1
            for row in dead:
                run = one(connection, row.tenant, row.id)
                if run.attended and run.state == "running" and not leased(connection, run):
                    stop(connection, run, "interrupted")
            return count

        return await self._database.write(work, durable=True) if found or dead else 0

    async def expire(self) -> int:
        """Delete runs that have stood still, and states of sessions that have not changed, for longer than they are
        kept; how many runs."""
        if not self._settings.retention_days:
            return 0
        before = time.time() - self._settings.retention_days * 86_400

        def work(connection: sa.Connection) -> int:
            old = sa.and_(runs.c.state.not_in(OPEN), runs.c.updated_at < before)
            found = connection.execute(sa.select(runs.c.tenant, runs.c.id).where(old).limit(200)).all()
            for row in found:
                delete_runs(connection, row.tenant, [row.id])
            connection.execute(sa.delete(run_sessions).where(run_sessions.c.updated_at < before))
            return len(found)

        count = 0
        while found := await self._database.write(work, durable=True):
            count += found
        return count
