"""The feature: agents over A2A as a service, its routes, and the work on tasks and webhooks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import APIRouter

from mainspring.core.errors import StoreError
from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.a2a.routes import router
from mainspring.features.a2a.service import A2aAgents
from mainspring.features.a2a.settings import A2aSettings

_SWEEP_S = 3600.0


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[A2aAgents]:
    yield A2aAgents(rooms, rooms.settings.section(A2aSettings))


def _routes(http: Http) -> list[APIRouter]:
    return [router(http.services[A2aAgents], http.access)]


@asynccontextmanager
async def _work(_: Rooms, services: Services) -> AsyncIterator[None]:
    agents = services[A2aAgents]
    agents.worker.start()
    works = [asyncio.create_task(each, name="a2a") for each in (agents.webhooks.deliver(), _sweep(agents))]
    try:
        yield
    finally:
        for each in works:
            each.cancel()
        await asyncio.wait(works)
        await agents.worker.close()


async def _sweep(agents: A2aAgents) -> None:
    """Delete old tasks, now and then."""
    days = agents.settings.retention_days
    while days:
        # What fails now is found again in the next round.
        with suppress(StoreError):
            await agents.store.expire(days)
        await asyncio.sleep(_SWEEP_S)


FEATURE = Feature("a2a", open=_open, routes=_routes, work=_work)
