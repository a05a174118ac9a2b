"""Works on advice: one stage after the other, under a lease, and from where a dead process left it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from mainspring.core.errors import MainspringError, NotFound, StoreError
from mainspring.core.types import Principal
from mainspring.features.advise.store import KIND, AdviceStore, Step
from mainspring.features.advise.trying import learning, measuring, stages
from mainspring.features.advise.trying.stages import Advice
from mainspring.features.advise.trying.tools import AdviceTools
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
                await self._store.end(job, "failed", "the key that asked for it is revoked or has expired")
                return
            advice = Advice.of(row, principal)
            if lease.cancelled.is_set():
                await self._stopped(advice)
                await self._store.end(job, "cancelled", step=Step("cancelled", "somebody cancelled it"))
                return
            if await self._moved(lease, advice):
                return

    async def _moved(self, lease: Lease, advice: Advice) -> bool:
        """Work on the stage; whether the advice is over."""
        job = lease.job
        try:
            step = await STAGES[advice.row.stage](self._tools, advice)
        except StoreError:
            raise
        except MainspringError as error:
            if isinstance(error, NotFound) or error.status < 500:
                await self._store.end(job, "failed", error.told)
                return True
            raise
        if step is None:
            await _patience(lease, self._tools.settings.every_s)
        elif step.report is not None:
            await self._store.end(job, "completed", step=step)
            return True
        elif not await self._store.move(job, advice.row, step):
            lease.lost.set()
        return False

    async def _stopped(self, advice: Advice) -> None:
        """Stop what it ordered."""
        tools, tenant = self._tools, advice.tenant
        with contextlib.suppress(MainspringError):
            if advice.row.stage == "training" and advice.notes.get("job"):
                await tools.trainer.cancel_training(advice.principal, advice.notes["job"])
        with contextlib.suppress(MainspringError):
            if tools.stopper is not None and (comparison := advice.notes.get("comparison")):
                await tools.stopper.stop_comparison(advice.principal, comparison)
        with contextlib.suppress(MainspringError):
            if advice.notes.get("version"):
                await tools.versions.withdraw_version(advice.principal, advice.notes["version"])
        await learning.remove(learning.folder(tools.root, tenant, advice.row.id))

    async def give_up(self, lease: Lease, error: Exception) -> None:
        """End an advice that broke off repeatedly."""
        told = error.told if isinstance(error, MainspringError) else type(error).__name__
        await self._store.end(lease.job, "failed", f"it broke off: {told}")

    async def _principal(self, job: Job) -> Principal | None:
        local = self._tools.rooms.local
        if job.payload["key_id"] == local.key_id and job.tenant == local.tenant:
            return local
        try:
            info = await self._tools.rooms.stores.keys.get(job.tenant, str(job.payload["key_id"]))
        except NotFound:
            return None
        return info.principal() if info.usable(time.time()) else None


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
