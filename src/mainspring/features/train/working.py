"""Works on jobs, in a server or a command, and keeps to the times of day."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from mainspring.core.errors import MainspringError
from mainspring.features.train.jobs.store import KIND
from mainspring.features.train.service import Training
from mainspring.stores.sql.worker import Worker

_log = logging.getLogger(__name__)
_EVERY_S = 5.0


@asynccontextmanager
async def training(service: Training) -> AsyncIterator[Worker]:
    """Jobs are worked on while the block lasts; leaving it has them stop after a checkpoint."""
    settings, work = service.settings, service.work()
    worker = Worker(
        service.stores.jobs,
        KIND,
        work,
        parallel=settings.parallel,
        lease_s=settings.lease_s,
        attempts=50,
        give_up=work.give_up,
    )
    service.queued = worker.soon
    worker.start()
    # What is converted takes minutes, and holds up neither the night nor a withdrawal.
    each = {
        "night": service.wake,
        "sweep": service.sweep,
        "stale": service.withdraw_stale,
        "follow": service.follow_served,
    }
    rounds = [asyncio.create_task(_rounds(work), name=f"training: {name}") for name, work in each.items()]
    try:
        yield worker
    finally:
        for task in rounds:
            task.cancel()
        await worker.close()


async def _rounds(work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except MainspringError as error:
            _log.warning("a round of training was not done: %s", error)
        except Exception:
            # Disks and engines have errors of many kinds, and pass.
            _log.exception("a round of training was not done")
        await asyncio.sleep(_EVERY_S)
