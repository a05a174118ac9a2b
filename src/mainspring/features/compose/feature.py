"""The feature: suggestions while a mail is typed, and their routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.compose.routes import personal_router, router
from mainspring.features.compose.service import Compose
from mainspring.training.ports import Versions


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Compose]:
    made = Compose(rooms)
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def _work(_: Rooms, services: Services) -> AsyncIterator[None]:
    tidying = asyncio.create_task(services[Compose].keep_tidy(), name="compose: tidy")
    try:
        yield
    finally:
        tidying.cancel()


async def _ready(_: Rooms, services: Services) -> None:
    services[Compose].trained.versions = services.perhaps(Versions)  # type: ignore[type-abstract]


def _routes(http: Http) -> list[APIRouter]:
    compose = http.services[Compose]
    return [router(compose, http.access, http.rooms.path.charge), personal_router(compose, http.access)]


FEATURE = Feature("compose", open=_open, ready=_ready, routes=_routes, work=_work)
