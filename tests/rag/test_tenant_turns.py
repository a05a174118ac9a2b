"""Turns of tenants: how many run, who waits for whom, and what a cancelled one leaves."""

from __future__ import annotations

import asyncio

from mainspring.rag.tenant_turns import ABOUT_S, TenantTurns


class Desk:
    """Counts what runs of each tenant; each stays until it is let go."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = TenantTurns(alone=4, beside=1, clock=lambda: self.now)
        self.running: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.gates: dict[str, list[asyncio.Event]] = {}
        self.tasks: list[asyncio.Task[None]] = []

    async def _one(self, tenant: str, gate: asyncio.Event) -> None:
        async with self.turns.of(tenant):
            self.running[tenant] = self.running.get(tenant, 0) + 1
            self.most[tenant] = max(self.most.get(tenant, 0), self.running[tenant])
            try:
                await gate.wait()
            finally:
                self.running[tenant] -= 1

    async def come(self, tenant: str, count: int = 1) -> list[asyncio.Task[None]]:
        made = []
        for _ in range(count):
            gate = asyncio.Event()
            self.gates.setdefault(tenant, []).append(gate)
            made.append(asyncio.create_task(self._one(tenant, gate)))
        self.tasks += made
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return made

    async def let_go(self, tenant: str, count: int = 1) -> None:
        for _ in range(count):
            self.gates[tenant].pop(0).set()
            for _ in range(5):
                await asyncio.sleep(0)

    async def end(self) -> None:
        for gates in self.gates.values():
            for gate in gates:
                gate.set()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_a_tenant_alone_keeps_the_machine_busy() -> None:
    desk = Desk()
    await desk.come("loud", 16)
    assert desk.running["loud"] == 4
    await desk.let_go("loud", 3)
    assert desk.running["loud"] == 4
    await desk.end()
    assert desk.most["loud"] == 4


async def test_another_does_not_wait_for_the_line_of_the_loud() -> None:
    desk = Desk()
    await desk.come("loud", 16)
    await desk.come("quiet")
    assert desk.running["quiet"] == 1
    # Those that run already end; then it is one at a time, and still is a little later.
    await desk.let_go("loud", 4)
    assert desk.running["loud"] == 1
    await desk.let_go("quiet")
    desk.now += ABOUT_S / 2
    await desk.let_go("loud")
    assert desk.running["loud"] == 1
    desk.now += ABOUT_S
    await desk.let_go("loud")
    assert desk.running["loud"] == 4
    await desk.end()


async def test_who_goes_away_takes_no_turn_along() -> None:
    desk = Desk()
    await desk.come("quiet")
    tasks = await desk.come("loud", 4)
    assert desk.running["loud"] == 1
    tasks[1].cancel()
    tasks[0].cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert desk.running["loud"] == 1
    assert not tasks[2].done()
    await desk.end()
    assert desk.most["loud"] == 1
    assert [line.running for line in desk.turns._lines.values()] == [0, 0]


async def test_lines_of_those_who_left_are_dropped() -> None:
    desk = Desk()
    for number in range(3000):
        desk.now += 1.0
        async with desk.turns.of(f"t{number}"):
            pass
    assert len(desk.turns._lines) <= 1024
