"""A house with two scripted models, a key, data sets and experiments over them."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from mainspring.core import plugins
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.base import Facts
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord, Message, Principal
from mainspring.engines.base import Generation
from mainspring.evaluation.examples import Example
from mainspring.feature import Rooms, Services
from mainspring.features.datasets.service import DataSetService
from mainspring.features.experiments.service import Experiments
from mainspring.features.experiments.spec import Candidate, Spec, WantedScorer
from mainspring.features.experiments.store.results import KIND
from mainspring.stores.sql import ids
from mainspring.stores.sql.worker import Lease
from tests.serving.talk import Talk, talk

RIGHT = {f"How much is {number} and {number}?": f"It is {2 * number}." for number in range(100)}


def right(generation: Generation) -> list[str]:
    """The right answer to a question of ``RIGHT``."""
    return [RIGHT.get(generation.messages[-1].content, "It is unknown.")]


def wrong(_: Generation) -> list[str]:
    return ["Nobody", " knows", "."]


class Lab:
    """``ask`` counts what the models were asked; ``run`` works on the next experiment as a worker does."""

    def __init__(self, home: Talk, who: Principal, **settings: Any) -> None:
        self.home = home
        self.who = who
        self.engines = {"good": home.serve("good", right), "bad": home.serve("bad", wrong)}
        self.rooms = cast(
            Rooms,
            SimpleNamespace(
                settings=Settings.model_validate(settings),
                stores=home.stores,
                responder=home.ring,
                path=SimpleNamespace(registry=home.registry, responder=home.ring, charged=None),
                engines=SimpleNamespace(plugins=plugins.Registry(), embedder=home.embedder, chat={}),
                local=Principal("default", "local", frozenset({"admin"})),
                library=None,
            ),
        )
        self.data = DataSetService(self.rooms)
        self.experiments = Experiments(self.rooms)
        services = Services()
        services.add(self.data)
        services.add(self.experiments)
        self.experiments.ready(services)

    @property
    def asked(self) -> int:
        return sum(len(engine.seen) for engine in self.engines.values())

    async def run(self) -> Lease:
        """Work on the next one."""
        job = await self.rooms.stores.jobs.lease(KIND, ids.new("lease_"), 30.0)
        assert job is not None
        lease = Lease(job)
        await self.experiments.work()(lease)
        return lease

    async def say(
        self,
        text: str,
        answer: str,
        more: Sequence[tuple[Facts, str | None]] = (),
        *,
        who: Principal | None = None,
        user: str = "",
        **facts: Any,
    ) -> str:
        """A recorded answer with ``more`` events about it, each with its text; its id."""
        who, at = who or self.who, time.time()
        answer_id, trace = ids.new("ans_"), ids.new("trace")
        content = {"messages": [{"role": "user", "content": text}], "choices": [{"text": answer}]}
        given = {"status": "completed", "operation": "chat", "requested": "support", "key_id": who.key_id, **facts}
        records = [
            EventRecord(
                id=answer_id,
                at=at,
                tenant=who.tenant,
                trace_id=trace,
                subject=answer_id,
                facts=AnswerFacts.from_json({"groups": sorted(who.groups), **given}),
                content=json.dumps(content),
                person=user,
            )
        ]
        records += [
            EventRecord(
                id=ids.new("evt_"),
                at=at,
                tenant=who.tenant,
                trace_id=trace,
                subject=answer_id,
                parent_id=answer_id,
                facts=each,
                content=said,
            )
            for each, said in more
        ]
        await self.rooms.stores.events.settle(records)
        return answer_id


def sums(count: int) -> list[Example]:
    """Examples that the model ``good`` answers rightly."""
    return [
        Example(f"sum-{place}", (Message("user", asked),), (said,), tags={"size": "small" if place < 5 else "large"})
        for place, (asked, said) in enumerate(list(RIGHT.items())[:count])
    ]


def spec(*models: str, scorers: Sequence[str] = ("f1",), **more: Any) -> Spec:
    """An experiment of these models."""
    return Spec(tuple(Candidate("", each) for each in models), tuple(WantedScorer(each) for each in scorers), **more)


@asynccontextmanager
async def lab(path: Path, **settings: Any) -> AsyncIterator[Lab]:
    """A lab whose key may do everything of its tenant."""
    async with talk(path) as home:
        info, _ = await home.stores.keys.create("me", tenant="acme", scopes=frozenset({"admin"}))
        who = dataclasses.replace(info.principal(), scopes=frozenset({"admin", "chat", "experiments", "curate"}))
        yield Lab(home, who, **settings)
