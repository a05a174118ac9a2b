"""The feature: the service, its routes, and the stream in a server."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.core.errors import MainspringError
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
    async with making(lake.exports, rooms.stores.jobs):
        if lake.settings.mode == "batch":
            yield
            return
        following = asyncio.create_task(
            _follow(lake, Following(rooms.stores.database, rooms.engines.embedder)), name="lake: follow"
        )
        try:
            yield
        finally:
            following.cancel()
            await asyncio.wait([following])


async def _follow(lake: Lake, features: Following) -> None:
    swept = built = time.monotonic()
    while True:
        await asyncio.sleep(lake.settings.every_s)
        try:
            await lake.syncing.sync()
            await features.sync()
            if time.monotonic() - swept > lake.settings.sweep_every_s:
                swept = time.monotonic()
                await lake.syncing.sweep()
            if lake.settings.mode == "hybrid" and time.monotonic() - built > lake.settings.build.every_s:
                built = time.monotonic()
                for tenant in await lake.manifest.tenants():
                    await lake.building.build(tenant)
        except MainspringError as error:
            _log.warning("events did not reach the lake; the next round repeats it: %s", error)


FEATURE = Feature("lake", open=_open, routes=_routes, work=_work)
