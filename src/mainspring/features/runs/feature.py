"""The feature: the keeper of runs as a service for agents, the routes of runs, and their worker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.core.types import EventRecord
from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.runs.keeping.keeper import Keeper
from mainspring.features.runs.routes import router
from mainspring.features.runs.service import RunService
from mainspring.features.runs.settings import RunsSettings
from mainspring.features.runs.store.runs import Runs
from mainspring.features.runs.store.sessions import SessionStates
from mainspring.features.runs.store.steps import RunSteps
from mainspring.features.runs.work import working


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Keeper]:
    stores, settings = rooms.stores, rooms.settings.section(RunsSettings)
    database = stores.database
    events = stores.events

    def heard(records: Sequence[EventRecord]) -> None:
        for hear in events.heard:
            hear(records)

    yield Keeper(
        Runs(database, settings),
        RunSteps(database, settings.max_input),
        SessionStates(database),
        stores.jobs,
        stores.approvals,
        settings,
        heard,
    )


def _routes(http: Http) -> list[APIRouter]:
    rooms = http.rooms
    settings = rooms.settings.section(RunsSettings)
    service = RunService(http.services[Keeper], rooms.stores, rooms.path.registry, settings)
    return [router(service, http.access, http.idempotency)]


@asynccontextmanager
async def _work(rooms: Rooms, services: Services) -> AsyncIterator[None]:
    async with working(rooms, services[Keeper]):
        yield


FEATURE = Feature("runs", open=_open, routes=_routes, work=_work)
