"""Runs over HTTP and from the command line: a whole system with a scripted agent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mainspring.agents.history import History, Step
from mainspring.agents.runs import Histories, played
from mainspring.core.types import ChatRequest, Context, Event, Finish, Head, Request, Response, Text
from mainspring.features.runs.keeping.keeper import Keeper
from mainspring.features.runs.settings import RunsSettings
from mainspring.features.runs.work import working
from mainspring.serving.ring.registry import Served
from tests.world import Key, World, echoing, opened, use_engines

pytestmark = pytest.mark.slow


class Robot:
    """An agent that looks, asks for approval if it is told to pay, and pays."""

    version = "v1"

    def __init__(self, histories: Histories) -> None:
        self._histories = histories
        self.paid: list[str] = []
        self.hold: asyncio.Event | None = None
        self.fails = False

    async def respond(self, request: Request, context: Context) -> Response:
        assert isinstance(request, ChatRequest)
        events = played(
            self._histories,
            "robot",
            request,
            context,
            lambda h, r, s: self.play(r, context, h, s),
            version=self.version,
        )
        first = await anext(events)

        async def rest() -> AsyncIterator[Event]:
            yield first
            async for event in events:
                yield event

        return Response(Head("robot"), rest(), on_close=events.aclose)

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return None

    async def play(
        self,
        request: ChatRequest,
        context: Context,
        history: History,
        state: dict[str, Any],
    ) -> AsyncIterator[Event]:
        async def look(_: str) -> Any:
            if self.hold is not None:
                await self.hold.wait()
            return {"output": "order 7"}

        async def pay(key: str) -> Any:
            self.paid.append(key)
            if self.fails:
                raise TimeoutError
            return {"output": "paid"}

        said = request.messages[-1].content
        seen = await history.outcome(Step("1", "tool", "look", {"call_id": "c1", "arguments": {"for": said}}), look)
        yield Text(f"I see {seen['output']}. ")
        call = {"call_id": "c2", "arguments": {"order": 7}}
        if "approved" in said:
            decided = await history.outcome(Step("2", "approval", "pay", call), pay)
            yield Text(f"{decided['decision']}: {decided['note']} ")
            if not decided["approved"]:
                yield Finish("stop")
                return
        if "pay" in said:
            done = await history.outcome(Step("3", "tool", "pay", call, "unkeyed"), pay)
            yield Text(str(done["output"]))
        yield Finish("stop")


@asynccontextmanager
async def serving(home: Path, **settings: Any) -> AsyncIterator[tuple[World, Robot]]:
    quick = RunsSettings(poll_s=0.02, **settings)
    async with opened(home, runs=quick) as world:
        system = world.system
        robot = Robot(system.services.fitting(Histories))  # type: ignore[type-abstract]
        system.registry.add(Served("robot", "application", robot))
        async with working(system.rooms, system.services[Keeper]):
            yield world, robot


@pytest.fixture(autouse=True)
def _engines(monkeypatch: pytest.MonkeyPatch) -> None:
    use_engines(monkeypatch, echoing("small"))


async def begin(world: World, key: Key, said: str, **more: Any) -> dict[str, Any]:
    body = {"agent": "robot", "input": said, **more}
    found = await world.call(key, "POST", "/v1/agents/runs", body)
    assert found.status_code == 200, found.text
    return found.json()  # type: ignore[no-any-return]


async def until(world: World, key: Key, run_id: str, *states: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            found: dict[str, Any] = (await world.call(key, "GET", f"/v1/agents/runs/{run_id}")).json()
            if found["status"] in states:
                return found
            await asyncio.sleep(0.01)


async def test_a_run_is_begun_waited_for_listed_and_replayed(tmp_path: Path) -> None:
    async with serving(tmp_path) as (world, robot):
        red, blue = world.keys["red"], world.keys["blue"]
        run = await begin(world, red, "please pay", metadata={"ticket": "9"}, user="ada")
        assert (run["status"], run["output_text"], run["user"]) == ("completed", "I see order 7. paid", "ada")
        path = f"/v1/agents/runs/{run['id']}"
        steps = (await world.call(red, "GET", f"{path}/steps")).json()["data"]
        assert [(each["number"], each["kind"], each["status"]) for each in steps] == [
            (1, "input", "done"),
            (2, "tool", "done"),
            (3, "tool", "done"),
        ]
        listed = (await world.call(red, "GET", "/v1/agents/runs?status=completed&agent=robot")).json()["data"]
        assert [each["id"] for each in listed] == [run["id"]]
        assert (await world.call(blue, "GET", "/v1/agents/runs")).json()["data"] == []
        assert (await world.call(blue, "GET", path)).status_code == 404
        replayed = (await world.call(red, "POST", f"{path}/replay")).json()
        assert (replayed["identical"], replayed["steps"], replayed["output_text"]) == (True, 3, run["output_text"])
        assert len(robot.paid) == 1
        # The answer is an answer like any other, and settled.
        async with asyncio.timeout(10):
            while not (told := await answers(world, run["trace_id"])):
                await asyncio.sleep(0.01)
        assert [each["facts"]["requested"] for each in told] == ["robot"]


async def answers(world: World, trace_id: str) -> list[Any]:
    found = await world.call(world.keys["red"], "GET", f"/v1/events?kind=answer&trace_id={trace_id}")
    return found.json()["data"]  # type: ignore[no-any-return]


async def test_an_idempotency_key_begins_one_run(tmp_path: Path) -> None:
    async with serving(tmp_path) as (world, robot):
        headers = {"idempotency-key": "once"}
        body = {"agent": "robot", "input": "pay"}
        found = [
            (await world.call(world.keys["red"], "POST", "/v1/agents/runs", body, headers=headers)).json()["id"]
            for _ in range(2)
        ]
        assert found[0] == found[1]
        assert len(robot.paid) == 1
        unknown = await world.call(world.keys["red"], "POST", "/v1/agents/runs", {"agent": "nobody", "input": "x"})
        assert unknown.status_code == 404


async def frames(world: World, key: Key, run_id: str, **more: Any) -> tuple[bytes, list[tuple[int, str, Any]]]:
    raw = (await world.call(key, "GET", f"/v1/agents/runs/{run_id}/events", **more)).content
    found = []
    for each in raw.decode().strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in each.split("\n"))
        found.append((int(lines["id"]), lines["event"], json.loads(lines["data"])))
    return raw, found


async def test_events_are_shown_as_they_come_and_again_behind_any(tmp_path: Path) -> None:
    async with serving(tmp_path) as (world, robot):
        red = world.keys["red"]
        robot.hold = asyncio.Event()
        run = await begin(world, red, "pay", background=True)
        assert run["status"] in ("queued", "running")
        watching = asyncio.create_task(frames(world, red, run["id"]))
        await until(world, red, run["id"], "running")
        robot.hold.set()
        _, live = await watching
        assert [each[2]["id"] for each in live if each[1] == "step"] == ["0", "1", "3"]
        assert live[-1][1:] == ("run", await until(world, red, run["id"], "completed"))
        raw, again = await frames(world, red, run["id"])
        assert (raw, [each for each in again if each[1] == "step"]) == (
            (await frames(world, red, run["id"]))[0],
            [each for each in live if each[1] == "step"],
        )
        _, rest = await frames(world, red, run["id"], headers={"last-event-id": "2"})
        assert [(each[0], each[1]) for each in rest] == [(3, "step"), (3, "run")]


async def test_a_run_waits_for_approval_and_goes_on_by_itself(tmp_path: Path) -> None:
    async with serving(tmp_path) as (world, robot):
        red, both = world.keys["red"], world.keys["both"]
        for how, status, text in (("approve", "approved", "paid"), ("deny", "denied", "")):
            robot.paid.clear()
            run = await begin(world, red, "pay if approved")
            assert (run["status"], run["error"]["code"]) == ("waiting", "approval_pending")
            assert robot.paid == []
            approval = run["error"]["approval_id"]
            shown = (await world.call(both, "GET", f"/v1/approvals/{approval}")).json()
            assert json.loads(shown["tool_call"]["function"]["arguments"]) == {"order": 7}
            early = await world.call(red, "POST", f"/v1/agents/runs/{run['id']}/resume")
            assert early.status_code == 409
            await world.call(both, "POST", f"/v1/approvals/{approval}/{how}", {"note": "by Bo"})
            done = await until(world, red, run["id"], "completed")
            assert done["output_text"] == f"I see order 7. {status}: by Bo {text}"
            assert len(robot.paid) == (how == "approve")
            again = (await world.call(red, "POST", f"/v1/agents/runs/{run['id']}/replay")).json()
            assert again["identical"]


async def test_an_approval_that_nobody_gives_expires(tmp_path: Path) -> None:
    async with serving(tmp_path, approval_s=0.2) as (world, robot):
        run = await begin(world, world.keys["red"], "pay if approved")
        done = await until(world, world.keys["red"], run["id"], "completed")
        assert "expired" in done["output_text"]
        assert robot.paid == []


async def test_a_person_decides_what_became_of_a_call(tmp_path: Path) -> None:
    async with serving(tmp_path) as (world, robot):
        red = world.keys["red"]
        robot.fails = True
        run = await begin(world, red, "pay")
        assert (run["status"], run["error"]["code"], run["error"]["step"]) == ("waiting", "outcome_unknown", "3")
        body = {"step": "3", "decision": "happened", "result": "paid, says the bank", "note": "called them"}
        told = await world.call(red, "POST", f"/v1/agents/runs/{run['id']}/decide", body)
        assert told.status_code == 200
        done = await until(world, red, run["id"], "completed")
        assert done["output_text"] == "I see order 7. paid, says the bank"
        assert len(robot.paid) == 1
        entries = [each async for each in _audit(world)]
        assert [each for each in entries if each == "run.decided"] == ["run.decided"]


async def _audit(world: World) -> AsyncIterator[str]:
    found = await world.call(world.keys["red"], "GET", "/v1/audit?limit=100")
    for each in found.json()["data"]:
        yield each["action"]


async def test_runs_are_paused_resumed_cancelled_and_late(tmp_path: Path) -> None:
    async with serving(tmp_path) as (world, robot):
        red = world.keys["red"]
        robot.hold = asyncio.Event()
        run = await begin(world, red, "pay", background=True)
        await until(world, red, run["id"], "running")
        await asyncio.sleep(0.1)
        path = f"/v1/agents/runs/{run['id']}"
        assert (await world.call(red, "POST", f"{path}/pause")).json()["status"] in ("pausing", "paused")
        robot.hold.set()
        await until(world, red, run["id"], "paused")
        assert robot.paid == []
        assert (await world.call(red, "POST", f"{path}/resume")).status_code == 200
        assert (await until(world, red, run["id"], "completed"))["output_text"].endswith("paid")
        assert (await world.call(red, "POST", f"{path}/cancel")).status_code == 409
        robot.hold = asyncio.Event()
        run = await begin(world, red, "pay", background=True)
        await until(world, red, run["id"], "running")
        await world.call(red, "POST", f"/v1/agents/runs/{run['id']}/cancel")
        await until(world, red, run["id"], "cancelled")
        late = await begin(world, red, "pay", deadline_s=0.3)
        assert (late["status"], late["error"]["code"]) == ("failed", "deadline_exceeded")
        assert len(robot.paid) == 1


async def test_a_run_that_stands_still_is_deleted_with_its_steps(tmp_path: Path) -> None:
    async with serving(tmp_path) as (world, robot):
        red, blue = world.keys["red"], world.keys["blue"]
        run = await begin(world, red, "please pay")
        path = f"/v1/agents/runs/{run['id']}"
        assert (await world.call(blue, "DELETE", path)).status_code == 404
        told = await world.call(red, "DELETE", path)
        assert told.json() == {"id": run["id"], "object": "agent.run.deleted", "deleted": True}
        for method, where in (("GET", path), ("GET", f"{path}/steps"), ("POST", f"{path}/replay"), ("DELETE", path)):
            assert (await world.call(red, method, where)).status_code == 404
        assert (await world.call(red, "GET", "/v1/agents/runs")).json()["data"] == []
        assert "run.deleted" in [each async for each in _audit(world)]

        # One whose call waits for a person is cancelled first; one that a process works on is stopped first.
        waiting = await begin(world, red, "pay if approved")
        path = f"/v1/agents/runs/{waiting['id']}"
        refused = await world.call(red, "DELETE", path)
        assert (refused.status_code, "cancel it" in refused.json()["error"]["message"]) == (409, True)
        await world.call(red, "POST", f"{path}/cancel")
        assert (await world.call(red, "DELETE", path)).status_code == 200
        robot.hold = asyncio.Event()
        held = await begin(world, red, "pay", background=True)
        await until(world, red, held["id"], "running")
        assert (await world.call(red, "DELETE", f"/v1/agents/runs/{held['id']}")).status_code == 409
        robot.hold.set()
        await until(world, red, held["id"], "completed")


async def test_a_fork_keeps_steps_and_performs_what_follows(tmp_path: Path) -> None:
    async with serving(tmp_path) as (world, robot):
        red = world.keys["red"]
        run = await begin(world, red, "pay if approved")
        await world.call(world.keys["both"], "POST", f"/v1/approvals/{run['error']['approval_id']}/approve", {})
        await until(world, red, run["id"], "completed")
        path = f"/v1/agents/runs/{run['id']}/fork"
        # All steps are kept: nothing is paid again.
        whole = (await world.call(red, "POST", path, {})).json()
        assert whole["forked_from"] == run["id"]
        done = await until(world, red, whole["id"], "completed")
        assert done["events_sha256"] == (await until(world, red, run["id"], "completed"))["events_sha256"]
        assert len(robot.paid) == 1
        # The call is not kept, so its approval is asked for anew.
        for body in ({"after": 3}, {"after": 2}):
            forked = (await world.call(red, "POST", path, body)).json()
            assert (await until(world, red, forked["id"], "waiting"))["error"]["code"] == "approval_pending"
        # With another outcome of a step, what follows sees that one.
        edited = (await world.call(red, "POST", path, {"step": "1", "outcome": {"output": "order 8"}})).json()
        waits = await until(world, red, edited["id"], "waiting")
        await world.call(world.keys["both"], "POST", f"/v1/approvals/{waits['error']['approval_id']}/deny", {})
        done = await until(world, red, edited["id"], "completed")
        assert done["output_text"].startswith("I see order 8. denied")
        assert len(robot.paid) == 1
        both = {"after": 1, "step": "1"}
        assert (await world.call(red, "POST", path, both)).status_code == 400
        assert (await world.call(red, "POST", path, {"step": "9", "outcome": 1})).status_code == 404


async def test_a_run_of_an_older_version_says_why_it_does_not_go_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as (world, robot):
        red = world.keys["red"]
        run = await begin(world, red, "pay if approved")
        robot.version = "v2"
        robot.play = _other  # type: ignore[method-assign]
        await world.call(world.keys["both"], "POST", f"/v1/approvals/{run['error']['approval_id']}/approve", {})
        failed = await until(world, red, run["id"], "failed")
        assert failed["error"]["code"] == "diverged"
        assert all(word in failed["error"]["message"] for word in ("step 1", "look", "seek", "v1", "v2"))


async def _other(request: ChatRequest, context: Context, history: History, state: Any) -> AsyncIterator[Event]:
    async def nothing(_: str) -> Any:
        return {}

    await history.outcome(Step("1", "tool", "seek", {}), nothing)
    yield Finish("stop")


async def test_an_agent_that_is_asked_in_a_chat_leaves_a_run(tmp_path: Path) -> None:
    async with serving(tmp_path) as (world, _):
        red = world.keys["red"]
        body = {"model": "robot", "messages": [{"role": "user", "content": "look"}]}
        await world.call(red, "POST", "/v1/chat/completions", body)
        [run] = (await world.call(red, "GET", "/v1/agents/runs")).json()["data"]
        assert (run["status"], run["output_text"]) == ("completed", "I see order 7. ")
        await world.call(red, "POST", "/v1/chat/completions", {**body, "store": False})
        assert len((await world.call(red, "GET", "/v1/agents/runs")).json()["data"]) == 1
