"""Runs of data subjects: found, exported and erased with their steps, and old ones deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mainspring import stores
from mainspring.agents.history import History, Step
from mainspring.core.errors import NotFound
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.core.settings import Settings
from mainspring.core.types import ChatRequest, Context, EventRecord, Finish, Message, Principal
from mainspring.features.runs.holdings import AgentRuns
from mainspring.stores import Stores
from mainspring.stores.erase.data_subjects import Subject, SubjectAnswer, SubjectData
from mainspring.stores.erase.holdings import RepeatsAnswers
from mainspring.stores.sql import ids
from tests.features.runs.world import ME, Call, Outside, Process, agent

LATER = 10.0**12
ADA = ChatRequest("robot", (Message("user", "I am Ada."),), user="ada", session_id="talk")


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


@pytest.mark.parametrize(
    "subject",
    [
        Subject("acme", "user", "ada"),
        Subject("acme", "session", "talk"),
        Subject("acme", "key", "key_1"),
        Subject("acme", "tenant", "acme"),
    ],
)
async def test_a_subjects_runs_are_exported_and_erased(opened: Stores, subject: Subject) -> None:
    process, holding = Process(opened), AgentRuns(opened.database, opened.blobs)
    other = await process.queued(who=Principal("acme", "key_2"))
    await process.work(agent([], Outside()), who=Principal("acme", "key_2"))
    run = await process.queued(ADA)
    await process.work(agent([Call()], Outside()))
    found = {
        each["type"]: each for each in await holding.find(subject, SubjectData(), LATER) if each.get("id") != other.id
    }
    assert "I am Ada." in str(found["agent_run"]["request"])
    assert [each["kind"] for each in found["agent_run"]["steps"]] == ["input", "tool"]
    assert found["agent_session_state"]["state"] == {"turns": 1}
    assert run.id not in str(await holding.find(subject, SubjectData(), LATER, frozenset()))
    assert await holding.erase(subject, SubjectData(), LATER) == (3 if subject.kind == "tenant" else 2)
    assert await holding.find(subject, SubjectData(), LATER) == []
    assert await process.steps.all("acme", run.id) == {}
    with pytest.raises(NotFound):
        await process.runs.get(ME, run.id)
    if subject.kind != "tenant":
        assert (await process.runs.of("acme", other.id)).state == "completed"


async def test_a_run_that_gave_an_answer_goes_with_the_answer(opened: Stores) -> None:
    process, holding = Process(opened), AgentRuns(opened.database, opened.blobs)
    run = await process.queued()
    await process.work(agent([Call()], Outside()))
    trace = (await process.runs.of("acme", run.id)).trace_id
    held = SubjectData(answers={"ans_1": SubjectAnswer("ans_1", trace, 1.0)})
    assert await holding.erase(Subject("acme", "user", "bob"), held, LATER) == 1


async def test_a_run_that_quotes_a_deleted_document_goes_with_its_answer(opened: Stores) -> None:
    process, holding = Process(opened), AgentRuns(opened.database, opened.blobs)
    quotes, other = await process.queued(), await process.queued()
    context = Context(ME)
    context.settlement.answer_id = "ans_1"
    facts = RetrievalFacts.from_json({})
    found = EventRecord(ids.new("evt_"), 1.0, "acme", context.trace.trace_id, "", facts)

    async def play(history: History, *_: Any) -> AsyncIterator[Any]:
        async def perform(_: str) -> Any:
            context.settlement.records.append(found)
            return {"output": "what the document says"}

        await history.outcome(Step("1", "tool", "search", {}), perform)
        yield Finish("stop")

    await process.work(play, context=context)
    await process.work(agent([Call()], Outside()))
    assert isinstance(holding, RepeatsAnswers)
    await holding.forget("acme", ["ans_2"])
    assert (await process.runs.of("acme", quotes.id)).state == "completed"
    await holding.forget("acme", ["ans_1"])
    with pytest.raises(NotFound):
        await process.runs.of("acme", quotes.id)
    assert (await process.runs.of("acme", other.id)).state == "completed"


async def test_newer_runs_stay(opened: Stores) -> None:
    process, holding = Process(opened), AgentRuns(opened.database, opened.blobs)
    await process.queued(ADA)
    assert await holding.erase(Subject("acme", "user", "ada"), SubjectData(), 1.0) == 0


async def test_old_runs_that_are_over_are_deleted(opened: Stores) -> None:
    process = Process(opened, retention_days=1e-9)
    done = await process.queued()
    await process.work(agent([Call()], Outside()))
    waits = await process.queued()
    assert await process.upkeep.expire() == 1
    assert (await process.runs.of("acme", waits.id)).state == "queued"
    with pytest.raises(NotFound):
        await process.runs.of("acme", done.id)
    assert await Process(opened, retention_days=0).upkeep.expire() == 0
