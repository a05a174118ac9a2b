"""The feature: recorded requests are repeated, singly by its routes and many in the background."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.replays.routes import router
from mainspring.features.replays.service import Replays
from mainspring.features.replays.work import replaying


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Replays]:
    path = rooms.path
    yield Replays(rooms.stores.events, path.responder, path.under_policy, path.registry, rooms.engines.embedder)


def _routes(http: Http) -> list[APIRouter]:
    return [router(http.services[Replays], http.rooms.stores.jobs, http.access, http.idempotency)]


@asynccontextmanager
async def _work(rooms: Rooms, services: Services) -> AsyncIterator[None]:
    async with replaying(services[Replays], rooms.stores, rooms.settings):
        yield


FEATURE = Feature("replays", open=_open, routes=_routes, work=_work)
