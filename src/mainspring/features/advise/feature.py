"""The feature: the service, its routes, and the work on advice in a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.advise.routes import router
from mainspring.features.advise.service import Advise
from mainspring.features.advise.trying.running import advising


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Advise]:
    yield Advise(rooms)


async def _ready(_: Rooms, services: Services) -> None:
    services[Advise].ready(services)


def _routes(http: Http) -> list[APIRouter]:
    return [router(http.services[Advise], http.access, http.idempotency)]


@asynccontextmanager
async def _work(_: Rooms, services: Services) -> AsyncIterator[None]:
    service = services[Advise]
    async with advising(service.work(), service.tools) as worker:
        service.queued = worker.soon
        yield


FEATURE = Feature("advise", open=_open, ready=_ready, routes=_routes, work=_work)
