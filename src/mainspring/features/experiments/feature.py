"""The feature: experiments as a service that also makes scorers for others, their routes, and their worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.experiments.evals import routes as evals
from mainspring.features.experiments.evals.store import EvalStore
from mainspring.features.experiments.routes import router
from mainspring.features.experiments.service import Experiments
from mainspring.features.experiments.work.running import experimenting


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Experiments]:
    yield Experiments(rooms)


async def _ready(_: Rooms, services: Services) -> None:
    services[Experiments].ready(services)


def _routes(http: Http) -> list[APIRouter]:
    service = http.services[Experiments]
    store = EvalStore(http.rooms.stores.database, service.settings.kept)
    return [router(service, http.access, http.idempotency), evals.router(service, store, http.access, http.idempotency)]


@asynccontextmanager
async def _work(rooms: Rooms, services: Services) -> AsyncIterator[None]:
    service = services[Experiments]
    async with experimenting(service.work(), rooms) as worker:
        service.queued = worker.soon
        yield


FEATURE = Feature("experiments", open=_open, ready=_ready, routes=_routes, work=_work)
