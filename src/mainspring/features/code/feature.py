"""The feature: workspaces as a service, and their routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.feature import Feature, Http, Rooms
from mainspring.features.code.index.workspaces import Workspaces
from mainspring.features.code.settings import CodeSettings
from mainspring.features.code.workspace_routes import router


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Workspaces]:
    yield Workspaces(rooms.stores.database, rooms.settings.section(CodeSettings))


def _routes(http: Http) -> list[APIRouter]:
    return [router(http.services[Workspaces], http.access)]


FEATURE = Feature("code", open=_open, routes=_routes)
