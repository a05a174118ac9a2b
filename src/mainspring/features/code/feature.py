"""The feature: the code assistant as a service, the model ``code``, and their routes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import APIRouter

from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.code import action_routes, complete_routes, workspace_routes
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
    settings: CodeSettings
    choice: Choice
    completer: Completer


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Code]:
    settings = rooms.settings.section(CodeSettings)
    workspaces = Workspaces.of(rooms.stores.database, settings)
    choice = Choice(settings, rooms.engines.chat)
    completer = Completer(settings, workspaces, choice, rooms.path.chat, rooms.telemetry.tracing, rooms.path.redact)
    yield Code(workspaces, settings, choice, completer)


async def _ready(rooms: Rooms, services: Services) -> None:
    """The agent of the name also completes."""
    code, registry = services[Code], rooms.path.registry
    if not code.settings.enabled:
        return
    agent = registry.fixed(NAME, rooms.local, inner=True)
    assistant = CodeAssistant(code.completer, None if agent is None else agent.responder)
    registry.replace(Served(NAME, "application", assistant, created=int(time.time()), completes=True))
    if agent is None:
        rooms.telemetry.metrics.serve(NAME)


def _routes(http: Http) -> list[APIRouter]:
    code, responder, access = http.services[Code], http.rooms.responder, http.access
    asking = [
        complete_routes.router(responder, access, code.settings.prompt_tokens),
        action_routes.router(responder, code.workspaces, code.choice, code.settings, access),
    ]
    return [workspace_routes.router(code.workspaces, access), *(asking if code.settings.enabled else [])]


FEATURE = Feature("code", open=_open, ready=_ready, routes=_routes)
