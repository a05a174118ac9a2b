"""A worker of jobs, without a database: how it waits and how it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from mainspring import stores
from mainspring.core.errors import StoreError
from mainspring.core.fair.lane import LANE
from mainspring.core.settings import Settings
from mainspring.stores.sql.jobs import Job, Jobs
from mainspring.stores.sql.worker import Lease, Worker


class Idle:
    """No job, ever. ``asked`` is set when somebody has looked for one."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def lease(self, kind: str, owner: str, lease_s: float) -> Job | None:
        self.asked.set()
        return None

    async def due(self, kind: str, *, within_s: float) -> bool:
        return True

    async def release(self, job: Job, *, ran: bool = True) -> None: ...


async def _nothing(lease: Lease) -> None:
    raise AssertionError(f"there is no job {lease.job.id}")


async def test_a_worker_that_gets_a_job_while_it_closes_still_ends() -> None:
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


class One(Idle):
    """One job of a tenant."""

    def __init__(self) -> None:
        super().__init__()
        self._left: Job | None = Job("acme", "j", "any", "running", owner="w")

    async def lease(self, kind: str, owner: str, lease_s: float) -> Job | None:
        found, self._left = self._left, None
        return found


async def test_a_job_is_worked_on_in_the_turns_of_its_tenant() -> None:
    lanes: list[str] = []
    done = asyncio.Event()

    async def work(_: Lease) -> None:
        lanes.append(LANE.get())
        done.set()

    worker = Worker(cast(Jobs, cast(Any, One())), "any", work, poll_s=3600.0)
    worker.start()
    async with asyncio.timeout(30):
        await done.wait()
        await worker.close()
    assert lanes == ["acme"]
    assert LANE.get() == ""


@pytest.mark.parametrize("turns", range(6))
async def test_what_was_leased_while_it_is_closed_is_given_back(turns: int) -> None:
    """Whether the lease is being written, has been written, or its work is about to begin."""

    class Slow(One):
        def __init__(self) -> None:
            super().__init__()
            self.released: list[str] = []

        async def lease(self, kind: str, owner: str, lease_s: float) -> Job | None:
            found = await super().lease(kind, owner, lease_s)
            await asyncio.sleep(0)
            return found

        async def release(self, job: Job, *, ran: bool = True) -> None:
            self.released.append(job.id)

    async def lasts(_: Lease) -> None:
        await asyncio.sleep(3600)

    jobs = Slow()
    worker = Worker(cast(Jobs, cast(Any, jobs)), "any", lasts, poll_s=3600.0)
    worker.start()
    for _ in range(turns):
        await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await worker.close()
    assert set(jobs.released) == ({"j"} if jobs._left is None else set())


class Damaged(Idle):
    """A database that begins to fail while a job is looked for."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = asyncio.Event()

    async def lease(self, kind: str, owner: str, lease_s: float) -> Job | None:
        self.asked.set()
        await self.fails.wait()
        raise StoreError("the database is damaged", remedy="Restore it")


async def test_a_worker_ends_though_the_database_fails_meanwhile() -> None:
    jobs = Damaged()
    worker = Worker(cast(Jobs, cast(Any, jobs)), "any", _nothing, poll_s=3600.0)
    worker.start()
    await jobs.asked.wait()
    closing = asyncio.create_task(worker.close())
    await asyncio.sleep(0)
    jobs.fails.set()
    async with asyncio.timeout(10):
        await closing


async def test_workers_of_many_kinds_look_together_and_write_nothing(tmp_path: Path) -> None:
    reads = writes = 0
    async with stores.open(Settings(home=tmp_path)) as opened:
        read, write = opened.database.read, opened.database.write

        async def counted(work: Any) -> Any:
            nonlocal reads
            reads += 1
            return await read(work)

        async def written(work: Any, **more: Any) -> Any:
            nonlocal writes
            writes += 1
            return await write(work, **more)

        done = asyncio.Event()

        async def work(lease: Lease) -> None:
            await opened.jobs.finish(lease.job)
            done.set()

        workers = [Worker(opened.jobs, f"kind {number}", work, poll_s=0.2) for number in range(12)]
        for each in workers:
            each.start()
        # Each kind's first look is its own.
        await asyncio.sleep(0.5)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(opened.database, "read", counted)
            patch.setattr(opened.database, "write", written)
            await asyncio.sleep(1.0)
            assert writes == 0
            # About two in each time between two looks of a worker; 60 without sharing them.
            assert 1 <= reads <= 20
        async with asyncio.timeout(30):
            # Another process queues it, which wakes nobody here.
            await opened.jobs.submit("acme", "j", "kind 7", {})
            await done.wait()
        for each in workers:
            await each.close()


async def test_a_lease_that_has_expired_is_due(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        jobs = opened.jobs
        await jobs.submit("acme", "j", "kind", {})
        assert await jobs.due("kind", within_s=0.0)
        assert not await jobs.due("other", within_s=0.0)
        assert await jobs.lease("kind", "me", 0.05) is not None
        assert not await jobs.due("kind", within_s=0.0)
        await asyncio.sleep(0.06)
        assert await jobs.due("kind", within_s=0.0)
