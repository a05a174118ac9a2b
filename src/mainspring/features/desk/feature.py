"""The feature: the desk as a service, its routes, and its upkeep."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.desk.channels.chat_routes import router as chat_router
from mainspring.features.desk.channels.routes import router as channel_router
from mainspring.features.desk.routes import router
from mainspring.features.desk.service import SupportDesk

_SWEEP_S = 15.0
_log = logging.getLogger(__name__)


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[SupportDesk]:
    desk = SupportDesk(rooms)
    attendance = rooms.path.services.attendance
    attendance.attendant = desk
    rooms.stores.events.heard.append(desk.heard)
    try:
        yield desk
    finally:
        attendance.attendant = None
        rooms.stores.events.heard.remove(desk.heard)
        await desk.assist.close()


async def _ready(_: Rooms, services: Services) -> None:
    services[SupportDesk].assist.find_tools(services)


def _routes(http: Http) -> list[APIRouter]:
    desk = http.services[SupportDesk]
    channels = desk.channels
    return [
        router(desk, http.access),
        channel_router(channels, http.access),
        chat_router(channels.chats, http.access),
    ]


@asynccontextmanager
async def _work(_: Rooms, services: Services) -> AsyncIterator[None]:
    desk = services[SupportDesk]
    works = [asyncio.create_task(each, name="desk") for each in (_sweep(desk), desk.channels.work())]
    try:
        yield
    finally:
        for each in works:
            each.cancel()
        await asyncio.wait(works)


async def _sweep(desk: SupportDesk) -> None:
    while True:
        try:
            await desk.sweep()
        except Exception as error:
            _log.warning("the maintenance of the desk failed: %s", type(error).__name__, exc_info=error)
        await asyncio.sleep(_SWEEP_S)


FEATURE = Feature("desk", open=_open, ready=_ready, routes=_routes, work=_work)
