"""The feature: providers' models that make images, and their routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.feature import Feature, Http, Rooms
from mainspring.features.images.routes import router
from mainspring.features.images.service import Images


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Images]:
    images = Images(rooms)
    try:
        yield images
    finally:
        await images.close()


def _routes(http: Http) -> list[APIRouter]:
    return [router(http.services[Images], http.access, http.rooms.path.charge)]


FEATURE = Feature("images", open=_open, routes=_routes)
