"""The feature: the monitor as a service, its routes, and its watch over the traffic of a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.evaluation.scorers import ScorerSource
from mainspring.evaluation.vitals import Vitals
from mainspring.feature import Feature, Rooms, Services
from mainspring.features.monitor.monitoring import make
from mainspring.features.monitor.routes import router
from mainspring.features.monitor.service import Monitor


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Monitor]:
    yield make(rooms.settings, rooms.stores, rooms.telemetry, rooms.engines, rooms.path)


async def _ready(_: Rooms, services: Services) -> None:
    monitor = services[Monitor]
    monitor.vitals = services.perhaps(Vitals)  # type: ignore[type-abstract]
    if monitor.scoring is not None:
        monitor.scoring.open(services.perhaps(ScorerSource))  # type: ignore[type-abstract]


FEATURE = Feature(
    "monitor",
    open=_open,
    ready=_ready,
    routes=lambda http: [router(http.services[Monitor], http.access)],
    work=lambda _, services: services[Monitor].watching(),
)
