"""The feature: trials, outcomes, their routes, and the regular evaluation of running trials in a server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.core.errors import MainspringError
from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.trials.ordered import ApplicationTrials
from mainspring.features.trials.outcomes import Outcomes
from mainspring.features.trials.routes import outcome_router, router
from mainspring.features.trials.service import Trials

_log = logging.getLogger(__name__)


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[ApplicationTrials]:
    yield ApplicationTrials(rooms)


def _routes(http: Http) -> list[APIRouter]:
    trials, stores = http.services[ApplicationTrials], http.rooms.stores
    outcomes = Outcomes(stores.database, stores.events, trials.settings.outcomes_per_episode)
    return [router(trials, http.access), outcome_router(outcomes, http.access, http.idempotency)]


@asynccontextmanager
async def _work(_: Rooms, services: Services) -> AsyncIterator[None]:
    trials = services[ApplicationTrials]
    if not trials.settings.enabled:
        yield
        return
    # Before the first request, so that decisions hold after a restart.
    await trials.allocate()
    looking = asyncio.create_task(_look(trials), name="trials: look")
    try:
        yield
    finally:
        looking.cancel()


async def _look(trials: Trials) -> None:
    while True:
        await asyncio.sleep(trials.settings.every_s)
        try:
            await trials.look()
        except MainspringError as error:
            _log.warning("trials were not looked at; the next round repeats it: %s", error)
        except Exception:
            _log.exception("trials were not looked at; the next round repeats it")


FEATURE = Feature("trials", open=_open, routes=_routes, work=_work)
