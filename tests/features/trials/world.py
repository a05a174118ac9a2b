"""Trials over the real stores, with a route of scripted arms and records as the request ring writes them."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.base import Facts
from mainspring.core.facts.opinions import session_name
from mainspring.core.settings import Settings
from mainspring.core.settings.serving.routing import RouteSettings
from mainspring.core.types import EventRecord, Principal
from mainspring.feature import Rooms
from mainspring.features.trials.definitions import Trial
from mainspring.features.trials.outcomes import Outcomes
from mainspring.features.trials.service import Trials
from mainspring.serving.route.route import Route
from mainspring.stores import Stores
from mainspring.stores.sql import ids

ADMIN = Principal("acme", "root", frozenset({"admin", "trials", "chat"}))
ORDERS = {"route": "shop", "control": "a", "metric": {"source": "outcome", "name": "order", "effect": 0.2}}


class World:
    """``replicas`` has one route, ``shop``, with the arms a and b."""

    def __init__(self, opened: Stores, *, arms: str = "ab", sticky: str = "session", **settings: Any) -> None:
        self.stores = opened
        self.route = route(arms, sticky)
        find: Any = lambda name, _tenant="": self.route if name == "shop" else None  # noqa: E731
        replicas = SimpleNamespace(route=find, route_names=["shop"], owned={})
        found = Settings.model_validate({"trials": settings})
        rooms = SimpleNamespace(settings=found, stores=opened, path=SimpleNamespace(replicas=replicas))
        self.rooms = cast(Rooms, rooms)
        self.trials = Trials(self.rooms)
        self.outcomes = Outcomes(opened.database, opened.events, 5)
        self.begun = time.time()

    async def start(self, **changes: Any) -> None:
        await self.trials.define(ADMIN, "orders", Trial.model_validate({**ORDERS, **changes}))

    def arm(self, session: str, tenant: str = "acme") -> str:
        return self.route.arm_of_unit(tenant, f"shop\0{tenant}\0session\0{session}")

    def answer(self, session: str, *, arm: str | None = None, tenant: str = "acme", **facts: Any) -> EventRecord:
        """The record of an answer in a session."""
        answer_id = ids.new("ans_")
        given = {"status": "completed", "operation": "chat", "requested": "shop", "session_id": session, **facts}
        given["arm"] = self.arm(session, tenant) if arm is None else arm
        facts_ = AnswerFacts.from_json(given)
        return EventRecord(answer_id, self.begun, tenant, f"trace-{answer_id}", answer_id, facts_)

    def about(self, subject: str, facts: Facts, *, later_s: float = 1.0) -> EventRecord:
        if not subject.startswith("ans_"):
            subject = session_name("acme", subject)
        return EventRecord(ids.new("evt_"), self.begun + later_s, "acme", "", subject, facts)

    async def settle(self, *records: EventRecord) -> None:
        await self.stores.events.settle(list(records), [])

    async def look(self, hours: float = 2.0) -> None:
        """As if so much time had passed."""
        await self.trials.look(self.begun + 3600 * hours)


def route(arms: str, sticky: str) -> Route:
    settings = RouteSettings.model_validate({"arms": {name: {"model": name} for name in arms}, "sticky": sticky})
    models = {name: cast(Any, None) for name in arms}
    return Route("shop", settings, models, cast(Any, None), cast(Any, None), cast(Any, {}))
