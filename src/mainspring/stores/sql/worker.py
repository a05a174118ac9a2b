"""A worker of durable jobs: leases them, renews their leases during the work, and takes up jobs that others left."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

import mainspring.stores.sql.ids as ids
from mainspring.core.errors import MainspringError, StoreError
from mainspring.core.fair.lane import LANE
from mainspring.stores.sql.jobs import FAILED, Job, Jobs

_log = logging.getLogger(__name__)
# How often within its time a lease is extended and the wish to stop is checked.
_PATIENCE, _LOOK_S = 3, 2.0


class Lease:
    """A job that is being worked on. ``cancelled`` is set when it should stop, ``lost`` when another process holds the
    lease."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.cancelled = asyncio.Event()
        self.lost = asyncio.Event()
        if job.cancelled:
            self.cancelled.set()

    @property
    def stopped(self) -> bool:
        return self.cancelled.is_set() or self.lost.is_set()


Work = Callable[[Lease], Awaitable[None]]
"""Does a job, and ends it under its lease (``Jobs.finish`` or ``jobs.end``). The function can be repeated from any
point."""


GiveUp = Callable[[Lease, Exception], Awaitable[None]]
"""Ends a job that broke off too often, and its subject."""


class Worker:
    """Runs jobs of one kind, ``parallel`` at a time. A job that raises is tried again when its lease has passed; one
    that was leased ``attempts`` times by then is given up: by ``give_up``, or failed."""

    def __init__(
        self,
        jobs: Jobs,
        kind: str,
        work: Work,
        *,
        parallel: int = 1,
        lease_s: float = 30.0,
        poll_s: float = 1.0,
        attempts: int = 20,
        give_up: GiveUp | None = None,
    ) -> None:
        self._jobs = jobs
        self._kind = kind
        self._work = work
        self._parallel = parallel
        self._lease_s = lease_s
        self._poll_s = poll_s
        self._attempts = attempts
        self._give_up = give_up
        self._wake = asyncio.Event()
        self._running: dict[asyncio.Task[None], Job] = {}
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, with what earlier processes left."""
        self._loop = asyncio.create_task(self._lease_all(), name=f"jobs: {self._kind}")

    def soon(self) -> None:
        """A job was queued here: it need not be looked for."""
        self._wake.set()

    async def close(self) -> None:
        """Stop in the middle: leases are given back, and the jobs continue elsewhere or at the next start."""
        tasks = [*self._running, *([self._loop] if self._loop else [])]
        jobs = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for job in jobs:
            # A task that is cancelled before its first step gives nothing back.
            with contextlib.suppress(StoreError):
                await self._jobs.release(job)

    async def _lease_all(self) -> None:
        woken = True
        while True:
            self._wake.clear()
            job = None
            try:
                # A process that was woken knows of a job, or had one: others look first.
                if len(self._running) < self._parallel and (woken or await self._due()):
                    job = await self._next()
            except StoreError as error:
                _log.warning("jobs cannot be looked for: %s", error)
            if job is not None:
                task = asyncio.create_task(self._run(Lease(job)), name=f"job {job.id}")
                self._running[task] = job
                task.add_done_callback(self._ended)
                woken = True
                continue
            # This does not use wait_for: if it is woken and cancelled in one turn of the loop, the version in Python
            # 3.11 forgets the cancellation.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._wake.wait()
            woken = self._wake.is_set()

    async def _due(self) -> bool:
        return await self._jobs.due(self._kind, within_s=self._poll_s / 2)

    async def _next(self) -> Job | None:
        leasing = asyncio.create_task(self._jobs.lease(self._kind, ids.new("lease_"), self._lease_s))
        try:
            return await asyncio.shield(leasing)
        except asyncio.CancelledError:
            # The database has written by now, or will: nobody else would take the job until the lease has passed.
            try:
                job = await leasing
                if job is not None:
                    await self._jobs.release(job)
            except StoreError as error:
                # Raised here, this would take the place of the cancellation, and the worker would go on.
                _log.warning("a job that was leased meanwhile could not be given back: %s", error)
            raise

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._wake.set()

    async def _run(self, lease: Lease) -> None:
        LANE.set(lease.job.tenant)
        keeping = asyncio.create_task(self._keep(lease), name=f"lease {lease.job.id}")
        try:
            await self._work(lease)
        except asyncio.CancelledError:
            with contextlib.suppress(StoreError):
                await asyncio.shield(self._jobs.release(lease.job))
            raise
        except Exception as error:
            # A bug in one job must not end the worker of all.
            _log.error("job %s broke off: %s: %s", lease.job.id, type(error).__name__, error)
            await self._broke_off(lease, error)
        finally:
            keeping.cancel()

    async def _broke_off(self, lease: Lease, error: Exception) -> None:
        try:
            if lease.job.attempts < self._attempts:
                return
            if self._give_up is not None:
                await self._give_up(lease, error)
            else:
                await self._jobs.finish(lease.job, FAILED, str(error))
        except MainspringError as problem:
            _log.warning("job %s could not be ended: %s", lease.job.id, problem)

    async def _keep(self, lease: Lease) -> None:
        while not lease.lost.is_set():
            await asyncio.sleep(min(self._lease_s / _PATIENCE, _LOOK_S))
            try:
                job = await self._jobs.extend(lease.job, self._lease_s)
            except StoreError as error:
                _log.warning("the lease of job %s could not be extended: %s", lease.job.id, error)
                continue
            if job is None:
                lease.lost.set()
            elif job.cancelled:
                lease.cancelled.set()
