"""The feature: conversations as a service for responses, their routes, and the deletion of old ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.core.errors import StoreError
from mainspring.feature import Feature, Http, Rooms, Services
from mainspring.features.conversations.routes import router
from mainspring.features.conversations.settings import ConversationsSettings
from mainspring.features.conversations.store import Conversations

_EVERY_S = 3600.0
_log = logging.getLogger(__name__)


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Conversations]:
    yield Conversations(rooms.stores.database, rooms.settings.section(ConversationsSettings))


def _routes(http: Http) -> list[APIRouter]:
    return [router(http.services[Conversations], http.access, http.idempotency)]


@asynccontextmanager
async def _work(_: Rooms, services: Services) -> AsyncIterator[None]:
    expiring = asyncio.create_task(_expire(services[Conversations]), name="conversations: expire")
    try:
        yield
    finally:
        expiring.cancel()


async def _expire(conversations: Conversations) -> None:
    while True:
        try:
            await conversations.expire()
        except StoreError as error:
            _log.warning("old conversations could not be deleted: %s", error)
        await asyncio.sleep(_EVERY_S)


FEATURE = Feature("conversations", open=_open, routes=_routes, work=_work)
