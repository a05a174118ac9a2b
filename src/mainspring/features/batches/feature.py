"""The feature: routes, and the worker that answers batches with the lowest priority."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.batches import message_batches
from mainspring.features.batches.routes import router, working
from mainspring.features.batches.settings import BatchesSettings


def _routes(http: Http) -> list[APIRouter]:
    stores, settings = http.rooms.stores, http.rooms.settings
    given = stores.batches, stores.files, settings.section(BatchesSettings), http.access, http.idempotency
    return [router(*given), message_batches.router(*given)]


@asynccontextmanager
async def _work(rooms: Rooms, _: Services) -> AsyncIterator[None]:
    async with working(rooms):
        yield


FEATURE = Feature("batches", routes=_routes, work=_work)
