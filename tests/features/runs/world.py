"""A world for runs of agents: tools whose effects are counted, programs of steps, and processes that die."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mainspring.agents.history import History, Step, StepKind
from mainspring.agents.runs import played
from mainspring.agents.tools.base import Effect
from mainspring.core.types import ChatRequest, Context, Event, Finish, Message, Principal, Text
from mainspring.features.runs.keeping.keeper import Keeper
from mainspring.features.runs.settings import RunsSettings
from mainspring.features.runs.store.runs import QUEUED_KIND, NewRun, Run, Runs, request_to_go_on
from mainspring.features.runs.store.sessions import SessionStates
from mainspring.features.runs.store.steps import RunSteps
from mainspring.features.runs.store.upkeep import Upkeep
from mainspring.stores import Stores
from mainspring.stores.sql import ids
from mainspring.stores.sql.database import Database, Work
from mainspring.stores.sql.jobs import Job
from mainspring.stores.sql.worker import Lease

T = TypeVar("T")
ME = Principal("acme", "key_1", frozenset({"chat"}), frozenset({"staff"}))
ASKED = ChatRequest("robot", (Message("user", "Refund order 7."),))


class Killed(BaseException):
    """The process is dead: nothing runs after this."""


class Mortal(Database):
    """A database that its process leaves at the write numbered ``dies`` (None: never), once that is committed or
    before it is."""

    def __init__(self, inner: Database, dies: int | None = None, *, committed: bool = True) -> None:
        self.name = inner.name
        self.writes = 0
        self.dead = False
        self._inner, self._dies, self._committed = inner, dies, committed

    async def read(self, work: Work[T]) -> T:
        return await self._inner.read(work)

    async def write(self, work: Work[T], *, durable: bool | None = None, frees: bool = False) -> T:
        self.live()
        self.writes += 1
        if self.writes == self._dies:
            self.dead = True
            if self._committed:
                await self._inner.write(work, durable=False)
            raise Killed
        return await self._inner.write(work, durable=False)

    async def compact(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """It is closed elsewhere."""

    def live(self) -> None:
        """Raises ``Killed`` in a dead process."""
        if self.dead:
            raise Killed


@dataclass
class Outside:
    """What the tools have done: ``done`` counts effects by their step, ``keys`` those that a keyed tool has seen."""

    done: Counter[str] = field(default_factory=Counter)
    keys: dict[str, str] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)

    def act(self, path: str, effect: Effect, key: str) -> Any:
        """One call of a tool; the result is the same for the same step."""
        self.calls[path] += 1
        if effect == "keyed":
            if key not in self.keys:
                self.keys[key] = path
                self.done[path] += 1
        elif effect == "unkeyed":
            self.done[path] += 1
        return {"output": f"done {path}"}


@dataclass(frozen=True)
class Call:
    """A step of a program; a list of them is done side by side."""

    kind: StepKind = "tool"
    effect: Effect = "none"


Program = Sequence[Call | Sequence[Call]]


def agent(
    program: Program, outside: Outside, live: Callable[[], None] = lambda: None
) -> Callable[[History, ChatRequest, dict[str, Any]], AsyncIterator[Event]]:
    """Plays a program: each call's input holds the outcomes before it, so that a wrong one shows in all that follow."""

    async def play(history: History, request: ChatRequest, state: dict[str, Any]) -> AsyncIterator[Event]:
        seen: list[Any] = [request.messages[-1].content]

        async def take(path: str, call: Call) -> Any:
            async def perform(key: str) -> Any:
                live()
                found = outside.act(path, call.effect, key)
                await asyncio.sleep(0)
                live()
                return found

            return await history.outcome(
                Step(path, call.kind, f"{call.kind}_{path}", {"seen": seen}, call.effect), perform
            )

        for number, each in enumerate(program, 1):
            if isinstance(each, Call):
                found = await take(str(number), each)
                seen.append(found)
                yield Text(f"{number}: {found['output']}. ")
            else:
                both = await asyncio.gather(*(take(f"{number}.{place}", call) for place, call in enumerate(each)))
                seen.append(both)
        state["turns"] = state.get("turns", 0) + 1
        yield Text(f"Over after {len(seen)}.")
        yield Finish("stop")

    return play


class Process:
    """A process that works on runs, on a database that it may leave at any moment."""

    def __init__(self, opened: Stores, database: Mortal | None = None, **settings: Any) -> None:
        self.database = database or Mortal(opened.database)
        self.stores = opened
        self.settings = RunsSettings(**settings)
        self.runs = Runs(self.database, self.settings)
        self.upkeep = Upkeep(self.database, self.settings)
        self.steps = RunSteps(self.database, self.settings.max_input)
        states = SessionStates(self.database)
        self.keeper = Keeper(self.runs, self.steps, states, opened.jobs, opened.approvals, self.settings)

    async def queued(self, request: ChatRequest = ASKED, who: Principal = ME, **fields: Any) -> Run:
        """A run that waits for a process."""
        return (await self.runs.create(who, NewRun("robot", request, **fields)))[0]

    async def work(
        self, play: Any, who: Principal = ME, version: str = "v1", context: Context | None = None
    ) -> list[Event]:
        """Lease the next run and play it to its end; what it said. (The lease is over at once: if this process dies,
        the next one goes on.)"""
        job = await self.stores.jobs.lease(QUEUED_KIND, ids.new("lease_"), -1.0)
        assert job is not None, "no run waits"
        return await self.work_on(job, play, who, version, context)

    async def work_on(
        self, job: Job, play: Any, who: Principal = ME, version: str = "v1", context: Context | None = None
    ) -> list[Event]:
        """Play the run of a leased job to its end."""
        back = self.keeper.lend(Lease(job))
        try:
            request = request_to_go_on(await self.runs.of(job.tenant, job.id))
            events = played(self.keeper, "robot", request, context or Context(who), play, version=version)
            return [each async for each in events]
        finally:
            back()


async def finished(work: Awaitable[T]) -> T | BaseException:
    """The result of ``work``, or what it raised."""
    try:
        return await work
    except BaseException as error:
        return error
