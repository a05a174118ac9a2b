"""Histories of runs: each step once, whatever the moment at which the process dies."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring import stores
from mainspring.agents.errors import Cancelled, Diverged, Paused, Stopped, Waiting
from mainspring.agents.history import History, Step
from mainspring.core.errors import Conflict, NotFound, QuotaExceeded
from mainspring.core.facts.guards import ToolFacts
from mainspring.core.settings import Settings
from mainspring.core.types import ChatRequest, Context, EventRecord, Finish, Message, Principal, Text
from mainspring.features.runs.store import decisions
from mainspring.stores import Stores
from mainspring.stores.sql import ids
from tests.features.runs.world import ASKED, ME, Call, Killed, Mortal, Outside, Process, Program, agent, finished

NONE, KEYED, UNKEYED = Call("tool", "none"), Call("tool", "keyed"), Call("tool", "unkeyed")
MODEL = Call("model")
PROGRAM: Program = [MODEL, NONE, KEYED, MODEL, [KEYED, NONE, KEYED], UNKEYED, MODEL]


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


async def to_the_end(opened: Stores, program: Any, outside: Outside, run_id: str, first: Any) -> list[Any]:
    """Processes after one another until the run is over; those that wait for a person are told what has happened."""
    found = first
    for _ in range(20):
        process = Process(opened)
        run = await process.runs.of("acme", run_id)
        if run.state == "waiting":
            for step in (await process.steps.all("acme", run_id)).values():
                if step.state == "unknown":
                    happened = outside.done[step.path] > 0
                    what: decisions.Decision = "happened" if happened else "not_happened"
                    result = f"done {step.path}" if happened else None
                    await decisions.decide(opened, ME, run_id, step.path, what, result=result)
            assert (await process.runs.of("acme", run_id)).state == "queued"
        elif run.state == "completed":
            return found  # type: ignore[no-any-return]
        found = await finished(process.work(agent(program, outside)))
    raise AssertionError("it does not end")


def expected(program: Any) -> dict[str, int]:
    effects = {}
    for number, each in enumerate(program, 1):
        for path, call in (
            [(str(number), each)] if isinstance(each, Call) else [(f"{number}.{i}", c) for i, c in enumerate(each)]
        ):
            if call.effect != "none":
                effects[path] = 1
    return effects


async def test_a_run_that_nothing_disturbs_does_each_step_once(opened: Stores) -> None:
    process, outside = Process(opened), Outside()
    run = await process.queued()
    events = await process.work(agent(PROGRAM, outside))
    assert set(outside.calls.values()) == {1}
    assert dict(outside.done) == expected(PROGRAM)
    found = await process.runs.get(ME, run.id)
    assert (found.state, found.output["text"]) == ("completed", "".join(e.text for e in events if isinstance(e, Text)))
    steps = list((await process.steps.all("acme", run.id)).values())
    assert [each.number for each in steps] == list(range(1, len(steps) + 1))
    assert {each.state for each in steps} == {"done"}


@pytest.mark.parametrize("committed", [False, True])
async def test_death_at_any_write_changes_nothing(opened: Stores, committed: bool) -> None:
    """At each of its writes, once before and once after the commit."""
    whole, outside = Process(opened), Outside()
    await whole.queued()
    told = await whole.work(agent(PROGRAM, outside))
    writes = whole.database.writes
    assert writes > 8
    for dies in range(2, writes + 1):
        outside = Outside()
        database = Mortal(opened.database, dies, committed=committed)
        process = Process(opened, database)
        run = await process.queued()
        died = await finished(process.work(agent(PROGRAM, outside, database.live)))
        assert isinstance(died, Killed)
        again = await to_the_end(opened, PROGRAM, outside, run.id, told)
        assert again == told
        assert dict(outside.done) == expected(PROGRAM)
        # The model call in flight is all that is paid again.
        paid = [outside.calls[path] for path in ("1", "4", "7")]
        assert sum(paid) <= len(paid) + 1
        events = (await whole.runs.of("acme", run.id)).events_sha256
        assert events == (await _latest(whole)).events_sha256


async def _latest(process: Process) -> Any:
    from mainspring.stores.sql.pages import Page

    return (await process.runs.page(ME, Page(100), state="completed")).rows[-1]


calls = st.sampled_from([MODEL, NONE, KEYED, UNKEYED])
programs = st.lists(st.one_of(calls, st.lists(calls, min_size=1, max_size=3)), min_size=1, max_size=5)


@settings(max_examples=15)
@given(program=programs, deaths=st.lists(st.tuples(st.integers(1, 12), st.booleans()), max_size=3))
def test_any_program_with_any_deaths_ends_alike(program: Any, deaths: list[tuple[int, bool]]) -> None:
    async def check() -> None:
        with tempfile.TemporaryDirectory() as home:
            async with stores.open(Settings(home=Path(home))) as opened:
                whole, outside = Process(opened), Outside()
                first = await whole.queued()
                told = await whole.work(agent(program, outside))
                seen, outside = outside, Outside()
                run = await whole.queued()
                for dies, committed in deaths:
                    if (await whole.runs.of("acme", run.id)).state not in ("queued", "running"):
                        break
                    database = Mortal(opened.database, dies, committed=committed)
                    await finished(Process(opened, database).work(agent(program, outside, database.live)))
                await to_the_end(opened, program, outside, run.id, None)
                assert outside.done == seen.done
                states = [await whole.steps.all("acme", each) for each in (first.id, run.id)]
                ends = [{path: step.outcome for path, step in each.items() if path != "0"} for each in states]
                assert ends[0] == ends[1]
                # What is recorded is not performed again.
                before = outside.calls.copy()
                run_of = await whole.runs.of("acme", run.id)
                replayed = await _replayed(whole, run.id, agent(program, outside))
                assert (replayed, outside.calls) == (told, before)
                assert run_of.events_sha256 == (await whole.runs.of("acme", first.id)).events_sha256

    asyncio.run(check())


async def _replayed(process: Process, run_id: str, play: Any) -> list[Any]:
    from mainspring.features.runs.keeping.history import RecordedHistory

    run, steps = await process.runs.of("acme", run_id), await process.steps.all("acme", run_id)
    return [event async for event in play(RecordedHistory(run_id, "v1", "v1", steps), run.request, {})]


async def test_two_intended_equal_calls_stay_two(opened: Stores) -> None:
    outside = Outside()
    keys = []

    async def play(history: History, *_: Any) -> AsyncIterator[Any]:
        for path in ("1", "2"):

            async def perform(key: str) -> Any:
                keys.append(key)
                return outside.act("refund", "keyed", key)

            await history.outcome(Step(path, "tool", "refund", {"arguments": {"order": 7}}, "keyed"), perform)
        yield Finish("stop")

    process = Process(opened)
    await process.queued()
    await process.work(play)
    assert outside.done["refund"] == 2
    assert len(set(keys)) == 2


async def test_a_keyed_call_is_repeated_under_its_key(opened: Stores) -> None:
    keys = []

    async def play(history: History, *_: Any) -> AsyncIterator[Any]:
        async def perform(key: str) -> Any:
            keys.append(key)
            if len(keys) == 1:
                raise ConnectionError
            return "paid"

        yield Text(await history.outcome(Step("1", "tool", "pay", {}, "keyed"), perform))
        yield Finish("stop")

    process = Process(opened)
    run = await process.queued()
    assert isinstance(await finished(process.work(play)), ConnectionError)
    assert (await process.runs.of("acme", run.id)).state == "failed"
    await process.runs.queue(ME, run.id, ("failed",))
    await process.work(play)
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert (await process.steps.all("acme", run.id))["1"].attempts == 2


async def test_an_unkeyed_call_that_fails_is_asked_about_and_not_repeated(opened: Stores) -> None:
    calls = []

    async def play(history: History, *_: Any) -> AsyncIterator[Any]:
        async def perform(key: str) -> Any:
            calls.append(key)
            raise TimeoutError

        found = await history.outcome(Step("1", "tool", "mail", {"to": "ada"}, "unkeyed"), perform)
        yield Text(str(found.get("output")))
        yield Finish("stop")

    process = Process(opened)
    run = await process.queued()
    assert isinstance(await finished(process.work(play)), Waiting)
    found = await process.runs.get(ME, run.id)
    assert (found.state, found.error and found.error["code"], found.error and found.error["step"]) == (
        "waiting",
        "outcome_unknown",
        "1",
    )
    with pytest.raises(Conflict, match="step 1"):
        await decisions.resume(opened, ME, run.id)
    await decisions.decide(opened, ME, run.id, "1", "happened", result="sent as message 5", note="saw it in the outbox")
    assert [each.text for each in await process.work(play) if isinstance(each, Text)] == ["sent as message 5"]
    assert len(calls) == 1
    step = (await process.steps.all("acme", run.id))["1"]
    assert (step.state, step.decided_by) == ("done", "key_1")


async def test_giving_up_cancels_and_not_happened_repeats(opened: Stores) -> None:
    program, outside = [UNKEYED], Outside()
    for what, state, calls in (("give_up", "cancelled", 1), ("not_happened", "completed", 2)):
        outside = Outside()
        # Its intent is written, then it dies.
        database = Mortal(opened.database, 4, committed=False)
        process = Process(opened, database)
        run = await process.queued()
        await finished(process.work(agent(program, outside, database.live)))
        alive = Process(opened)
        assert isinstance(await finished(alive.work(agent(program, outside))), Waiting)
        await decisions.decide(opened, ME, run.id, "1", what)  # type: ignore[arg-type]
        if what == "not_happened":
            await alive.work(agent(program, outside))
        assert (await alive.runs.of("acme", run.id)).state == state
        assert outside.calls["1"] == calls
        with pytest.raises(Conflict):
            await decisions.decide(opened, ME, run.id, "1", "happened")


async def test_another_agent_diverges_and_says_where(opened: Stores) -> None:
    outside = Outside()
    process = Process(opened, Mortal(opened.database, 5, committed=True))
    run = await process.queued()
    await finished(process.work(agent([MODEL, NONE, KEYED, MODEL], outside)))
    changed = await finished(Process(opened).work(agent([MODEL, KEYED, NONE, MODEL], outside), version="v2"))
    assert not isinstance(changed, Diverged)  # The input is the same: only the effect of the tool has changed.
    process = Process(opened, Mortal(opened.database, 5, committed=True))
    run = await process.queued()
    await finished(process.work(agent([MODEL, NONE, KEYED, MODEL], outside)))
    changed = await finished(Process(opened).work(agent([MODEL, MODEL, KEYED, MODEL], outside), version="v2"))
    assert isinstance(changed, Diverged)
    assert all(part in str(changed) for part in ("step 2", "tool_2", "model_2", "v1", "v2"))
    found = await Process(opened).runs.of("acme", run.id)
    assert (found.state, found.error and found.error["code"]) == ("failed", "diverged")


async def test_a_run_is_worked_on_by_one_process(opened: Stores) -> None:
    """The first one finds out at its next write that it has lost the lease, and changes nothing."""
    outside, entered, go = Outside(), asyncio.Event(), asyncio.Event()

    async def slow(history: History, *_: Any) -> AsyncIterator[Any]:
        async def perform(_: str) -> Any:
            entered.set()
            await go.wait()
            return "the first"

        yield Text(await history.outcome(Step("1", "model", "m", {}), perform))
        yield Finish("stop")

    async def quick(history: History, *_: Any) -> AsyncIterator[Any]:
        async def perform(_: str) -> Any:
            return "the second"

        yield Text(await history.outcome(Step("1", "model", "m", {}), perform))
        yield Finish("stop")

    run = await Process(opened).queued()
    first = asyncio.create_task(Process(opened).work(slow))
    await entered.wait()
    assert outside.calls.total() == 0
    await Process(opened).work(quick)
    go.set()
    with pytest.raises(Cancelled):
        await first
    found = await Process(opened).runs.of("acme", run.id)
    assert (found.state, found.output["text"]) == ("completed", "the second")


async def test_a_pause_lets_the_step_end_and_a_cancellation_breaks_the_model_off(opened: Stores) -> None:
    for wish, kind in (("pause", Paused), ("cancel", Cancelled)):
        process, entered, go = Process(opened), asyncio.Event(), asyncio.Event()
        reached: list[str] = []

        async def play(
            history: History, *_: Any, e: Any = entered, g: Any = go, r: Any = reached
        ) -> AsyncIterator[Any]:
            async def perform(_: str) -> Any:
                e.set()
                await g.wait()
                r.append("answered")
                return "x"

            for path in ("1", "2"):
                await history.outcome(Step(path, "model", "m", {}), perform)
            yield Finish("stop")

        run = await process.queued()
        work = asyncio.create_task(process.work(play))
        await entered.wait()
        found = process.keeper.opened("acme", run.id)
        assert found is not None
        found.history.signal.stop(wish)  # type: ignore[arg-type]
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(kind):
            await work
        state = (await process.runs.of("acme", run.id)).state
        assert (state, reached) == (("paused", ["answered"]) if wish == "pause" else ("cancelled", []))


async def test_a_tool_with_an_effect_ends_before_its_run_is_cancelled(opened: Stores) -> None:
    process, entered, go = Process(opened), asyncio.Event(), asyncio.Event()

    async def play(history: History, *_: Any) -> AsyncIterator[Any]:
        async def perform(_: str) -> Any:
            entered.set()
            await go.wait()
            return {"output": "sent"}

        await history.outcome(Step("1", "tool", "mail", {}, "unkeyed"), perform)
        await history.outcome(Step("2", "model", "m", {}), perform)
        yield Finish("stop")

    run = await process.queued()
    work = asyncio.create_task(process.work(play))
    await entered.wait()
    work.cancel()
    await asyncio.sleep(0)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await work
    step = (await process.steps.all("acme", run.id))["1"]
    assert (step.state, step.outcome) == ("done", '{"output":"sent"}')
    assert (await process.runs.of("acme", run.id)).state == "queued"


async def test_the_facts_of_a_call_are_written_with_its_outcome(opened: Stores) -> None:
    """So what was paid is in the books, even if the process dies before the run ends."""

    async def play(history: History, context: Context) -> AsyncIterator[Any]:
        async def perform(_: str) -> Any:
            facts = ToolFacts(tool="look", outcome="ok", effect="none")
            context.settlement.records.append(EventRecord(ids.new("evt_"), 1.0, "acme", "t" * 32, "", facts))
            return {"output": 1}

        yield Text(str(await history.outcome(Step("1", "tool", "look", {}), perform)))
        await history.outcome(Step("2", "model", "m", {}), perform)
        yield Finish("stop")

    database = Mortal(opened.database, 4, committed=False)
    process = Process(opened, database)
    run = await process.queued()
    context = Context(ME)
    died = await finished(process.work(lambda h, *_: play(h, context), context=context))
    assert isinstance(died, Killed)
    [kept] = await opened.events.find("acme", kind="tool", limit=10)
    assert kept.facts.plain()["tool"] == "look"
    # The second one's were not written, and are not lost in a process that lives on.
    assert len(context.settlement.records) == 1
    assert [each.path for each in (await process.steps.all("acme", run.id)).values()] == ["0", "1"]


async def test_a_step_without_effects_began_before_it_was_performed(opened: Stores) -> None:
    called: list[float] = []

    async def play(history: History, *_: Any) -> AsyncIterator[Any]:
        async def perform(__: str) -> Any:
            called.append(time.time())
            return "x"

        await history.outcome(Step("1", "model", "m", {}), perform)
        yield Finish("stop")

    process = Process(opened)
    run = await process.queued()
    await process.work(play)
    step = (await process.steps.all("acme", run.id))["1"]
    assert step.ended_at is not None
    assert step.began_at <= called[0] <= step.ended_at


async def test_card_numbers_are_not_kept_and_the_run_sees_what_is_kept(opened: Stores) -> None:
    card, seen = "4111 1111 1111 1111", []

    async def play(history: History, request: ChatRequest, _: Any) -> AsyncIterator[Any]:
        async def perform(__: str) -> Any:
            return {"output": f"It is {card}."}

        seen.append(request.messages[-1].content)
        found = await history.outcome(Step("1", "tool", "look", {"arguments": {"card": card}}), perform)
        seen.append(found["output"])
        yield Text(found["output"])
        yield Finish("stop")

    process = Process(opened)
    run = await process.queued(ChatRequest("robot", (Message("user", f"My card is {card}"),)))
    await process.work(play)
    kept = [await process.runs.of("acme", run.id), await process.steps.all("acme", run.id)]
    # Four of its digits alone may be in an id or a time.
    assert "4111 1111" not in str(kept)
    assert "4111 1111" not in str(seen)


@pytest.mark.parametrize(
    "other",
    [
        Principal("acme", "key_2", groups=ME.groups),
        Principal("other", "key_1", groups=ME.groups),
        Principal("acme", "key_1", groups=frozenset()),
        Principal("acme", "key_2", frozenset({"runs"}), frozenset()),
    ],
)
async def test_nobody_else_finds_a_run(opened: Stores, other: Principal) -> None:
    from mainspring.stores.sql.pages import Page

    process = Process(opened)
    run = await process.queued()
    for asked in (
        process.runs.get(other, run.id),
        process.runs.take(other, run.id, "lease"),
        process.runs.want(other, run.id, "cancel"),
        process.runs.queue(other, run.id, ("queued",)),
        decisions.decide(opened, other, run.id, "1", "happened"),
    ):
        with pytest.raises(NotFound):
            await asked
    assert (await process.runs.page(other, Page())).rows == []
    assert [each.id for each in (await process.runs.page(ME, Page())).rows] == [run.id]


async def test_the_scope_runs_sees_those_of_others_in_its_groups(opened: Stores) -> None:
    run = await Process(opened).queued()
    lead = Principal("acme", "key_9", frozenset({"runs"}), frozenset({"staff", "leads"}))
    assert (await Process(opened).runs.get(lead, run.id)).id == run.id


async def test_a_tenant_has_so_many_open_runs(opened: Stores) -> None:
    process = Process(opened, per_tenant=1)
    run = await process.queued()
    with pytest.raises(QuotaExceeded):
        await process.queued()
    await process.runs.want(ME, run.id, "cancel")
    await process.queued()


async def test_nothing_is_kept_of_a_request_that_is_not_to_be_stored(opened: Stores) -> None:
    from mainspring.agents.runs import played
    from mainspring.core.types import Context
    from mainspring.stores.sql.pages import Page

    process, outside = Process(opened), Outside()
    request = ChatRequest("robot", ASKED.messages, store=False)
    found = [event async for event in played(process.keeper, "robot", request, Context(ME), agent([NONE], outside))]
    assert isinstance(found[-1], Finish)
    assert (await process.runs.page(ME, Page())).rows == []


async def test_a_run_that_is_asked_for_in_the_foreground_can_be_taken_up(opened: Stores) -> None:
    from mainspring.agents.runs import RUN, played
    from mainspring.core.types import Context

    process, outside = Process(opened), Outside()
    events = played(process.keeper, "robot", ASKED, Context(ME), agent([NONE, NONE], outside))
    await anext(events)
    [run] = [each.run for each in process.keeper._open.values()]
    with pytest.raises(Conflict):
        await anext(
            played(
                process.keeper,
                "robot",
                ChatRequest("robot", ASKED.messages, options={RUN: run.id}),
                Context(ME),
                agent([NONE], outside),
            )
        )
    await events.aclose()
    assert (await process.runs.of("acme", run.id)).state == "interrupted"
    request = ChatRequest("robot", (Message("user", "something else"),), options={RUN: run.id})
    again = [
        event async for event in played(process.keeper, "robot", request, Context(ME), agent([NONE, NONE], outside))
    ]
    assert isinstance(again[-1], Finish)
    assert outside.calls["1"] == 1
    assert (await process.runs.of("acme", run.id)).state == "completed"


async def test_a_sessions_state_goes_from_run_to_run(opened: Stores) -> None:
    process, outside = Process(opened), Outside()
    request = ChatRequest("robot", ASKED.messages, session_id="talk")
    for turns in (1, 2):
        await process.queued(request)
        await process.work(agent([NONE], outside))
        assert await process.keeper._sessions.get(ME, "talk") == {"turns": turns}
    assert await process.keeper._sessions.get(Principal("acme", "key_2"), "talk") == {}
    assert issubclass(Waiting, Stopped)
