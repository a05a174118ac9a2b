"""Traffic that never ran: events as a server settles them, over real stores, under a clock of the test's own."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring import stores
from mainspring.core.facts.registry import read
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord
from mainspring.engines.base import Embedder
from mainspring.features.monitor.service import Monitor
from mainspring.features.monitor.settings import MonitorSettings
from mainspring.features.monitor.store.alerts import Alert, Alerts
from mainspring.features.monitor.traffic.question_sample import Sampler
from mainspring.features.monitor.watcher import Watcher
from mainspring.stores import Stores
from mainspring.stores.sql import ids

BEGIN = 1_800_000_000.0
MINUTE, HOUR = 60.0, 3600.0


@dataclass
class Shape:
    """What requests are like: means, and shares of what happens to them."""

    ttft: float = 0.1
    total: float = 1.0
    cost: float = 1e6
    prompt: float = 50
    answer: float = 80
    failed: float = 0.0
    unanswered: float = 0.05
    evidence: float = 0.6
    unsupported: float = 0.2
    refused: float = 0.0
    down: float = 0.1
    rated: float = 0.2
    judged: float = 0.2
    faithful: float = 0.8
    judge: str = "judge@1"
    code: str = "engine_error"
    questions: Sequence[str] = ()


@dataclass
class World:
    """Stores, a watcher and a clock."""

    stores: Stores
    settings: Settings
    watcher: Watcher
    monitor: Monitor
    sampler: Sampler | None
    now: float = BEGIN
    seed: int = 7
    chosen: random.Random = field(init=False)
    scored: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chosen, self.scored = random.Random(self.seed), random.Random(self.seed)

    async def run(
        self,
        seconds: float,
        shape: Shape | None = None,
        *,
        rate: float = 30.0,
        application: str = "support",
        tenant: str = "acme",
        every: float = 60.0,
    ) -> None:
        """``rate`` requests a minute, looked at every so often."""
        until = self.now + seconds
        while self.now < until - 1e-6:
            count = max(0, round(self.chosen.gauss(rate * every / 60, (rate * every / 60) ** 0.5)))
            records: list[EventRecord] = []
            for _ in range(count):
                at = self.now + self.chosen.uniform(0, every)
                records += self.request(shape or Shape(), at, application, tenant)
            if records:
                await self.stores.events.append(*records)
            self.now += every
            await self.look()

    async def look(self) -> None:
        if self.sampler is not None:
            await self.sampler.drain()
        assert await self.watcher.look(self.now)
        if self.sampler is not None:
            await self.sampler.drain()

    def request(self, shape: Shape, at: float, application: str, tenant: str) -> list[EventRecord]:
        """The events of one request."""
        draw = self.chosen
        answer, trace = ids.new("ans_"), ids.new("t")
        if draw.random() < shape.refused:
            refused: dict[str, Any] = {
                "stage": "input",
                "role": "user",
                "guard": "injection",
                "action": "refuse",
                "kind": "override",
            }
            of = {"application": application, "count": 1}
            return [EventRecord(ids.new("evt_"), at, tenant, trace, "", read("guard", refused | of))]
        failed = draw.random() < shape.failed
        total = draw.lognormvariate(0, 0.4) * shape.total
        facts: dict[str, Any] = {
            "status": "failed" if failed else "completed",
            "requested": application,
            "model": "big",
            "cache": "",
            "prompt_tokens": round(draw.lognormvariate(0, 0.5) * shape.prompt) + 1,
            "completion_tokens": round(draw.lognormvariate(0, 0.5) * shape.answer) + 1,
            "cost_nanousd": round(draw.lognormvariate(0, 0.6) * shape.cost),
            "duration_s": total,
            "ttft_s": draw.lognormvariate(0, 0.4) * shape.ttft,
            "finish": ["length" if draw.random() < 0.1 else "stop"],
        }
        if failed:
            facts["error"] = shape.code
        text = None
        if shape.questions:
            text = json.dumps({"messages": [{"role": "user", "content": draw.choice(shape.questions)}]})
        at -= total
        records = [EventRecord(answer, at, tenant, trace, answer, read("answer", facts), text)]
        evidence = min(1.0, max(0.0, draw.gauss(shape.evidence, 0.15)))
        found = {
            "evidence": evidence,
            "refused": draw.random() < shape.unanswered,
            "hits": [{"dense": min(1.0, max(0.0, draw.gauss(shape.evidence, 0.1)))}],
        }
        records.append(EventRecord(ids.new("evt_"), at, tenant, trace, answer, read("retrieval", found)))
        checked = {
            "metric": "support",
            "sentences": 3,
            "unsupported": sum(draw.random() < shape.unsupported for _ in "abc"),
        }
        records.append(EventRecord(ids.new("evt_"), at, tenant, trace, answer, read("score", checked)))
        if self.scored.random() < shape.judged:
            # Most are borne out and some are not: far from a bell.
            scores = {
                "faithfulness": self.scored.betavariate(4 * shape.faithful, 4 * (1 - shape.faithful)),
                "answer_relevancy": self.scored.betavariate(2, 1),
            }
            said = {"metric": "verdict", "judge": shape.judge, "scores": scores}
            records.append(EventRecord(ids.new("evt_"), at, tenant, trace, answer, read("score", said)))
        if draw.random() < shape.rated:
            rating = {"rating": "down" if draw.random() < shape.down else "up", "edited": False}
            records.append(EventRecord(ids.new("evt_"), at, tenant, trace, answer, read("feedback", rating)))
        return records

    async def alerts(self) -> list[Alert]:
        """All that were raised, oldest first."""
        from mainspring.stores.sql.pages import Page

        found: list[Alert] = []
        for tenant in ("acme", "other"):
            found += (await Alerts(self.stores.database).page(tenant, Page(limit=100, order="asc"))).rows
        return found

    async def rules(self) -> list[tuple[str, str, str]]:
        """(rule, application, state) of all alerts."""
        return [(alert.rule, alert.application, alert.state) for alert in await self.alerts()]


@asynccontextmanager
async def world(home: Path, embedder: Embedder | None = None, seed: int = 7, **monitor: Any) -> AsyncIterator[World]:
    """A world with these settings of the monitor."""
    settings = Settings.model_validate({"home": home, "monitor": monitor})
    async with stores.open(settings) as opened:
        made: list[World] = []
        service = Monitor(
            settings.section(MonitorSettings),
            opened.database,
            opened.jobs,
            embedder,
            clock=lambda: made[0].now if made else BEGIN,
        )
        sampler = None
        if embedder is not None:
            from mainspring.stores.events.feed import Feed

            sampler = Sampler(
                Feed(opened.database), embedder, settings.section(MonitorSettings).drift, idle=lambda: True
            )
        watcher = service.watcher(sampler=sampler)
        await watcher.open(BEGIN)
        made.append(World(opened, settings, watcher, service, sampler, seed=seed))
        yield made[0]
