"""The feature: agents as models, and their routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.agents.routes import router
from mainspring.features.agents.service import Agents


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Agents]:
    agents = Agents(rooms)
    try:
        yield agents
    finally:
        await agents.aclose()


async def _ready(_: Rooms, services: Services) -> None:
    await services[Agents].serve(services)


def _routes(http: Http) -> list[APIRouter]:
    return [router(http.services[Agents], http.access)]


FEATURE = Feature("agents", open=_open, ready=_ready, routes=_routes)
