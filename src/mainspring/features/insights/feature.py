"""The feature: the service, its routes, and the regular analysis of new conversations in a server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.core.errors import MainspringError
from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.insights.routes import router
from mainspring.features.insights.service import Insights

_EVERY_S = 30.0
_log = logging.getLogger(__name__)


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Insights]:
    yield Insights(rooms)


def _routes(http: Http) -> list[APIRouter]:
    return [router(http.services[Insights], http.access)]


@asynccontextmanager
async def _work(rooms: Rooms, services: Services) -> AsyncIterator[None]:
    insights = services[Insights]
    if not insights.settings.enabled:
        yield
        return
    looking = asyncio.create_task(_look(rooms, insights), name="insights: look")
    try:
        yield
    finally:
        looking.cancel()


async def _look(rooms: Rooms, insights: Insights) -> None:
    every = insights.settings.every_s
    while True:
        await asyncio.sleep(min(_EVERY_S, every))
        if rooms.telemetry.tracing.under_way:
            # Requests go first.
            continue
        try:
            await insights.look(every_s=every)
        except MainspringError as error:
            _log.warning("conversations were not looked at; the next round repeats it: %s", error)


FEATURE = Feature("insights", open=_open, routes=_routes, work=_work)
