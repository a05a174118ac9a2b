"""The feature: agents over A2A as a service, its routes, and the work on tasks and webhooks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import APIRouter

from mainspring.agents.tools.a2a.agent import RemoteAgent
from mainspring.agents.tools.a2a.responder import RemoteAgentResponder
from mainspring.core.errors import StoreError
from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.a2a.routes import router
from mainspring.features.a2a.service import A2aAgents
from mainspring.features.a2a.settings import A2aSettings
from mainspring.serving.ring.registry import Served

_SWEEP_S = 3600.0


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[A2aAgents]:
    settings = rooms.settings.section(A2aSettings)
    remote = {name: RemoteAgent(name, each) for name, each in settings.agents.items()}
    for name, agent in remote.items():
        rooms.path.registry.add(Served(name, "application", RemoteAgentResponder(agent), int(time.time())))
        rooms.telemetry.metrics.serve(name)
    try:
        yield A2aAgents(rooms, settings)
    finally:
        for agent in remote.values():
            await agent.aclose()


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
        # The next round tries again what fails now.
        with suppress(StoreError):
            await agents.store.expire(days)
        await asyncio.sleep(_SWEEP_S)


FEATURE = Feature("a2a", open=_open, routes=_routes, work=_work)
