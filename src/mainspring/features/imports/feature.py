"""The feature: the routes of imports, and their worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.imports.routes import router
from mainspring.features.imports.service import ImportService
from mainspring.features.imports.work import importing


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[ImportService]:
    yield ImportService(rooms.settings, rooms.stores)


def _routes(http: Http) -> list[APIRouter]:
    service = http.services[ImportService]
    return [router(service.imports, http.rooms.stores.files, http.access, http.idempotency, service.soon)]


@asynccontextmanager
async def _work(rooms: Rooms, services: Services) -> AsyncIterator[None]:
    service = services[ImportService]
    async with importing(rooms, service.imports, service.settings) as worker:
        service.wake = worker.soon
        yield


FEATURE = Feature("imports", open=_open, routes=_routes, work=_work)
