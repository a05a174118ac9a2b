"""The feature: the model ``content``, its routes, and the deletion of old research."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.agents.runs import BackgroundRuns, Histories, NoHistories
from mainspring.core.errors import StoreError
from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.content import notebook_routes, routes
from mainspring.features.content.responder import NAME, ContentWriter
from mainspring.features.content.service import Content
from mainspring.serving.ring.registry import Served

_EVERY_S = 3600.0
_log = logging.getLogger(__name__)


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Content]:
    yield Content(rooms)


async def _ready(rooms: Rooms, services: Services) -> None:
    content = services[Content]
    if not content.settings.enabled:
        return
    content.runs = services.perhaps(BackgroundRuns)  # type: ignore[type-abstract]
    histories = services.perhaps(Histories) or NoHistories()  # type: ignore[type-abstract]
    writer = ContentWriter(content.kitchen, histories)
    rooms.path.registry.add(Served(NAME, "application", writer, created=int(time.time())))
    rooms.telemetry.metrics.serve(NAME)


def _routes(http: Http) -> list[APIRouter]:
    content, hiding = http.services[Content], http.rooms.path.hiding
    if not content.settings.enabled:
        return []
    return [
        routes.router(content, http.access, http.idempotency, hiding),
        notebook_routes.router(content.notebooks, http.access, http.idempotency, hiding),
    ]


@asynccontextmanager
async def _work(_: Rooms, services: Services) -> AsyncIterator[None]:
    expiring = asyncio.create_task(_expire(services[Content]), name="content: expire")
    try:
        yield
    finally:
        expiring.cancel()


async def _expire(content: Content) -> None:
    while True:
        try:
            await content.cache.expire()
        except StoreError as error:
            _log.warning("old research could not be deleted: %s", error)
        await asyncio.sleep(_EVERY_S)


FEATURE = Feature("content", open=_open, ready=_ready, routes=_routes, work=_work)
