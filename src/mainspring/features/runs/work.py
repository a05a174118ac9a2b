"""Works on runs in the background: begins those that are queued, takes up those of dead processes, wakes those whose
approval was decided, and deletes old ones."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from mainspring.core.errors import DeadlineExceeded, MainspringError, NotFound, StoreError, Unauthenticated
from mainspring.core.path import collect
from mainspring.core.types import Context, Principal, Priority, Responder, TraceParent
from mainspring.feature import Rooms
from mainspring.features.runs.keeping.keeper import Keeper, error_body, may_pass
from mainspring.features.runs.keeping.run_events import RunEvents
from mainspring.features.runs.settings import RunsSettings
from mainspring.features.runs.store.runs import OVER, QUEUED_KIND, Run, request_to_go_on
from mainspring.features.runs.store.upkeep import Upkeep
from mainspring.stores.keys.api_keys import Keys
from mainspring.stores.sql.jobs import Job, Jobs
from mainspring.stores.sql.worker import Lease, Worker

_log = logging.getLogger(__name__)
_EXPIRE_S = 3600.0


class RunWork:
    """Works on one run after its job was leased. Given to a ``stores.sql.worker.Worker``."""

    def __init__(self, keeper: Keeper, jobs: Jobs, keys: Keys, responder: Responder, local: Principal) -> None:
        self._keeper = keeper
        self._jobs = jobs
        self._keys = keys
        self._responder = responder
        self._local = local

    async def __call__(self, lease: Lease) -> None:
        job = lease.job
        try:
            run = await self._keeper.runs.of(job.tenant, job.id)
        except NotFound:
            await self._jobs.finish(job, "failed", "its run is gone")
            return
        if run.state in OVER:
            await self._jobs.finish(job)
            return
        back = self._keeper.lend(lease)
        watches = [asyncio.create_task(self._keeper.hear(lease)), asyncio.create_task(self._late(run, job))]
        try:
            await self._ask(run, job)
        except asyncio.CancelledError:
            with suppress(StoreError):
                await asyncio.shield(self._keeper.runs.back(job))
            raise
        except MainspringError as error:
            if may_pass(error):
                raise
            # If its agent has begun, that is written already, and this changes nothing.
            await self._keeper.runs.end(job, "failed", error=error_body(error))
        finally:
            back()
            for each in watches:
                each.cancel()

    async def give_up(self, lease: Lease, error: Exception) -> None:
        """Give up a run that broke off repeatedly."""
        problem = error if isinstance(error, MainspringError) else MainspringError(f"it failed: {error}")
        await self._keeper.runs.end(lease.job, "failed", error=error_body(problem))

    async def _ask(self, run: Run, job: Job) -> None:
        context = await self._context(run)
        said = RunEvents(run.agent)
        response = await self._responder.respond(request_to_go_on(run), context)
        said.answer = await collect(response)
        # An application that keeps no history has done all of its work: it has no other step.
        await self._keeper.runs.end(job, "completed", output=said.output())

    async def _context(self, run: Run) -> Context:
        """The caller: the key that began the run, with its rights then, while it is usable."""
        if run.deadline is not None and run.deadline <= time.time():
            raise DeadlineExceeded("the run's deadline has passed", remedy="Begin another with a later one")
        if run.key_id == self._local.key_id and run.tenant == self._local.tenant:
            principal = self._local
        else:
            try:
                key = await self._keys.get(run.tenant, run.key_id)
            except NotFound:
                raise Unauthenticated("the API key that began this run is gone") from None
            if not key.usable(time.time()):
                raise Unauthenticated("the API key that began this run was revoked or has expired")
            principal = dataclasses.replace(key.principal(), scopes=run.scopes, groups=run.groups)
        trace = TraceParent.new()
        return Context(
            principal,
            TraceParent(run.trace_id, trace.span_id) if run.trace_id else trace,
            deadline=None if run.deadline is None else time.monotonic() + run.deadline - time.time(),
            priority=Priority.BACKGROUND,
            consent=principal.consent,
        )

    async def _late(self, run: Run, job: Job) -> None:
        """Stop the run at its deadline."""
        if run.deadline is not None:
            await asyncio.sleep(max(0.0, run.deadline - time.time()))
            await self._keeper.wish(job, "late")


@asynccontextmanager
async def working(rooms: Rooms, keeper: Keeper) -> AsyncIterator[Worker]:
    """Runs are worked on while the block runs; leaving it interrupts them, to continue elsewhere or later."""
    settings, stores = rooms.settings.section(RunsSettings), rooms.stores
    work = RunWork(keeper, stores.jobs, stores.keys, rooms.responder, rooms.local)
    worker = Worker(
        stores.jobs,
        QUEUED_KIND,
        work,
        parallel=settings.parallel,
        lease_s=settings.lease_s,
        poll_s=settings.poll_s,
        attempts=settings.attempts,
        give_up=work.give_up,
    )
    keeper.queued = worker.soon
    worker.start()
    upkeep = Upkeep(stores.database, settings)
    beside = [
        asyncio.create_task(_wake(upkeep, worker, settings.poll_s), name="runs: wake"),
        asyncio.create_task(_expire(upkeep), name="runs: expire"),
    ]
    try:
        yield worker
    finally:
        for each in beside:
            each.cancel()
        await worker.close()


async def _wake(upkeep: Upkeep, worker: Worker, every_s: float) -> None:
    while True:
        try:
            if await upkeep.wake():
                worker.soon()
        except StoreError as error:
            _log.warning("waiting runs could not be looked for: %s", error)
        await asyncio.sleep(every_s)


async def _expire(upkeep: Upkeep) -> None:
    while True:
        try:
            await upkeep.expire()
        except StoreError as error:
            _log.warning("old runs could not be deleted: %s", error)
        await asyncio.sleep(_EXPIRE_S)
