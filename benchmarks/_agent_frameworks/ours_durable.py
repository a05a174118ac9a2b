"""Our loop with the keeper of runs: each step is recorded in SQLite before the next one begins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from ours import VERSION, Script, agent

from mainspring import stores
from mainspring.agents.loop.ports import FixedModels, Surroundings
from mainspring.agents.loop.responder import AgentResponder
from mainspring.core.path import collect
from mainspring.core.settings import Settings
from mainspring.core.types import ChatRequest, Context, Message, Principal
from mainspring.features.runs.keeping.keeper import Keeper
from mainspring.features.runs.settings import RunsSettings
from mainspring.features.runs.store.runs import Runs
from mainspring.features.runs.store.sessions import SessionStates
from mainspring.features.runs.store.steps import RunSteps

__all__ = ["VERSION", "open"]


@asynccontextmanager
async def open(folder: Path) -> AsyncIterator[Callable[[], Awaitable[str]]]:  # noqa: A001
    async with stores.open(Settings(home=folder)) as opened:
        settings, database = RunsSettings(), opened.database
        keeper = Keeper(
            Runs(database, settings),
            RunSteps(database, settings.max_input),
            SessionStates(database),
            opened.jobs,
            opened.approvals,
            settings,
        )
        responder = AgentResponder(agent(), Surroundings(FixedModels({"script": Script()}), keeper))

        async def run() -> str:
            request = ChatRequest("adder", (Message("user", "Add."),))
            context = Context(Principal("bench", "key"))
            return (await collect(await responder.respond(request, context))).text

        yield run
