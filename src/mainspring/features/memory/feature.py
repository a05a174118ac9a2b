"""The feature: the memory as a service for requests and agents, its routes, and the deletion of old facts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.core.errors import StoreError
from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.memory.routes import router
from mainspring.features.memory.service import Memories

_EVERY_S = 3600.0
_log = logging.getLogger(__name__)


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Memories]:
    service = Memories(rooms)
    recollection = rooms.path.services.recollection
    recollection.source = service
    try:
        yield service
    finally:
        recollection.source = None
        await service.idle()


def _routes(http: Http) -> list[APIRouter]:
    return [router(http.services[Memories], http.access)]


@asynccontextmanager
async def _work(_: Rooms, services: Services) -> AsyncIterator[None]:
    expiring = asyncio.create_task(_expire(services[Memories]), name="memory: expire")
    try:
        yield
    finally:
        expiring.cancel()


async def _expire(memories: Memories) -> None:
    while True:
        try:
            await memories.store.expire()
        except StoreError as error:
            _log.warning("old facts could not be deleted: %s", error)
        await asyncio.sleep(_EVERY_S)


FEATURE = Feature("memory", open=_open, routes=_routes, work=_work)
