"""The feature: the application ``compose``, which suggests while a mail is typed, and its routes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.evaluation.examples import DataSets
from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.compose.application import ComposeApplication
from mainspring.features.compose.routes import models_router, personal_router, router, sent_router
from mainspring.features.compose.service import NAME, Compose
from mainspring.serving.ring.registry import Served
from mainspring.training.ports import Door, Versions


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Compose]:
    made = Compose(rooms)
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def _work(_: Rooms, services: Services) -> AsyncIterator[None]:
    tidying = asyncio.create_task(services[Compose].keep_tidy(), name="compose: tidy")
    try:
        yield
    finally:
        tidying.cancel()


async def _ready(rooms: Rooms, services: Services) -> None:
    service = services[Compose]
    service.trained.versions = services.perhaps(Versions)  # type: ignore[type-abstract]
    if not service.settings.enabled:
        return
    application = ComposeApplication(service)
    rooms.path.registry.replace(Served(NAME, "application", application, created=int(time.time()), sampled=False))
    rooms.telemetry.metrics.serve(NAME)


def _routes(http: Http) -> list[APIRouter]:
    compose, rooms = http.services[Compose], http.rooms
    door = http.services.perhaps(Door)  # type: ignore[type-abstract]
    sets = http.services.perhaps(DataSets)  # type: ignore[type-abstract]
    return [
        router(compose, rooms.responder, http.access, rooms.path.charge),
        models_router(compose, http.access, door),
        sent_router(compose, sets, rooms.stores.quotas, http.access),
        personal_router(compose, http.access),
    ]


FEATURE = Feature("compose", open=_open, ready=_ready, routes=_routes, work=_work)
