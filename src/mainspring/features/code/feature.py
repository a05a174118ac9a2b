"""The feature: the code assistant as a service, the model ``code``, and their routes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import APIRouter

from mainspring.feature import Feature, Http, Rooms
from mainspring.features.code import complete_routes, workspace_routes
from mainspring.features.code.assistant import NAME, CodeAssistant
from mainspring.features.code.complete.choice import Choice
from mainspring.features.code.complete.completer import Completer
from mainspring.features.code.index.workspaces import Workspaces
from mainspring.features.code.settings import CodeSettings
from mainspring.serving.ring.registry import Served


@dataclass(frozen=True, slots=True)
class Code:
    """What the routes need."""

    workspaces: Workspaces
    enabled: bool


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Code]:
    settings = rooms.settings.section(CodeSettings)
    workspaces = Workspaces(rooms.stores.database, settings)
    if settings.enabled:
        choice = Choice(settings, rooms.engines.chat)
        completer = Completer(settings, workspaces, choice, rooms.path.chat, rooms.telemetry.tracing, rooms.path.redact)
        served = Served(NAME, "application", CodeAssistant(completer), created=int(time.time()), completes=True)
        rooms.path.registry.add(served)
        rooms.telemetry.metrics.serve(NAME)
    yield Code(workspaces, settings.enabled)


def _routes(http: Http) -> list[APIRouter]:
    code = http.services[Code]
    completing = [complete_routes.router(http.rooms.responder, http.access)] if code.enabled else []
    return [workspace_routes.router(code.workspaces, http.access), *completing]


FEATURE = Feature("code", open=_open, routes=_routes)
