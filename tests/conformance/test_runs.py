"""What every SQL database must do for runs of agents."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from mainspring.agents.errors import Cancelled, Waiting
from mainspring.agents.history import History, Step
from mainspring.core.types import ChatRequest, Context, Finish, Message, Principal, Text
from mainspring.features.runs.holdings import AgentRuns
from mainspring.features.runs.store import decisions
from mainspring.stores import Stores
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from mainspring.stores.sql.pages import Page
from tests.databases import opened, settings
from tests.features.runs.world import ME, Call, Mortal, Outside, Process, agent, finished

__all__ = ["opened", "settings"]
NONE, KEYED, UNKEYED = Call("tool", "none"), Call("tool", "keyed"), Call("tool", "unkeyed")
PROGRAM: Any = [Call("model"), KEYED, [KEYED, NONE], UNKEYED]


async def test_death_at_any_write_changes_nothing(opened: Stores) -> None:
    whole, outside = Process(opened), Outside()
    await whole.queued()
    told = await whole.work(agent(PROGRAM, outside))
    for dies in range(2, whole.database.writes + 1, 2):
        outside = Outside()
        database = Mortal(opened.database, dies, committed=dies % 4 == 0)
        run = await Process(opened, database).queued()
        await finished(Process(opened, database).work(agent(PROGRAM, outside, database.live)))
        for _ in range(4):
            state = (await whole.runs.of("acme", run.id)).state
            if state == "completed":
                break
            if state == "waiting":
                happened = outside.done["4"] > 0
                what: decisions.Decision = "happened" if happened else "not_happened"
                await decisions.decide(opened, ME, run.id, "4", what, result="done 4" if happened else None)
            again = await finished(Process(opened).work(agent(PROGRAM, outside)))
        assert (await whole.runs.of("acme", run.id)).state == "completed"
        assert again == told
        assert outside.done == Counter({"2": 1, "3.0": 1, "4": 1})


async def test_several_workers_share_runs_and_none_is_worked_on_twice(opened: Stores) -> None:
    """More workers than runs, all at once."""
    outside, process = Outside(), Process(opened)
    for _ in range(6):
        await process.queued()
    found = await asyncio.gather(*(_one(opened, outside) for _ in range(9)))
    assert sum(found) == 6
    assert outside.calls == Counter({"1": 6, "2": 6})
    assert len((await process.runs.page(ME, Page(100), state="completed")).rows) == 6


async def _one(opened: Stores, outside: Outside) -> bool:
    worker = Process(opened)
    job = await opened.jobs.lease("agent_run", f"lease {id(worker)}", 60.0)
    if job is None:
        return False
    await worker.work_on(job, agent([NONE, KEYED], outside))
    return True


async def test_two_that_take_one_run_do_not_both_get_it(opened: Stores) -> None:
    process = Process(opened)
    run = await process.queued()
    await process.runs.want(ME, run.id, "pause")
    found = await asyncio.gather(*(finished(process.runs.take(ME, run.id, f"lease {n}")) for n in range(5)))
    assert sum(not isinstance(each, BaseException) for each in found) == 1


async def test_a_lease_that_was_lost_writes_nothing(opened: Stores) -> None:
    """The effect that it had was intended before: the other one repeats it under its key."""
    outside, keys = Outside(), []

    def play(loses: bool) -> Any:
        async def inner(history: History, *_: Any) -> AsyncIterator[Any]:
            async def perform(key: str) -> Any:
                keys.append(key)
                if loses:
                    await Process(opened).work(play(False))
                return {"output": "paid"}

            yield Text((await history.outcome(Step("1", "tool", "pay", {}, "keyed"), perform))["output"])
            yield Finish("stop")

        return inner

    run = await Process(opened).queued()
    assert isinstance(await finished(Process(opened).work(play(True))), Cancelled)
    assert len(set(keys)) == 1
    found = await Process(opened).runs.of("acme", run.id)
    assert (found.state, found.output["text"], outside.calls.total()) == ("completed", "paid", 0)


async def test_a_decided_approval_wakes_its_run(opened: Stores) -> None:
    async def play(history: History, *_: Any) -> AsyncIterator[Any]:
        async def never(_: str) -> Any:
            raise AssertionError

        step = Step("1", "approval", "pay", {"call_id": "c", "arguments": {"order": 7}}, "unkeyed")
        found = await history.outcome(step, never)
        yield Text(found["decision"])
        yield Finish("stop")

    process = Process(opened)
    run = await process.queued()
    assert isinstance(await finished(process.work(play)), Waiting)
    assert await process.upkeep.wake() == 0
    [approval] = (await opened.approvals.page(ME, Page())).rows
    await opened.approvals.decide(Context(Principal("acme", "key_2", groups=ME.groups)), approval.id, approve=True)
    assert await process.upkeep.wake() == 1
    assert await process.upkeep.wake() == 0
    assert [each.text for each in await process.work(play) if isinstance(each, Text)] == ["approved"]
    assert (await process.runs.of("acme", run.id)).state == "completed"
    # It is handed out: nobody else makes the call.
    assert (await opened.approvals.get(ME, approval.id)).status == "taken"


async def test_runs_of_a_subject_are_erased(opened: Stores) -> None:
    process, holding = Process(opened), AgentRuns(opened.database, opened.blobs)
    await process.queued(ChatRequest("robot", (Message("user", "I am Ada."),), user="ada", session_id="talk"))
    await process.work(agent([NONE], Outside()))
    ada = Subject("acme", "user", "ada")
    assert len(await holding.find(ada, SubjectData(), 10.0**12)) == 2
    assert await holding.erase(ada, SubjectData(), 10.0**12) == 2
    assert await holding.find(ada, SubjectData(), 10.0**12) == []
