"""The feature: the model ``translate`` and its routes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.core.types import Principal
from mainspring.evaluation.examples import DataSets, Example
from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.translate.assistant import NAME, TranslationAssistant
from mainspring.features.translate.engine.translators import Translators
from mainspring.features.translate.learnable import learnable
from mainspring.features.translate.memory import Edits, Remembered
from mainspring.features.translate.routes import held_out_router, router
from mainspring.features.translate.settings import TranslateSettings
from mainspring.features.translate.text_threads import Aside
from mainspring.features.translate.translating import Translating
from mainspring.serving.ring.registry import Served
from mainspring.training.ports import Versions

_log = logging.getLogger(__name__)
_TIDY_S = 300.0


class Translation:
    """The service: translators, edits, and the model over them."""

    def __init__(self, rooms: Rooms) -> None:
        self.settings = rooms.settings.section(TranslateSettings)
        own = self.settings
        self.translators = Translators(rooms.settings, own)
        self.edits = Edits(rooms.stores.database, own.edits, own.edits_days)
        self.aside = Aside(own.most_waiting)
        self.remembered = Remembered(own.cached, own.cached_per_tenant, own.cached_s)
        translating = Translating(self.remembered, self.edits if own.use_edits else None, self.aside)
        chat = rooms.settings.models.larger if own.chat == "auto" else own.chat
        self.assistant = TranslationAssistant(own, self.translators, translating, rooms.path.chat, self.aside, chat)

    async def keep_tidy(self) -> None:
        """Drop old sentences and delete old edits, each few minutes, for ever."""
        while True:
            await asyncio.sleep(_TIDY_S)
            try:
                await self.aside(self.remembered.tidy, begun=True)
                await self.edits.tidy(time.time())
            except Exception:
                _log.exception("old translations were not deleted; the next round repeats it")

    def edits_kind(self, application: str) -> str:
        """See ``training.stages.LearnableEdits``."""
        return "pairs" if application == NAME else ""

    async def learnable_edits(self, principal: Principal, application: str) -> Sequence[Example]:
        """See ``training.stages.LearnableEdits``."""
        return await learnable(self.edits, principal) if application == NAME else ()

    def close(self) -> None:
        self.translators.close()
        self.aside.close()


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Translation]:
    service = Translation(rooms)
    try:
        yield service
    finally:
        service.close()


@asynccontextmanager
async def _work(_: Rooms, services: Services) -> AsyncIterator[None]:
    tidying = asyncio.create_task(services[Translation].keep_tidy(), name="translate: tidy")
    try:
        yield
    finally:
        tidying.cancel()


async def _ready(rooms: Rooms, services: Services) -> None:
    service = services[Translation]
    if not service.settings.enabled:
        return
    service.translators.trained.versions = services.perhaps(Versions)  # type: ignore[type-abstract]
    rooms.path.registry.replace(Served(NAME, "application", service.assistant, created=int(time.time()), sampled=False))
    rooms.telemetry.metrics.serve(NAME)


def _routes(http: Http) -> list[APIRouter]:
    service, rooms = http.services[Translation], http.rooms
    return [
        router(
            service.assistant, rooms.responder, service.edits, rooms.stores.events, http.access, rooms.path.charge,
            rooms.stores.quotas, enabled=service.settings.enabled,
        ),
        held_out_router(service.edits, http.services.perhaps(DataSets), http.access),  # type: ignore[type-abstract]
    ]  # fmt: skip


FEATURE = Feature("translate", open=_open, ready=_ready, routes=_routes, work=_work)
"""Translation as the model `translate`, so that guards, budgets, metering and events hold for it as for others."""
