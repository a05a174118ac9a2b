"""The feature: the store of completions as a service, and its routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.feature import Feature, Rooms
from mainspring.features.completions.routes import router
from mainspring.features.completions.store import StoredCompletions


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[StoredCompletions]:
    yield StoredCompletions(rooms.stores.database, rooms.stores.events)


FEATURE = Feature(
    "completions",
    open=_open,
    routes=lambda http: [router(http.services[StoredCompletions], http.access)],
    storing=lambda services: services[StoredCompletions].storing,
)
