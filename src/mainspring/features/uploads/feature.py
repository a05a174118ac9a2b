"""The feature: its service, its routes, and the deletion of incomplete uploads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.uploads.routes import router
from mainspring.features.uploads.service import Uploads, sweeping
from mainspring.features.uploads.settings import UploadsSettings


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Uploads]:
    stores = rooms.stores
    yield Uploads(stores.database, stores.blobs, stores.files, rooms.settings.section(UploadsSettings))


def _routes(http: Http) -> list[APIRouter]:
    return [router(http.services[Uploads], http.access, http.idempotency)]


@asynccontextmanager
async def _work(_: Rooms, services: Services) -> AsyncIterator[None]:
    task = asyncio.create_task(sweeping(services[Uploads]), name="uploads")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


FEATURE = Feature("uploads", open=_open, routes=_routes, work=_work)
