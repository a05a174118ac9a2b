"""The feature: the service, its routes, and measurements in the background of a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.judges.named import JudgeNames
from mainspring.features.judges.requests import JudgeRequests
from mainspring.features.judges.routes import router
from mainspring.features.judges.service import Judges
from mainspring.features.judges.store.measurements import KIND
from mainspring.features.judges.work.measuring import Measuring
from mainspring.stores.sql.worker import Worker
from mainspring.training.ports import Door

_PARALLEL = 2


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Judges]:
    judges = Judges(rooms)
    rooms.path.registry.attach(JudgeNames(judges))
    yield judges


async def _ready(_: Rooms, services: Services) -> None:
    services[Judges].door = services.perhaps(Door)  # type: ignore[type-abstract]


def _routes(http: Http) -> list[APIRouter]:
    judges = http.services[Judges]
    return [router(judges, JudgeRequests(judges, http.rooms.stores, http.services), http.access)]


@asynccontextmanager
async def _work(rooms: Rooms, services: Services) -> AsyncIterator[None]:
    judges = services[Judges]
    measuring = Measuring(judges, rooms.stores)
    worker = Worker(
        rooms.stores.jobs,
        KIND,
        measuring,
        parallel=_PARALLEL,
        lease_s=judges.settings.lease_s,
        give_up=measuring.give_up,
    )
    worker.start()
    try:
        yield
    finally:
        await worker.close()


FEATURE = Feature("judges", open=_open, ready=_ready, routes=_routes, work=_work)
