"""The feature: attacks as a service for other features. Its command opens systems of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.feature import Feature, Rooms
from mainspring.features.redteam.probing import RedTeam
from mainspring.features.redteam.settings import RedTeamSettings


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[RedTeam]:
    yield RedTeam(rooms, rooms.settings.section(RedTeamSettings).data)


FEATURE = Feature("redteam", open=_open)
