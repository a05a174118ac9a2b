"""The feature: the service and its routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.evaluation.examples import ExampleDraw
from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.arena.routes import router
from mainspring.features.arena.service import Arenas


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Arenas]:
    yield Arenas(rooms)


async def _ready(_: Rooms, services: Services) -> None:
    services[Arenas].use(services.perhaps(ExampleDraw))  # type: ignore[type-abstract]


def _routes(http: Http) -> list[APIRouter]:
    return [router(http.services[Arenas], http.access, http.rooms.settings.gateway.heartbeat_s)]


FEATURE = Feature("arena", open=_open, ready=_ready, routes=_routes)
