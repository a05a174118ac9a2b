"""The feature: tools that the server runs for a request, and the files that their code writes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.agents.tools.sources.code import CodeRunner
from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.hosted.routes import router
from mainspring.features.hosted.service import HostedTools


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[HostedTools]:
    yield HostedTools(rooms)


async def _ready(_: Rooms, services: Services) -> None:
    services[HostedTools].serve(services)


def _routes(http: Http) -> list[APIRouter]:
    return [router(http.services.fitting(CodeRunner), http.access)]  # type: ignore[type-abstract]


FEATURE = Feature("hosted", open=_open, ready=_ready, routes=_routes)
