"""The feature: the service, its routes, and the task that fills the queues in a server."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.core.errors import MainspringError
from mainspring.evaluation.examples import DataSets
from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.review.routes import router
from mainspring.features.review.service import Review

_log = logging.getLogger(__name__)


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Review]:
    yield Review(rooms)


async def _ready(_: Rooms, services: Services) -> None:
    services[Review].sets = services.perhaps(DataSets)  # type: ignore[type-abstract]


def _routes(http: Http) -> list[APIRouter]:
    return [router(http.services[Review], http.access, http.idempotency)]


@asynccontextmanager
async def _work(_: Rooms, services: Services) -> AsyncIterator[None]:
    review = services[Review]
    if not review.settings.enabled:
        yield
        return
    looking = asyncio.create_task(_look(review), name="review: look")
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait([looking])


async def _look(review: Review) -> None:
    every, delivered_at = review.settings.every_s, float("-inf")
    while True:
        try:
            looked = await review.look(every_s=every / 2)
            # Each delivery is a version of the data set, so labels are collected for a while.
            if looked is not None and time.monotonic() - delivered_at >= review.settings.deliver_every_s:
                delivered_at = time.monotonic()
                await review.deliver()
        except MainspringError as error:
            _log.warning("queues were not looked after; the next round repeats it: %s", error)
        except Exception:
            _log.exception("queues were not looked after; the next round repeats it")
        await asyncio.sleep(every)


FEATURE = Feature("review", open=_open, ready=_ready, routes=_routes, work=_work)
