from __future__ import annotations

import asyncio

import pytest

from mainspring.core.errors import Overloaded, RateLimited
from mainspring.engines.process.turn_taking import Allowances, Turns


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Works:
    """Tasks that each wait for their turn and write down that they had it."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.order: list[str] = []
        self.at_once = 0

    def start(self, name: str) -> asyncio.Task[None]:
        return asyncio.create_task(self._work(name))

    async def _work(self, name: str) -> None:
        async with self.turns.turn(name[0]):
            self.at_once += 1
            assert self.at_once == 1
            self.order.append(name)
            await asyncio.sleep(0)
            self.at_once -= 1


async def test_tenants_take_turns() -> None:
    works = Works(Turns())
    tasks = [works.start(name) for name in ("a0", "a1", "a2", "a3", "b0", "c0", "b1")]
    await asyncio.gather(*tasks)
    assert works.order == ["a0", "a1", "b0", "c0", "a2", "b1", "a3"]
    await works.start("d0")


async def test_a_request_that_leaves_passes_its_turn_on() -> None:
    turns = Turns()
    works = Works(turns)
    async with turns.turn("z"):
        first, second, third = works.start("a0"), works.start("b0"), works.start("c0")
        await settle()
        second.cancel()
        await settle()
    # Its turn has come, and it leaves before it takes it.
    first.cancel()
    await asyncio.gather(first, second, third, return_exceptions=True)
    assert works.order == ["c0"]
    await works.start("d0")


async def test_a_tenant_has_so_many_waiting() -> None:
    turns = Turns(most=2)
    works = Works(turns)
    async with turns.turn("z"):
        tasks = [works.start(name) for name in ("a0", "a1", "a2", "b0")]
        await settle()
        with pytest.raises(Overloaded):
            await tasks[2]
    await asyncio.gather(tasks[0], tasks[1], tasks[3])
    assert works.order == ["a0", "b0", "a1"]


def test_an_allowance_grows_again_and_not_beyond_its_most() -> None:
    now = [0.0]
    allowances = Allowances(10.0, 0.5, lambda: now[0])
    allowances.take("a", 12.0)
    with pytest.raises(RateLimited) as limited:
        allowances.require("a")
    assert limited.value.retry_after == pytest.approx(6.0)
    allowances.require("b")
    now[0] += 6.0
    allowances.require("a")
    now[0] += 1000.0
    allowances.take("a", 9.9)
    allowances.require("a")
    allowances.take("a", 0.2)
    with pytest.raises(RateLimited):
        allowances.require("a")


def test_accounts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainspring.engines.process.turn_taking._TENANTS", 3)
    allowances = Allowances(10.0, 0.5, lambda: 0.0)
    for number in range(10):
        allowances.require(str(number))
    assert len(allowances._accounts) == 3
