"""The feature: the service, its routes, and the stream in a server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter

from mainspring.core.errors import MainspringError
from mainspring.evaluation.examples import ExampleLineage
from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.lake.exports import routes as export_routes
from mainspring.features.lake.exports.service import making
from mainspring.features.lake.features_table import routes as feature_routes
from mainspring.features.lake.features_table.following import Following
from mainspring.features.lake.features_table.reading import FeatureTable
from mainspring.features.lake.routes import router
from mainspring.features.lake.service import Lake

_log = logging.getLogger(__name__)


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Lake]:
    lake = Lake(rooms.settings, rooms.stores)
    try:
        yield lake
    finally:
        await lake.close()


async def _ready(_: Rooms, services: Services) -> None:
    services[Lake].examples = services.perhaps(ExampleLineage)  # type: ignore[type-abstract]


def _routes(http: Http) -> list[APIRouter]:
    lake = http.services[Lake]
    database = http.rooms.stores.database
    following = Following(database, http.rooms.engines.embedder)
    return [
        router(lake, http.access),
        export_routes.router(lake.exports, http.access, http.idempotency),
        feature_routes.router(FeatureTable(database), following, http.access),
    ]


@asynccontextmanager
async def _work(rooms: Rooms, services: Services) -> AsyncIterator[None]:
    lake = services[Lake]
    features = Following(rooms.stores.database, rooms.engines.embedder)
    async with making(lake.exports, rooms.stores.jobs):
        tasks = [asyncio.create_task(each, name="lake: follow") for each in _tasks(lake, features)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)


def _tasks(lake: Lake, features: Following) -> list[Coroutine[Any, Any, None]]:
    """The background tasks of a server, by the settings."""
    settings = lake.settings
    found: list[Coroutine[Any, Any, None]] = [_repeat(settings.sweep_every_s, lake.exports.sweep)]
    if settings.mode != "batch":
        found += [
            _repeat(settings.every_s, lake.syncing.sync),
            _repeat(settings.every_s, features.sync),
            _repeat(settings.sweep_every_s, lake.syncing.sweep),
        ]
    if settings.mode == "hybrid":
        found.append(_repeat(settings.build.every_s, lake.build_all))
    if settings.nats.url:
        found.append(_repeat(settings.every_s, lake.publishing.publish))
    return found


async def _repeat(every_s: float, work: Callable[[], Awaitable[object]]) -> None:
    while True:
        await asyncio.sleep(every_s)
        try:
            await work()
        except MainspringError as error:
            _log.warning("events did not reach the lake; the next round repeats it: %s", error)
        except Exception:
            # Disks, networks and damaged files raise errors of many kinds, and most of them pass.
            _log.exception("events did not reach the lake; the next round repeats it")


FEATURE = Feature("lake", open=_open, ready=_ready, routes=_routes, work=_work)
