"""The feature: background responses as a service for the routes of responses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.feature import Feature, Rooms
from mainspring.features.background.service import Background, opened
from mainspring.features.background.settings import BackgroundSettings
from mainspring.features.background.store import BackgroundStates


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Background]:
    states = BackgroundStates(rooms.stores.database)
    async with opened(Background(states, rooms.settings.section(BackgroundSettings))) as background:
        yield background


FEATURE = Feature("background", open=_open)
