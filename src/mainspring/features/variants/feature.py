"""The feature: variants, their routes, and the task that follows the changes of other processes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.core.errors import MainspringError
from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.variants.kinds.lost import Gone
from mainspring.features.variants.routes import router
from mainspring.features.variants.service import Variants
from mainspring.training.ports import Versions

_log = logging.getLogger(__name__)


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Variants]:
    variants = Variants(rooms)
    if variants.settings.enabled:
        # Before the first request, so that decisions hold after a restart.
        await variants.follow()
        rooms.path.registry.attach(variants)
        rooms.path.registry.variants = variants
        rooms.path.registry.gone.append(Gone(rooms.path.registry, variants.store, variants.making))
    yield variants


async def _ready(_: Rooms, services: Services) -> None:
    services[Variants].making.versions = services.perhaps(Versions)  # type: ignore[type-abstract]


def _routes(http: Http) -> list[APIRouter]:
    return [router(http.services[Variants], http.access)]


@asynccontextmanager
async def _work(_: Rooms, services: Services) -> AsyncIterator[None]:
    following = asyncio.create_task(_follow(services[Variants]), name="variants: follow")
    try:
        yield
    finally:
        following.cancel()


async def _follow(variants: Variants) -> None:
    while True:
        await asyncio.sleep(variants.settings.every_s)
        try:
            await variants.follow()
        except MainspringError as error:
            _log.warning("variants were not looked at; the next round repeats it: %s", error)
        except Exception:
            _log.exception("variants were not looked at; the next round repeats it")


FEATURE = Feature("variants", open=_open, ready=_ready, routes=_routes, work=_work)
