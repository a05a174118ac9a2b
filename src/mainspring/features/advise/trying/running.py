"""Works on advice: one stage after the other, under a lease, and from where a dead process left it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from mainspring.core.errors import MainspringError, NotFound, StoreError
from mainspring.core.types import Principal
from mainspring.features.advise.store import KIND, AdviceStore, Step
from mainspring.features.advise.trying import ending, measuring, stages
from mainspring.features.advise.trying.stages import Advice
from mainspring.features.advise.trying.tools import AdviceTools
from mainspring.stores.sql import rows
from mainspring.stores.sql.jobs import Job
from mainspring.stores.sql.worker import Lease, Worker

Stage = Callable[[AdviceTools, Advice], Awaitable[Step | None]]
STAGES: Mapping[str, Stage] = {
    "sampling": stages.taking,
    "preparing": stages.preparing,
    "training": stages.training,
    "comparing": stages.comparing,
    "deciding": measuring.deciding,
}
_log = logging.getLogger(__name__)
_SELDOM = 10
"""What is refused for now is tried again less often than what is looked at: a stage begins anew."""
_ATTEMPTS = 100
"""Each process that is killed is one."""


class AdviceWork:
    """Given to a ``stores.sql.worker.Worker``."""

    def __init__(self, tools: AdviceTools) -> None:
        self._tools = tools
        self._store: AdviceStore = tools.store

    async def __call__(self, lease: Lease) -> None:
        job = lease.job
        while not lease.lost.is_set():
            row = await self._store.of(job.tenant, job.id)
            if row is None or row.ended_at is not None:
                await self._tools.rooms.stores.jobs.finish(job, "failed", "its advice is gone")
                return
            principal = await self._principal(job)
            if principal is None:
                why = "the key that asked for it is revoked or has expired"
                await self._end(job, Advice.of(row, _acting(job, row)), "failed", why)
                return
            advice = Advice.of(row, principal)
            if lease.cancelled.is_set():
                await self._end(job, advice, "cancelled", step=Step("cancelled", "somebody cancelled it"))
                return
            if await self._moved(lease, advice):
                return

    async def _moved(self, lease: Lease, advice: Advice) -> bool:
        """Work on the stage; whether the advice is over."""
        job, pause = lease.job, self._tools.settings.every_s
        try:
            step = await STAGES[advice.row.stage](self._tools, advice)
        except StoreError:
            raise
        except MainspringError as error:
            if stages.waits(self._tools, advice, error):
                step, pause = self._waiting(advice, error), _SELDOM * pause
            elif isinstance(error, (NotFound, *stages.PASSING)) or error.status < 500:
                await self._end(job, advice, "failed", error.told)
                return True
            else:
                raise
        else:
            if step is not None and advice.notes.get("waiting"):
                step = replace(step, notes={"waiting": None, **step.notes})
        if step is None:
            await _patience(lease, pause)
        elif step.report is not None:
            await self._store.end(job, "completed", step=step)
            return True
        elif not await self._store.move(job, advice.row, step):
            lease.lost.set()
        return False

    def _waiting(self, advice: Advice, error: MainspringError) -> Step | None:
        """Said once, so that people see what it waits for."""
        if advice.notes.get("waiting"):
            return None
        return Step(advice.row.stage, f"it waits: {error.told}", {"waiting": {"since": time.time()}})

    async def _end(self, job: Job, advice: Advice, state: str, error: str = "", step: Step | None = None) -> None:
        """End one that has no report: first what it began, which a dead process would leave."""
        await ending.stopped(self._tools, advice)
        await self._store.end(job, state, error, step)

    async def give_up(self, lease: Lease, error: Exception) -> None:
        """End an advice that broke off repeatedly."""
        job, told = lease.job, error.told if isinstance(error, MainspringError) else type(error).__name__
        try:
            if (row := await self._store.of(job.tenant, job.id)) is not None:
                await ending.stopped(self._tools, Advice.of(row, await self._principal(job) or _acting(job, row)))
        except Exception as problem:
            _log.warning("what %s ordered could not be stopped: %s", job.id, problem)
        await self._store.end(job, "failed", f"it failed: {told}")

    async def _principal(self, job: Job) -> Principal | None:
        local = self._tools.rooms.local
        if job.payload["key_id"] == local.key_id and job.tenant == local.tenant:
            return local
        try:
            info = await self._tools.rooms.stores.keys.get(job.tenant, str(job.payload["key_id"]))
        except NotFound:
            return None
        return info.principal() if info.usable(time.time()) else None


def _acting(job: Job, row: sa.Row[Any]) -> Principal:
    """Who stops what a key ordered that may do nothing any more."""
    return Principal(job.tenant, str(job.payload["key_id"]), frozenset({"admin"}), frozenset(rows.load(row.groups)))


async def _patience(lease: Lease, seconds: float) -> None:
    """Wait, unless the advice is cancelled."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await lease.cancelled.wait()


@asynccontextmanager
async def advising(work: AdviceWork, tools: AdviceTools) -> AsyncIterator[Worker]:
    """Advice is worked on while the block runs; leaving it interrupts it."""
    settings = tools.settings
    worker = Worker(
        tools.rooms.stores.jobs,
        KIND,
        work,
        parallel=settings.parallel,
        lease_s=settings.lease_s,
        attempts=_ATTEMPTS,
        give_up=work.give_up,
    )
    worker.start()
    try:
        yield worker
    finally:
        await worker.close()
