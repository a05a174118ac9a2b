"""The feature: the keeper of runs as a service, which agents use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.feature import Feature, Rooms
from mainspring.features.runs.keeper import Keeper
from mainspring.features.runs.sessions import SessionStates
from mainspring.features.runs.settings import RunsSettings
from mainspring.features.runs.steps import RunSteps
from mainspring.features.runs.store import Runs


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Keeper]:
    stores, settings = rooms.stores, rooms.settings.section(RunsSettings)
    database = stores.database
    yield Keeper(
        Runs(database, settings),
        RunSteps(database, settings.max_input),
        SessionStates(database),
        stores.jobs,
        stores.approvals,
        settings,
    )


FEATURE = Feature("runs", open=_open)
