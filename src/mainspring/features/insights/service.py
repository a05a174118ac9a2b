"""Insights for readers: what conversations are about and how they end, over all that their groups may see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mainspring.core.errors import Unsupported
from mainspring.core.types import Principal
from mainspring.feature import Rooms
from mainspring.features.insights.reading import Looked, Looking
from mainspring.features.insights.settings import InsightsSettings
from mainspring.features.insights.store.topics import Topics
from mainspring.features.insights.store.views import Views
from mainspring.guards.detect import pii
from mainspring.stores.events.questions import Questions


class Insights:
    """The service: ``views`` to read, ``topics`` to change."""

    def __init__(self, rooms: Rooms) -> None:
        self.settings = rooms.settings.section(InsightsSettings)
        self.views = Views(rooms.stores.database)
        self.topics = Topics(rooms.stores.database)
        self._questions = Questions(rooms.stores.database)
        self._looking = Looking(rooms, self.settings)

    async def look(self, *, every_s: float = 0.0) -> Looked | None:
        """Read what is new; None if another process does, or has less than ``every_s`` ago. Raises ``Unsupported``:
        insights are off."""
        if not self.settings.enabled:
            raise Unsupported("insights are off", remedy="Set insights.enabled")
        return await self._looking.look(every_s=every_s)

    async def questions(self, principal: Principal, traces: Sequence[str]) -> dict[str, str]:
        """What was asked in these traces, without personal data, if the principal may see it."""
        found = await self._questions.of(principal.tenant, principal.groups, traces)
        return {trace: pii.redact(each.text)[0] for trace, each in found.items() if each.text}

    def exemplified(self) -> list[dict[str, Any]]:
        """The topics of the settings."""
        return [{"name": each.name, "examples": each.examples} for each in self.settings.topics]
