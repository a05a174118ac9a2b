"""A process that works on runs of an agent with side effects, to be killed at any moment, and what must be true in the
end. ``python benchmarks/_run_kills.py HOME [DATABASE]`` works until all runs are over, and says what it does. Several
such processes may work on the same runs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring import stores
from mainspring.agents.agent import Limits, LlmAgent
from mainspring.agents.history import Step
from mainspring.agents.loop.agent_tool import AgentTool
from mainspring.agents.loop.ports import FixedModels, Surroundings
from mainspring.agents.loop.responder import AgentResponder
from mainspring.agents.tools.base import ToolContext, ToolPolicy
from mainspring.agents.tools.functions import tool
from mainspring.core.path import replay
from mainspring.core.settings import Settings, StoresSettings
from mainspring.core.types import (
    ChatRequest,
    Context,
    Event,
    Finish,
    Head,
    Message,
    Principal,
    Request,
    Response,
    Text,
    ToolCallDelta,
    Usage,
)
from mainspring.features.runs.keeping.history import RecordedHistory
from mainspring.features.runs.keeping.keeper import INPUT, Keeper, reached
from mainspring.features.runs.keeping.run_events import RunEvents
from mainspring.features.runs.settings import RunsSettings
from mainspring.features.runs.store import decisions
from mainspring.features.runs.store.runs import OVER, QUEUED_KIND, NewRun, Run, Runs
from mainspring.features.runs.store.sessions import SessionStates
from mainspring.features.runs.store.steps import KeptStep, RunSteps
from mainspring.features.runs.store.upkeep import Upkeep
from mainspring.features.runs.work import RunWork
from mainspring.stores import Stores
from mainspring.stores.sql.pages import Page
from mainspring.stores.sql.worker import Worker

AGENT = "desk"
ME = Principal("default", "local", frozenset({"admin", "operate"}))
SETTINGS = RunsSettings(lease_s=0.4, poll_s=0.02, parallel=2, attempts=1_000)
SHARED_LEASE_S = 3.0
"""Of several processes: one that is merely slow must not lose its lease, or its calls of which nobody knows go on
while a person looks whether they happened."""
# The turns of both agents: in one, two equal refunds are intended, and a letter goes out beside a payment.
_DESK: tuple[Any, ...] = (
    [("look", {"order": 1}), ("look", {"order": 2}), ("refund", {"order": 7}), ("refund", {"order": 7})],
    [("clerk", {"request": "send the letters"}), ("letter", {"to": "ada"})],
    [("wire", {"amount": 9})],
    [("letter", {"to": "bob"}), ("refund", {"order": 8}), ("look", {"order": 3})],
)
_CLERK: tuple[Any, ...] = ([("letter", {"to": "cleo"}), ("refund", {"order": 9})], [("look", {"order": 4})])
EFFECTS = {"refund": 4, "wire": 1, "letter": 3}
"""What one run does to the world."""
MODEL_CALLS = len(_DESK) + len(_CLERK) + 2


def say(what: str) -> None:
    """Tell whoever kills this process that something happens."""
    if __name__ == "__main__":
        print(what, flush=True)


class Outside:
    """The world beyond the process: what its services have done, in a file of their own."""

    def __init__(self, home: Path) -> None:
        self._file = sqlite3.connect(home / "outside.db", timeout=30, isolation_level=None)
        self._file.execute("PRAGMA journal_mode=WAL")
        for table in (
            "keyed (key TEXT PRIMARY KEY, run TEXT, tool TEXT)",
            "unkeyed (key TEXT, run TEXT, tool TEXT)",
            "asked (key TEXT, run TEXT, tool TEXT)",
            "models (key TEXT, run TEXT, tool TEXT)",
        ):
            self._file.execute(f"CREATE TABLE IF NOT EXISTS {table}")

    def note(self, table: str, key: str, run: str, what: str) -> None:
        """Something happens. A service with keys does the same thing once."""
        self._file.execute(f"INSERT OR IGNORE INTO {table} VALUES (?, ?, ?)", (key, run, what))

    def happened(self, table: str, run: str) -> list[tuple[str, str]]:
        """(key, what) of all that happened for a run."""
        return self._file.execute(f"SELECT key, tool FROM {table} WHERE run = ?", (run,)).fetchall()


class Scripted:
    """A model that says the next turn of its agent's script; the last one repeats what the tools said."""

    def __init__(self, script: tuple[Any, ...], told: Callable[[str, Context], None]) -> None:
        self._script, self._told = script, told

    def fingerprint(self, request: Request, context: Context) -> str | None:  # noqa: ARG002
        return None

    async def respond(self, request: Request, context: Context) -> Response:
        assert isinstance(request, ChatRequest)
        turn = sum(1 for each in request.messages if each.tool_calls)
        self._told(f"{request.model} {turn}", context)
        say("model")
        await asyncio.sleep(random.random() * 0.004)
        events: list[Event]
        if turn == len(self._script):
            said = "; ".join(each.content for each in request.messages if each.role == "tool")
            events = [Text("Done: "), Text(said), Usage(10, 5), Finish("stop")]
        else:
            events = [
                ToolCallDelta(0, index, f"call_{request.model}_{turn}_{index}", name, json.dumps(arguments))
                for index, (name, arguments) in enumerate(self._script[turn])
            ]
            events += [Usage(10, 5), Finish("tool_calls")]
        return Response(Head(request.model), replay(events))


async def _service(act: Callable[[], None]) -> None:
    """A call of a service: it takes a moment on both ways."""
    say("service")
    await asyncio.sleep(random.random() * 0.004)
    act()
    await asyncio.sleep(random.random() * 0.004)


def made(outside: Outside) -> LlmAgent:
    """The agent, with tools that act on ``outside``."""

    @tool(policy=ToolPolicy(trusted=True))
    async def look(order: int) -> str:
        """Look an order up."""
        await _service(lambda: None)
        return f"order {order} was paid"

    @tool(policy=ToolPolicy(effect="keyed", trusted=True))
    async def refund(order: int, context: ToolContext) -> str:
        """Refund an order."""
        await _service(lambda: outside.note("keyed", context.key, context.run_id, "refund"))
        return f"refunded {order}"

    @tool(policy=ToolPolicy(effect="keyed", trusted=True, approval=True))
    async def wire(amount: int, context: ToolContext) -> str:
        """Wire money."""
        await _service(lambda: outside.note("keyed", context.key, context.run_id, "wire"))
        return f"wired {amount}"

    @tool(policy=ToolPolicy(effect="unkeyed", trusted=True))
    async def letter(to: str, context: ToolContext) -> str:
        """Send a letter."""
        await _service(lambda: outside.note("unkeyed", context.key, context.run_id, "letter"))
        return f"wrote to {to}"

    clerk = LlmAgent(name="clerk", model="clerk", tools=(letter, refund, look))
    tools = (look, refund, letter, wire, AgentTool(clerk))
    return LlmAgent(name=AGENT, model=AGENT, tools=tools, limits=Limits(steps=100))


@dataclass
class Office:
    """Everything that works on runs in one process."""

    stores: Stores
    outside: Outside
    runs: Runs
    steps: RunSteps
    keeper: Keeper
    responder: AgentResponder

    async def page(self) -> list[Run]:
        return list((await self.runs.page(ME, Page(1_000, "asc"))).rows)

    async def decide(self, run: Run) -> None:
        """What a person does who looks at the world: decide calls of which nobody knows, and approve transfers."""
        for step in (await self.steps.all(run.tenant, run.id)).values():
            if step.state == "unknown":
                key = key_of(run, step)
                there = key in {each for each, _ in self.outside.happened("unkeyed", run.id)}
                self.outside.note("asked", key, run.id, step.name)
                result = f"wrote to {json.loads(step.input)['arguments']['to']}" if there else None
                with contextlib.suppress(Exception):
                    what: Any = "happened" if there else "not_happened"
                    await decisions.decide(self.stores, ME, run.id, step.path, what, result=result)
            elif step.state == "asked":
                with contextlib.suppress(Exception):
                    await self.stores.approvals.decide(Context(ME), step.approval_id, approve=True)


def key_of(run: Run, step: KeptStep) -> str:
    """The idempotency key that a step's tool was called with."""
    return Step(step.path, "tool", step.name, json.loads(step.input)).key(run.id)


def settings_of(database: str) -> RunsSettings:
    """How runs are worked on: by several processes in a ``database`` of a server."""
    return SETTINGS.model_copy(update={"lease_s": SHARED_LEASE_S}) if database else SETTINGS


@contextlib.asynccontextmanager
async def office(home: Path, url: str = "") -> AsyncIterator[Office]:
    """An office over the stores of ``home``, or of a database elsewhere."""
    settings = settings_of(url)
    async with stores.open(Settings(home=home, stores=StoresSettings(database=url))) as opened:
        outside, database = Outside(home), opened.database
        runs, steps = Runs(database, settings), RunSteps(database)
        keeper = Keeper(runs, steps, SessionStates(database), opened.jobs, opened.approvals, settings)

        def told(what: str, context: Context) -> None:
            outside.note("models", "", context.trace.trace_id, what)

        models = FixedModels({AGENT: Scripted(_DESK, told), "clerk": Scripted(_CLERK, told)})
        responder = AgentResponder(made(outside), Surroundings(models, keeper), "v1")
        yield Office(opened, outside, runs, steps, keeper, responder)


async def begin(home: Path, count: int, url: str = "") -> None:
    """Begin ``count`` runs."""
    async with office(home, url) as here:
        for _ in range(count):
            request = ChatRequest(AGENT, (Message("user", "Do what is to be done."),))
            trace = Context(ME).trace.trace_id
            await here.runs.create(ME, NewRun(AGENT, request, trace_id=trace))


async def work(home: Path, url: str = "") -> None:
    """Work until all runs are over."""
    settings = settings_of(url)
    async with office(home, url) as here:
        job = RunWork(here.keeper, here.stores.jobs, here.stores.keys, here.responder, ME)
        worker = Worker(
            here.stores.jobs,
            QUEUED_KIND,
            job,
            parallel=settings.parallel,
            lease_s=settings.lease_s,
            poll_s=settings.poll_s,
            attempts=settings.attempts,
        )
        upkeep = Upkeep(here.stores.database, settings)
        worker.start()
        try:
            while open_ := [each for each in await here.page() if each.state not in OVER]:
                for run in open_:
                    if run.state == "waiting":
                        await here.decide(run)
                await upkeep.wake()
                await asyncio.sleep(0.02)
        finally:
            await worker.close()


@dataclass
class Verdict:
    """What is wrong with runs in the end (empty: nothing), and counts of what was asked and paid."""

    wrong: list[str] = field(default_factory=list)
    runs: int = 0
    asked: int = 0
    repeated_models: int = 0
    keyed: int = 0
    unkeyed: int = 0
    repeated_steps: int = 0


async def verdict(home: Path, url: str = "") -> Verdict:
    """Compare all runs with what one run does, and with each other; and replay each."""
    found = Verdict()
    said: set[tuple[str, str]] = set()
    async with office(home, url) as here:
        for run in await here.page():
            found.runs += 1
            await _check(here, run, found)
            said.add((json.dumps(run.output), run.events_sha256))
    if len(said) > 1:
        found.wrong.append(f"{len(said)} different ends")
    return found


async def _check(here: Office, run: Run, found: Verdict) -> None:
    problems = []
    if run.state != "completed" or not str(run.output["text"]).startswith("Done: "):
        problems.append(f"is {run.state}: {run.error}")
    steps = await here.steps.all(run.tenant, run.id)
    for table, effect in (("keyed", "keyed"), ("unkeyed", "unkeyed")):
        done = here.outside.happened(table, run.id)
        wanted = {key_of(run, each) for each in steps.values() if each.effect == effect and each.kind == "tool"}
        if Counter(key for key, _ in done) != Counter(wanted):
            problems.append(f"{effect} effects: {len(done)} happened, {len(wanted)} steps")
        setattr(found, table, getattr(found, table) + len(done))
    kinds = Counter(what for table in ("keyed", "unkeyed") for _, what in here.outside.happened(table, run.id))
    if dict(kinds) != EFFECTS:
        problems.append(f"the world has {dict(kinds)}")
    found.asked += len(here.outside.happened("asked", run.id))
    found.repeated_steps += sum(each.attempts - 1 for each in steps.values())
    found.repeated_models += len(here.outside.happened("models", run.trace_id)) - MODEL_CALLS
    history = RecordedHistory(run.id, "v1", "v1", steps)
    again = RunEvents(AGENT)
    kept = json.loads(steps[INPUT].outcome)
    request, state = reached(run.request, kept)
    async for event in here.responder.play(request, Context(ME), history, state):
        again.add(event)
    if again.sha256() != run.events_sha256:
        problems.append("a replay says something else")
    found.wrong += [f"{run.id} {each}" for each in problems]


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), *sys.argv[2:3]))
