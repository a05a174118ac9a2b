"""Works on batches of replays, one request after the other and behind everybody else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mainspring.core.errors import MainspringError, NotFound, Overloaded, RateLimited
from mainspring.core.settings import Settings
from mainspring.core.types import Context, Principal, Priority, PromptUse, TraceParent
from mainspring.features.replays.recorded_requests import Changes
from mainspring.features.replays.routes import KIND
from mainspring.features.replays.service import Replays
from mainspring.features.replays.settings import ReplaysSettings
from mainspring.stores import Stores
from mainspring.stores.keys.api_keys import Keys
from mainspring.stores.sql.jobs import CANCELLED, DONE, FAILED, Job, Jobs
from mainspring.stores.sql.worker import Lease, Worker

_TRIES, _LONGEST_WAIT_S = 5, 30.0


class ReplayWork:
    """Replays the requests of one batch. Given to a ``stores.sql.worker.Worker``; requests replayed before a crash are
    not repeated."""

    def __init__(self, replays: Replays, jobs: Jobs, keys: Keys, *, timeout_s: float = 300.0) -> None:
        self._replays = replays
        self._jobs = jobs
        self._keys = keys
        self._timeout_s = timeout_s

    async def __call__(self, lease: Lease) -> None:
        job = lease.job
        principal = await self._principal(job)
        done = set() if principal is None else await self._replays.replayed(principal, str(job.payload["trace_id"]))
        for answer_id in job.payload["answers"]:
            if lease.stopped or principal is None:
                break
            if answer_id in done:
                continue
            # The key may be revoked while the batch runs, so it is checked before each.
            principal = await self._principal(job)
            if principal is not None:
                await self._one(answer_id, job, principal)
        if lease.lost.is_set():
            return
        if principal is None:
            await self._jobs.finish(job, FAILED, "the key that asked for it is revoked or has expired")
        else:
            await self._jobs.finish(job, CANCELLED if lease.cancelled.is_set() else DONE)

    async def _one(self, answer_id: str, job: Job, principal: Principal) -> None:
        changes = _changes(job.payload["changes"])
        for attempt in range(1, _TRIES + 1):
            context = Context(
                principal,
                TraceParent(str(job.payload["trace_id"]), TraceParent.new().span_id),
                deadline=time.monotonic() + self._timeout_s,
                priority=Priority.BATCH,
            )
            try:
                await self._replays.run(answer_id, changes, context)
                return
            except (RateLimited, Overloaded) as error:
                if attempt < _TRIES:
                    await asyncio.sleep(min(error.retry_after or 1.0, _LONGEST_WAIT_S))
                    continue
                await self._replays.skipped(answer_id, error, changes, context)
            except MainspringError as error:
                await self._replays.skipped(answer_id, error, changes, context)
                return

    async def _principal(self, job: Job) -> Principal | None:
        try:
            info = await self._keys.get(job.tenant, str(job.payload["key_id"]))
        except NotFound:
            return None
        return info.principal() if info.usable(time.time()) else None


def _changes(wanted: dict[str, Any]) -> Changes:
    use = wanted["prompt"]
    prompt = None if use is None else PromptUse(use["name"], use["wanted"], use["variables"])
    return Changes(wanted["model"], prompt, wanted["policy"], wanted["parameters"])


@asynccontextmanager
async def replaying(replays: Replays, stores: Stores, settings: Settings) -> AsyncIterator[Worker]:
    """Batches of replays run while the block does; leaving it interrupts them."""
    work = ReplayWork(replays, stores.jobs, stores.keys, timeout_s=settings.gateway.request_timeout_s)
    worker = Worker(stores.jobs, KIND, work, lease_s=settings.section(ReplaysSettings).lease_s)
    worker.start()
    try:
        yield worker
    finally:
        await worker.close()
