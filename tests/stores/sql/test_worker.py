"""A worker of jobs, without a database: how it waits and how it ends."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from mainspring.stores.sql.jobs import Job, Jobs
from mainspring.stores.sql.worker import Lease, Worker


class Idle:
    """No job, ever. ``asked`` is set when somebody has looked for one."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def lease(self, kind: str, owner: str, lease_s: float) -> Job | None:
        self.asked.set()
        return None


async def _nothing(lease: Lease) -> None:
    raise AssertionError(f"there is no job {lease.job.id}")


async def test_a_worker_that_is_told_of_a_job_as_it_is_closed_still_ends() -> None:
    jobs = Idle()
    worker = Worker(cast(Jobs, cast(Any, jobs)), "any", _nothing, poll_s=3600.0)
    worker.start()
    await jobs.asked.wait()
    for _ in range(3):
        await asyncio.sleep(0)
    # What wakes it and what ends it come in one turn of the loop.
    worker.soon()
    async with asyncio.timeout(30):
        await worker.close()
