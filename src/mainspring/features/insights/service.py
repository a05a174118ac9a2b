"""Insights for readers: what conversations are about and how they end, over all that their groups may see."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from mainspring.core.errors import Unsupported
from mainspring.core.types import Principal
from mainspring.feature import Rooms
from mainspring.features.insights.settings import InsightsSettings
from mainspring.features.insights.store.topics import Topics
from mainspring.features.insights.store.views import Period, Views
from mainspring.features.insights.work.drafting import Drafting
from mainspring.features.insights.work.gaps import Gaps
from mainspring.features.insights.work.insight_rounds import Looked, Looking
from mainspring.guards.detect import pii
from mainspring.stores.events.questions import Questions


class Insights:
    """The service: ``views`` to read, ``topics`` to change."""

    def __init__(self, rooms: Rooms) -> None:
        self.settings = rooms.settings.section(InsightsSettings)
        self.views = Views(rooms.stores.database)
        self.topics = Topics(rooms.stores.database)
        self.gaps = Gaps(rooms, self.settings.similarity)
        self.drafting = Drafting(rooms, self.settings)
        self._questions = Questions(rooms.stores.database)
        self._looking = Looking(rooms, self.settings)

    async def look(self, *, every_s: float = 0.0, tenant: str = "") -> Looked | None:
        """Read what is new, of ``tenant`` if given, else of all; None if another process does, or has less than
        ``every_s`` ago. Raises ``Unsupported``: insights are off."""
        if not self.settings.enabled:
            raise Unsupported("insights are off", remedy="Set insights.enabled")
        return await self._looking.look(every_s=every_s, tenant=tenant)

    def period(self, days: float, application: str = "") -> Period:
        """The last ``days``."""
        now = time.time()
        return Period(now - days * 86_400.0, now, application)

    async def questions(self, principal: Principal, traces: Sequence[str]) -> dict[str, str]:
        """What was asked in these traces, without personal data, if the principal may see it."""
        found = await self._questions.of(principal.tenant, principal.groups, traces)
        return await asyncio.to_thread(
            lambda: {trace: pii.redact(each.text)[0] for trace, each in found.items() if each.text}
        )
