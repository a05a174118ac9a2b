"""The feature: the shop, and the desk that its agent hands over to."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.agents.handover import Desk
from mainspring.core.errors import SettingsError
from mainspring.feature import Feature, Rooms, Services
from mainspring.features.support.settings import SupportSettings
from mainspring.features.support.shop.model import Shop
from mainspring.features.support.shop.sqlite import SqliteShop, place
from mainspring.guards.policy.policies import GuardPolicy

NAME = "support"
"""The served name of the agent."""


class Support:
    """The shop that is served, and the desk of the system (None: there is none)."""

    def __init__(self, rooms: Rooms) -> None:
        self._settings = rooms.settings.section(SupportSettings)
        self._home = rooms.settings.home
        self._shop: Shop | None = None
        self.desk: Desk | None = None

    @property
    def served(self) -> bool:
        """Whether there is a shop."""
        return self._settings.shop != "off"

    @property
    def shop(self) -> Shop:
        """The shop, created on first use. Raises ``SettingsError``."""
        if self._settings.shop == "off":
            raise SettingsError("there is no shop", remedy="Set support.shop (MAINSPRING_SUPPORT__SHOP=sample)")
        if self._shop is None:
            path = place(self._settings.database, self._home)
            self._shop = SqliteShop(path, _clock if self._settings.today == "clock" else None)
        return self._shop


def _clock() -> dt.datetime:
    return dt.datetime.now()


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Support]:
    made = Support(rooms)
    _OPEN[id(rooms.path)] = made
    try:
        yield made
    finally:
        del _OPEN[id(rooms.path)]


async def _ready(rooms: Rooms, services: Services) -> None:
    if services[Support].served and rooms.settings.guards.pii_input == "redact":
        # Customers say who they are by their e-mail address: the tools replace its placeholder by the address.
        guards = rooms.settings.guards.model_copy(update={"pii_input": "tokenise", "policies": {}})
        rooms.path.policies.bring(NAME, GuardPolicy.of(guards, NAME))
    services[Support].desk = services.perhaps(Desk)  # type: ignore[type-abstract]


_OPEN: dict[int, Support] = {}


def opened(rooms: Rooms) -> Support:
    """The service of these rooms."""
    return _OPEN[id(rooms.path)]


FEATURE = Feature("support", open=_open, ready=_ready)
