"""The feature: data sets as a service for other features, and their routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.evaluation.attacks import AttackSource
from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.datasets.routes import router
from mainspring.features.datasets.service import DataSetService


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[DataSetService]:
    yield DataSetService(rooms)


async def _ready(_: Rooms, services: Services) -> None:
    services[DataSetService].suites.attacks = services.perhaps(AttackSource)  # type: ignore[type-abstract]


def _routes(http: Http) -> list[APIRouter]:
    return [router(http.services[DataSetService], http.rooms.stores.audit, http.access)]


FEATURE = Feature("datasets", open=_open, ready=_ready, routes=_routes)
