"""The feature: the loop as a service, its routes, and its work in a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.feature import Feature, Rooms, Services
from mainspring.features.improve.routes import router
from mainspring.features.improve.service import Improve


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Improve]:
    yield Improve(rooms)


async def _ready(_: Rooms, services: Services) -> None:
    services[Improve].ready(services)


FEATURE = Feature(
    "improve",
    open=_open,
    ready=_ready,
    routes=lambda http: [router(http.services[Improve], http.access)],
    work=lambda _, services: services[Improve].working(),
)
