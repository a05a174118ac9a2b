"""Slots that tenants get by turns."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from mainspring.agents.sandbox import process
from mainspring.agents.sandbox.bubblewrap import BubblewrapSandbox
from mainspring.core.fair.lane import LANE
from mainspring.core.fair.slots import FairSlots
from mainspring.features.improve.stages.running import Running
from mainspring.rag.workers import Workers


class Runs:
    """Runs of tenants in two slots, each until it is let go; ``order`` is that in which they began."""

    def __init__(self, slots: int = 2) -> None:
        self.slots = FairSlots(slots)
        self.order: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}

    async def begin(self, tenant: str, name: str) -> asyncio.Task[None]:
        async def work() -> None:
            LANE.set(tenant)
            async with self.slots.slot():
                self.order.append(name)
                await self.ends.setdefault(name, asyncio.Event()).wait()

        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        return task

    async def end(self, name: str) -> None:
        self.ends.setdefault(name, asyncio.Event()).set()
        for _ in range(5):
            await asyncio.sleep(0)


async def test_many_runs_of_one_are_no_line_before_anothers() -> None:
    runs = Runs()
    for number in range(6):
        await runs.begin("a", f"a{number}")
    await runs.begin("b", "b0")
    await runs.begin("c", "c0")
    assert runs.order == ["a0", "a1"]
    await runs.end("a0")
    await runs.end("a1")
    assert runs.order == ["a0", "a1", "b0", "c0"]
    for name in ("b0", "c0", "a2", "a3", "a4", "a5"):
        await runs.end(name)
    assert runs.order[4:] == ["a2", "a3", "a4", "a5"]
    assert not runs.slots._lanes


async def test_one_alone_has_all_slots_and_none_is_lost_when_it_is_cancelled() -> None:
    runs = Runs()
    first, second, third = [await runs.begin("a", f"a{number}") for number in range(3)]
    third.cancel()
    await asyncio.wait([third])
    fourth = await runs.begin("a", "a3")
    second.cancel()
    await asyncio.wait([second])
    await asyncio.sleep(0)
    assert runs.order == ["a0", "a1", "a3"]
    # One is cancelled in the moment in which it gets its slot.
    fifth = await runs.begin("b", "b0")
    runs.ends["a0"].set()
    await asyncio.wait([first])
    fifth.cancel()
    await asyncio.wait([fifth])
    await runs.end("a3")
    await fourth
    assert runs.slots._free == 2
    assert not runs.slots._lanes
    with pytest.raises(asyncio.CancelledError):
        await third


async def test_code_of_one_tenant_is_no_line_before_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    ends: dict[str, asyncio.Event] = {name: asyncio.Event() for name in ("a0", "a1", "a2", "b0")}

    async def ran(_: object, started: object, request: bytes, mark: bytes, limits: object) -> Any:
        name = request.decode()
        order.append(name)
        await ends[name].wait()
        return SimpleNamespace(output=mark, stopped="")

    async def taken(*_: object) -> None:
        return None

    monkeypatch.setattr(process, "_request", lambda mark, code, *_: code.encode())
    for name, told in (("_ran", ran), ("_taken", taken), ("_fill", lambda *_: None), ("_read", lambda *_: None)):
        monkeypatch.setattr(BubblewrapSandbox, name, told)
    sandbox = BubblewrapSandbox(1)

    async def run(tenant: str, name: str) -> None:
        LANE.set(tenant)
        await sandbox.run(name)

    runs = [asyncio.create_task(run(name[0], name)) for name in ends]
    for name in ("a0", "b0", "a1", "a2"):
        await asyncio.sleep(0.01)
        ends[name].set()
    await asyncio.gather(*runs)
    assert order == ["a0", "b0", "a1", "a2"]


async def test_documents_of_one_tenant_are_no_line_before_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    order: list[str] = []
    ends: dict[str, asyncio.Event] = {name: asyncio.Event() for name in ("a0", "a1", "a2", "b0")}

    async def read(_: object, name: str, *__: object) -> str:
        order.append(name)
        await ends[name].wait()
        return name

    monkeypatch.setattr(Workers, "_read", read)
    workers = Workers("none", 64)

    async def ask(tenant: str, name: str) -> None:
        LANE.set(tenant)
        await workers.ask(name, 60.0, [], lambda _: None)  # type: ignore[arg-type, return-value]

    asked = [asyncio.create_task(ask(name[0], name)) for name in ends]
    for name in ("a0", "b0", "a1", "a2"):
        await asyncio.sleep(0.01)
        ends[name].set()
    await asyncio.gather(*asked)
    assert order == ["a0", "b0", "a1", "a2"]


async def test_the_loop_of_improvement_works_in_the_turns_of_the_campaigns_tenant() -> None:
    seen: list[str] = []

    async def find(tenant: str, _: str) -> Any:
        seen.append(LANE.get())

    tools: Any = SimpleNamespace(settings=SimpleNamespace(at_once=1), campaigns=SimpleNamespace(find=find))
    nothing: Any = None
    running = Running(tools, nothing, nothing, nothing, nothing, nothing)
    campaign: Any = SimpleNamespace(tenant="acme", id="cmp_1")
    await asyncio.create_task(running._alone(campaign))
    assert seen == ["acme"]
