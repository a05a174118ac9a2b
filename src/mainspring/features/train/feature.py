"""The feature: the service, its routes, and the work on jobs in a server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.core.errors import MainspringError
from mainspring.feature import Feature, Rooms, Services
from mainspring.features.train.jobs.store import KIND
from mainspring.features.train.service import Training
from mainspring.features.train.versions.serving import Serving
from mainspring.stores import Stores
from mainspring.stores.sql.worker import Worker
from mainspring.training.ports import TrainingSets

_log = logging.getLogger(__name__)
_EVERY_S = 10.0


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Training]:
    service = Training(rooms.settings, rooms.stores, rooms.local)
    serving = service.serving = Serving(rooms, service.kept, service.places)
    try:
        yield service
    finally:
        await serving.close()


async def _ready(_: Rooms, services: Services) -> None:
    services[Training].sets = services.perhaps(TrainingSets)  # type: ignore[type-abstract]


@asynccontextmanager
async def training(service: Training, stores: Stores) -> AsyncIterator[Worker]:
    """Jobs are worked on while the block lasts; leaving it has them stop after a checkpoint."""
    settings, work = service.settings, service.work()
    worker = Worker(
        stores.jobs,
        KIND,
        work,
        parallel=settings.parallel,
        lease_s=settings.lease_s,
        attempts=50,
        give_up=work.give_up,
    )
    service.queued = worker.soon
    worker.start()
    rounds = asyncio.create_task(_rounds(service), name="training: nights")
    try:
        yield worker
    finally:
        rounds.cancel()
        await worker.close()


async def _rounds(service: Training) -> None:
    while True:
        try:
            await service.wake()
            await service.sweep()
        except MainspringError as error:
            _log.warning("jobs that wait for the night were not looked at: %s", error)
        await asyncio.sleep(_EVERY_S)


@asynccontextmanager
async def _work(rooms: Rooms, services: Services) -> AsyncIterator[None]:
    async with training(services[Training], rooms.stores):
        yield


FEATURE = Feature("train", open=_open, ready=_ready, work=_work)
