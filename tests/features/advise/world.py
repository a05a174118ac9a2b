"""Advice over the real stores, data sets and experiments, with scripted models, a door and a trainer that are doubles.

The doubles outlive the "process" that is killed. ``hand`` kills at a moment of a double, ``stores`` at a write.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mainspring.core.errors import MainspringError, NotFound
from mainspring.core.settings import Settings
from mainspring.core.types import Message, Principal
from mainspring.engines.base import Generation
from mainspring.evaluation.examples import Example
from mainspring.feature import Services
from mainspring.features.advise.service import Advise
from mainspring.features.advise.store import KIND, AdviceStore
from mainspring.features.advise.wish import Tune, Wish
from mainspring.features.experiments.store.results import KIND as EXPERIMENT
from mainspring.serving.money.charged_models import ChargedModels
from mainspring.stores.sql import ids
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.worker import Lease
from mainspring.training.ports import Candidate, JobView, Order, Version
from mainspring.training.recipe import Made
from tests.features.experiments.world import Lab, lab

SYLLABLES = "ba ke li mo nu pa re si to vu za che dri flo gra".split()


class Killed(BaseException):
    """kill -9."""


def questions(count: int) -> dict[str, str]:
    """Questions that are no near-duplicates of each other, with their answers."""
    drawn = random.Random(11)
    asked = (" ".join("".join(drawn.choices(SYLLABLES, k=3)) for _ in range(9)) + "?" for _ in range(count))
    return {question: f"Answer {place * 7919}" for place, question in enumerate(asked)}


def examples(count: int) -> list[Example]:
    return [
        Example(f"q{place}", (Message("user", question),), (answer,))
        for place, (question, answer) in enumerate(questions(count).items())
    ]


@dataclass
class Hand:
    """Kills at the ``at``-th moment of those that it is told of (None: never)."""

    at: int | None = None
    seen: int = 0

    def moment(self) -> None:
        self.seen += 1
        if self.at is not None and self.seen == self.at:
            raise Killed(f"at {self.at}")


@dataclass
class ADoor:
    """Serves candidates by ``serve``, once each."""

    serve: Callable[[str, Candidate], None]
    hand: Hand
    admitted: dict[str, Candidate] = field(default_factory=dict)
    withdrawn: list[str] = field(default_factory=list)
    placed: set[str] = field(default_factory=set)
    refuses: MainspringError | None = None

    async def admit(self, principal: Principal, candidate: Candidate) -> str:
        self.hand.moment()
        if self.refuses is not None:
            raise self.refuses
        name = f"{candidate.application}@{candidate.id}"
        if name not in self.admitted:
            self.admitted[name] = candidate
            self.serve(name, candidate)
        self.hand.moment()
        return name

    async def withdraw(self, principal: Principal, candidate: Candidate, reason: str) -> None:
        self._withdraw(f"{candidate.application}@{candidate.id}")

    async def withdraw_unused(self, principal: Principal, application: str, candidate_id: str, reason: str) -> bool:
        self.hand.moment()
        name = f"{application}@{candidate_id}"
        return name not in self.placed and self._withdraw(name)

    def _withdraw(self, name: str) -> bool:
        if name not in self.admitted:
            raise NotFound(name)
        if name not in self.withdrawn:
            self.withdrawn.append(name)
        return True

    async def is_admitted(self, tenant: str, candidate: Candidate) -> bool:
        name = f"{candidate.application}@{candidate.id}"
        return name in self.admitted and name not in self.withdrawn

    async def version_is_used(self, tenant: str, label: str) -> bool:
        return any(each.version == label for name, each in self.admitted.items() if name not in self.withdrawn)

    async def _other(self, *_: Any) -> Any:
        raise NotImplementedError

    shadow = canary = promote = undo = placement = _other
    responder = _other


@dataclass
class ATrainer:
    """Trains at once: ``rows`` are those of each order, by its job."""

    serve: Callable[[str], None]
    hand: Hand
    rows: dict[str, list[str]] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    served: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)
    fails: str = ""
    refuses: MainspringError | None = None
    endless: bool = False
    by_people: str = ""
    """The version that people serve."""

    async def order(self, principal: Principal, order: Order) -> JobView:
        self.hand.moment()
        if self.refuses is not None:
            raise self.refuses
        job = f"job_{order.trace_id}"
        if job not in self.rows:
            assert order.folder is not None
            self.rows[job] = (order.folder / "train.jsonl").read_text().splitlines()
            self.orders.append(order)
        self.hand.moment()
        return await self.training_job(principal.tenant, job)

    async def ordered_training(self, tenant: str, order: Order) -> JobView | None:
        job = f"job_{order.trace_id}"
        return await self.training_job(tenant, job) if job in self.rows else None

    async def training_job(self, tenant: str, job_id: str) -> JobView:
        if self.endless:
            return JobView(job_id, "running", "sft")
        if self.fails:
            return JobView(job_id, "failed", "sft", error=self.fails, seconds=30.0)
        return JobView(job_id, "succeeded", "sft", version="tuned@1", seconds=3600.0)

    async def cancel_training(self, principal: Principal, job_id: str) -> JobView:
        self.cancelled.add(job_id)
        return await self.training_job(principal.tenant, job_id)

    async def version(self, tenant: str, label: str) -> Version:
        made, folder = Made("adapter"), Path("/nowhere")
        return Version(tenant, "tuned", 1, "adapter", made, folder, "sft", "job", served=self.by_people)

    async def serve_version(self, principal: Principal, label: str) -> str:
        self.hand.moment()
        if label not in self.served:
            self.served.add(label)
            self.serve(label)
        self.hand.moment()
        return label

    async def withdraw_version(self, principal: Principal, label: str) -> None:
        self.withdrawn.add(label)

    async def _other(self, *_: Any) -> Any:
        raise NotImplementedError

    versions = chat_model = engine = _other


class Mortal(Database):
    """A database that its process leaves at the write numbered ``dies`` (None: never), once that is committed or
    before it is."""

    def __init__(self, inner: Database, dies: int | None = None, *, committed: bool = True) -> None:
        self.name, self.writes = inner.name, 0
        self._inner, self._dies, self._committed = inner, dies, committed

    async def read(self, work: Any) -> Any:
        return await self._inner.read(work)

    async def write(self, work: Any, *, durable: bool | None = None, frees: bool = False) -> Any:
        del durable, frees
        self.writes += 1
        if self.writes == self._dies:
            if self._committed:
                await self._inner.write(work, durable=False)
            raise Killed
        return await self._inner.write(work, durable=False)

    async def compact(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """It is closed elsewhere."""


class World:
    """``right`` says by the kind of a way how many of ten questions it answers rightly. ``cut``: an experiment is
    cancelled after so many questions (None: never)."""

    def __init__(self, home: Lab) -> None:
        self.lab, self.who = home, home.who
        self.who = dataclasses.replace(home.who, scopes=home.who.scopes | {"train", "advise"})
        self.hand = Hand()
        self.cut: int | None = None
        self.asked = 0
        self.experiment: Lease | None = None
        self.right: dict[str, int] = {"prompt": 2, "examples": 4, "docs": 9, "model": 3, "tuned": 5}
        self.door = ADoor(self._served, self.hand)
        self.trainer = ATrainer(lambda label: self.serve(label, "tuned"), self.hand)
        self.serve("writer", "prompt")
        rooms: Any = home.rooms
        rooms.path.services = home.home.services
        rooms.path.charged = ChargedModels(lambda inner, name, provider: inner)
        rooms.library = SimpleNamespace(
            get=self._collection, documents_page=self._documents, search=SimpleNamespace(text=self._text)
        )
        self.advise = self.open()

    def open(self, database: Database | None = None) -> Advise:
        """A process: what was killed leaves the stores and the doubles."""
        self.advise = made = Advise(self.lab.rooms)
        if database is not None:
            made.store = made.tools.store = AdviceStore(database, made.settings)
        services = Services()
        for each in (self.lab.data, self.lab.experiments, self.door, self.trainer):
            services.add(each)
        made.ready(services)
        return made

    async def collection(self, texts: Sequence[str] = ("The answers stand here.",)) -> None:
        """A collection ``docs`` with documents."""
        stores = self.lab.rooms.stores
        made = await stores.collections.create(self.who.tenant, "docs", embedder="words")
        for place, text in enumerate(texts):
            blob = await stores.blobs.put(text.encode())
            begun = await stores.collections.begin(made, f"doc-{place}", f"sha-{place}", f"doc-{place}")
            await stores.collections.publish(
                made, begun.document_id, begun.generation, chars=len(text), chunks=1, parser="text", text_blob=blob
            )
        self.serve("docs", "docs")

    def wish(self, **more: Any) -> Wish:
        return Wish("writer", **{"scorer": "exact", "margin": 0.05, "questions": 60, **more})

    def tuned(self, **more: Any) -> Wish:
        return self.wish(collection="docs", tune=Tune(seconds=60.0), **more)

    async def submit(self, wish: Wish, count: int = 120) -> str:
        await self.lab.data.add_examples(self.who, "asked", examples(count))
        return str((await self.advise.submit(self.who, "asked", None, wish)).id)

    async def work(self, until: Callable[[], bool] = lambda: False) -> None:
        """Work on the advice as a worker does, and on the experiments that it orders; no further than ``until``."""
        job = await self.lab.rooms.stores.jobs.lease(KIND, ids.new("lease_"), 30.0)
        assert job is not None
        running = asyncio.create_task(self.advise.work()(Lease(job)))
        while not running.done():
            found = await self.lab.rooms.stores.jobs.lease(EXPERIMENT, ids.new("lease_"), 30.0)
            if found is not None:
                self.experiment = Lease(found)
                if self.cut == 0:
                    self.experiment.cancelled.set()
                await self.lab.experiments.work()(self.experiment)
            await asyncio.sleep(0.01)
            if until():
                running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    async def left(self, advice_id: str) -> None:
        """What a dead process leased is free again."""
        job = await self.lab.rooms.stores.jobs.get(self.who.tenant, advice_id)
        if job.state == "running":
            await self.lab.rooms.stores.jobs.release(job)

    def _served(self, name: str, candidate: Candidate) -> None:
        self.serve(name, candidate.kind)

    def serve(self, name: str, kind: str) -> None:
        known = questions(400)
        places = {question: place for place, question in enumerate(known)}

        def script(generation: Generation) -> list[str]:
            asked = generation.messages[-1].content
            self.asked += 1
            if self.cut is not None and self.experiment is not None and self.asked >= self.cut:
                self.experiment.cancelled.set()
            return [known[asked] if places.get(asked, 9) % 10 < self.right[kind] else "No idea"]

        self.lab.home.serve(name, script)

    async def _collection(self, principal: Principal, name: str) -> Any:
        return await self.lab.rooms.stores.collections.get(principal.tenant, name)

    async def _documents(self, principal: Principal, name: str, page: Any, status: Any = None) -> Any:
        found = await self._collection(principal, name)
        return await self.lab.rooms.stores.collections.documents_page(found, page, groups=frozenset(), status=status)

    async def _text(self, blob: str) -> str:
        return (await self.lab.rooms.stores.blobs.get(blob)).decode()


@asynccontextmanager
async def world(path: Path) -> AsyncIterator[World]:
    async with lab(path) as home:
        rooms: Any = home.rooms
        rooms.settings = Settings.model_validate({"home": str(path), "advise": {"every_s": 0.01}})
        yield World(home)
