"""The feature: the service, its routes, and the work on jobs in a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.train import routes
from mainspring.features.train.openai import routes as openai_routes
from mainspring.features.train.service import Training
from mainspring.features.train.versions.serving import Serving
from mainspring.features.train.working import training
from mainspring.training.ports import TrainingSets


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Training]:
    service = Training(rooms.settings, rooms.stores, rooms.local)
    service.checking.path = rooms.path
    serving = service.serving = Serving(rooms, service.kept, service.places)
    try:
        yield service
    finally:
        await serving.close()


async def _ready(_: Rooms, services: Services) -> None:
    services[Training].sets = services.perhaps(TrainingSets)  # type: ignore[type-abstract]


def _routes(http: Http) -> list[APIRouter]:
    service, files = http.services[Training], http.rooms.stores.files
    return [
        routes.router(service, files, http.access, http.idempotency),
        openai_routes.router(service, files, http.access, http.idempotency),
    ]


@asynccontextmanager
async def _work(_: Rooms, services: Services) -> AsyncIterator[None]:
    async with training(services[Training]):
        yield


FEATURE = Feature("train", open=_open, ready=_ready, routes=_routes, work=_work)
