"""The loop over the real stores, with doubles of other features, and events as the request ring writes them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import sqlalchemy as sa

from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.facts.trials import ImprovementFacts
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord, Message, Principal
from mainspring.evaluation.examples import Example
from mainspring.feature import Rooms, Services
from mainspring.features.improve.policy.policy import Policy
from mainspring.features.improve.service import Improve
from mainspring.features.improve.stages.campaign import Campaign
from mainspring.stores import Stores
from mainspring.stores.events.audit_log import LOCAL
from mainspring.stores.sql import ids
from mainspring.stores.sql.pages import Page
from mainspring.training.stages import OnlineVerdict
from tests.conformance.stored import followed
from tests.features.improve.doubles import (
    Alarming,
    Attacks,
    Comparisons,
    Exports,
    Hand,
    Said,
    Sets,
    TheDoor,
    TheTrials,
    Training,
)

T = TypeVar("T")
ADMIN = Principal("acme", "root", frozenset({"admin", "improve", "approve", "operate"}))
BETTER = OnlineVerdict({"current": 400, "candidate": 400}, {"current": 0.8, "candidate": 0.9}, "candidate", low=0.02)
WORSE = OnlineVerdict({"current": 400, "candidate": 400}, {"current": 0.8, "candidate": 0.7}, "current", high=-0.02)


def policy(**changes: Any) -> dict[str, Any]:
    """A policy with all stages but the gate."""
    return {
        "watch": {"feedback": 5},
        "data": {"export": {"kind": "sft"}, "least_rows": 10},
        "rungs": [{"recipe": "cheap", "kind": "prompt"}],
        "offline": {
            "dataset": "held-out",
            "gain": {"name": "f1", "effect": 0.02},
            "kept": [{"scorer": {"name": "refusal"}}, {"measure": "latency", "worse_by": 0.2}],
            "slices": {"tags": ["topic"]},
            "regression": {"dataset": "known", "name": "contains"},
            "red_team": {"most": 3},
        },
        "shadow": {"share": 0.5, "seconds": 0},
        "canary": {"steps": [0.1, 0.5], "step_s": 0},
        "after": {"seconds": 0},
        "cooldown_s": 3600,
        **changes,
    }


class World:
    """``said`` is what the doubles say. ``open`` is a process: what was killed leaves the stores and the doubles."""

    def __init__(self, opened: Stores, home: Path, said: Said | None = None, *, application: str = "docs") -> None:
        self.stores, self.home, self.application = opened, home, application
        self.hand, self.said = Hand(), said or Said(verdict=BETTER)
        recipes: dict[str, str] = {}
        self.door = TheDoor(self.hand, recipes)
        self.training = Training(self.hand, self.said)
        self.exports = Exports(self.hand, self.said)
        self.comparisons = Comparisons(self.hand, self.said)
        self.comparisons.recipes = recipes
        self.attacks = Attacks(self.hand, self.said, recipes)
        self.trials = TheTrials(self.hand, self.said)
        self.alarms = Alarming()
        example = Example("e1", (Message("user", "When?"),), ("Then.",), sources=("ans_9",), split="train")
        held = replace(example, messages=(Message("user", "Who?"),), tags={"topic": "people"})
        self.sets = Sets({"held-out": [held], "known": [held], "edits": [example] * 30})
        self.improve = self.open()

    def open(self) -> Improve:
        async def find(name: str, principal: Principal) -> object:
            return name

        settings = Settings.model_validate({"home": str(self.home), "improve": {"every_s": 0.05}})
        path = SimpleNamespace(registry=SimpleNamespace(find=find))
        rooms = SimpleNamespace(settings=settings, stores=self.stores, path=path, local=ADMIN)
        self.improve = Improve(cast(Rooms, rooms))
        services = Services()
        for each in (self.door, self.training, self.exports, self.comparisons, self.attacks, self.trials, self.sets):
            services.add(each)
        services.add(self.alarms)
        self.improve.ready(services)
        return self.improve

    async def set(self, **changes: Any) -> None:
        """Set the policy of the application. (Its recipes are doubles: no feature has them.)"""
        wanted = Policy.model_validate(policy(**changes))
        await self.improve.policies.put(ADMIN, self.application, wanted, LOCAL, enabled=True)

    async def look(self, times: int = 1) -> None:
        for _ in range(times):
            await self.improve.running.look()

    async def campaigns(self, who: Principal = ADMIN) -> list[Campaign]:
        """The newest first."""
        return list((await self.improve.campaigns.page(who, Page(limit=100), self.application)).rows)

    async def last(self, who: Principal = ADMIN) -> Campaign:
        return (await self.campaigns(who))[0]

    async def events(self) -> list[ImprovementFacts]:
        found = await self.stores.events.find("acme", kind="improvement", limit=1000)
        every = [ImprovementFacts.of(each.facts) for each in found]
        return [each for each in every if each.application == self.application]

    async def stages(self) -> list[str]:
        return [each.stage for each in await self.events()]

    def answer(self, number: int, *, variant: str = "", application: str = "docs", **facts: Any) -> EventRecord:
        answer_id = f"ans_{number}"
        given = {"status": "completed", "operation": "chat", "requested": application, "key_id": "root"}
        found = AnswerFacts.from_json({**given, "variant": variant, **facts})
        return EventRecord(answer_id, time.time(), "acme", f"trace-{answer_id}", answer_id, found)

    def thumb(self, number: int, rating: str = "down") -> EventRecord:
        facts = FeedbackFacts(key_id="root", rating=rating, comment=None, edited=False)
        return EventRecord(ids.new("evt_"), time.time(), "acme", "", f"ans_{number}", facts)

    async def traffic(self, start: int, count: int, *, ups: float = 0.0, **facts: Any) -> None:
        """Answers with a thumb each, of which a share is up."""
        records = []
        for number in range(start, start + count):
            records.append(self.answer(number, **facts))
            records.append(self.thumb(number, "up" if (number - start) < ups * count else "down"))
        await self.stores.events.settle(records, [])
        await followed(self.stores)

    async def consent(self, *answers: str) -> None:
        """Record these answers (``ans_NUMBER``) with the consent to learn from them."""
        made = [replace(self.answer(int(each.removeprefix("ans_"))), consent=True) for each in answers]
        await self.stores.events.settle(made, [])
        await followed(self.stores)

    async def row(self, work: Callable[[sa.Connection], T]) -> T:
        return await self.stores.database.read(work)
