"""The feature: the service and its routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.feature import Feature, Http, Rooms
from mainspring.features.judges.routes import router
from mainspring.features.judges.service import Judges


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Judges]:
    yield Judges(rooms)


def _routes(http: Http) -> list[APIRouter]:
    return [router(http.services[Judges], http.access)]


FEATURE = Feature("judges", open=_open, routes=_routes)
