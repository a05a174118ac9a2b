"""Recurring work, which one process does at a time. If that process dies, another one takes the work over soon."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import mainspring.stores.sql.ids as ids
from mainspring.core.errors import StoreError
from mainspring.stores.sql.jobs import Jobs
from mainspring.stores.sql.worker import Lease

_log = logging.getLogger(__name__)
LEASE_S = 30.0
"""So long after a process died its work is free for others. While it lives, its lease is extended all the time."""
_PATIENCE = 3


@asynccontextmanager
async def recurring(
    jobs: Jobs, kind: str, *, every_s: float = 0.0, lease_s: float = LEASE_S, ran: bool = True
) -> AsyncIterator[Lease | None]:
    """The lease of the recurring work ``kind`` while the block lasts; None if another process has it, or if it ran less
    than ``every_s`` ago. Work that raises, or that has not ``ran`` for this purpose, does not put the next run off."""
    job = await jobs.claim(kind, ids.new("lease_"), every_s, lease_s)
    if job is None:
        yield None
        return
    lease = Lease(job)
    keeping = asyncio.create_task(_keep(jobs, lease, lease_s), name=f"lease {kind}")
    try:
        try:
            yield lease
        except BaseException:
            ran = False
            raise
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        try:
            await asyncio.shield(jobs.release(job, ran=ran))
        except StoreError as error:
            # It ends with its time. Raised here, this would take the place of a cancellation, and the loop around the
            # block would go on.
            _log.warning("the lease of %s could not be given back: %s", kind, error)


async def _keep(jobs: Jobs, lease: Lease, lease_s: float) -> None:
    while not lease.lost.is_set():
        await asyncio.sleep(lease_s / _PATIENCE)
        try:
            if await jobs.extend(lease.job, lease_s) is None:
                lease.lost.set()
        except StoreError as error:
            _log.warning("the lease of %s could not be extended: %s", lease.job.id, error)
