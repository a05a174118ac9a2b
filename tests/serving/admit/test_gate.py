"""The gate before an engine: who is let in when, who is refused, and what that is worth under overload."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from mainspring.core.errors import DeadlineExceeded, EngineDied, Overloaded
from mainspring.core.settings.serving.queueing import AdmissionSettings
from mainspring.core.types import Context, Principal, Priority, Usage
from mainspring.serving.admit.expected_usage import Work
from mainspring.serving.admit.gate import Gate, Place
from tests.serving import virtual
from tests.serving.house import CountingMetrics

WORK = Work(prompt=20, output=100)


def caller(tenant: str = "a", key: str = "k", **fields: Any) -> Context:
    return Context(Principal(tenant, key), **fields)


def gate(
    sequences: int = 2, kv: int = 10_000, waiting: int = 8, metrics: CountingMetrics | None = None, **settings: Any
) -> Gate:
    return Gate(
        "chat",
        sequences,
        kv,
        AdmissionSettings(**settings),
        max_waiting=waiting,
        waits=metrics,
        clock=asyncio.get_running_loop().time,
    )


async def place(at: Gate, context: Context | None = None, work: Work = WORK) -> Place:
    context = context or caller()
    return at.enter(work, context) or await at.wait(work, context)


def taken(work: Work = WORK) -> Usage:
    return Usage(work.prompt, work.output)


async def test_as_many_as_the_engine_runs_are_let_in_at_once() -> None:
    metrics = CountingMetrics()
    door = gate(2, metrics=metrics)
    first, second = door.enter(WORK, caller()), door.enter(WORK, caller())
    assert first
    assert second
    assert door.enter(WORK, caller()) is None
    third = asyncio.create_task(door.wait(WORK, caller()))
    await asyncio.sleep(0)
    assert not third.done()
    first.leave(taken())
    # Only once.
    first.leave(taken())
    assert (await third).waited_s >= 0
    assert door.running == 2
    assert [outcome for _, _, outcome in metrics.waits] == ["admitted"] * 3


async def test_large_caps_do_not_close_the_gate() -> None:
    door, work = gate(8, kv=32_768), Work(prompt=200, output=32_000)
    assert [door.enter(work, caller()) is not None for _ in range(8)] == [True] * 7 + [False]


async def test_how_much_cache_is_reserved_is_learnt_from_a_tenants_answers() -> None:
    door, work = gate(8, kv=32_768), Work(prompt=200, output=32_000)
    for _ in range(80):
        (await place(door, work=work)).leave(Usage(200, 100))
    assert all(door.enter(work, caller()) for _ in range(8))
    assert door.reserved == 8 * (200 + 512)
    (long := await place(gate(8, kv=32_768), work=work)).leave(Usage(200, 20_000))
    again = long._gate.enter(work, caller())
    assert again
    assert long._gate.reserved == 200 + 30_000


async def test_the_cache_bounds_as_the_slots_do() -> None:
    door = gate(8, kv=250)
    first, second = door.enter(WORK, caller()), door.enter(WORK, caller())
    assert first
    assert second
    assert door.reserved == 240
    assert door.enter(WORK, caller()) is None
    third = asyncio.create_task(door.wait(Work(5, 5), caller()))
    await asyncio.sleep(0)
    assert third.done()
    # What is larger than the engine is for the engine to refuse: it waits until it would be alone.
    huge = asyncio.create_task(door.wait(Work(5000, 5000, 50), caller()))
    await asyncio.sleep(0)
    for each in (first, second, await third):
        each.leave(taken())
    (await huge).leave(None)
    assert (door.running, door.reserved) == (0, 0)


async def test_several_sequences_take_several_slots() -> None:
    door = gate(4)
    assert door.enter(Work(10, 10, width=3), caller())
    assert door.enter(Work(10, 10, width=2), caller()) is None
    assert door.enter(Work(10, 10), caller())


async def test_a_caller_who_leaves_gives_his_place_in_the_line_away() -> None:
    metrics = CountingMetrics()
    door = gate(1, metrics=metrics)
    running = door.enter(WORK, caller())
    assert running
    gone, stays = (asyncio.create_task(door.wait(WORK, caller())) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert door.statistics()["queued_interactive"] == 1
    running.leave(taken())
    (await stays).leave(taken())
    assert (door.running, door.reserved) == (0, 0)
    assert [outcome for _, _, outcome in metrics.waits] == ["admitted", "left", "admitted"]


@pytest.mark.parametrize("order", ["cancelled first", "let in first"])
async def test_who_leaves_in_the_moment_of_his_turn_frees_it(order: str) -> None:
    door = gate(1)
    running = door.enter(WORK, caller())
    assert running
    gone, stays = (asyncio.create_task(door.wait(WORK, caller())) for _ in range(2))
    await asyncio.sleep(0)
    if order == "cancelled first":
        gone.cancel()
        running.leave(taken())
    else:
        running.leave(taken())
        gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    (await stays).leave(taken())
    assert (door.running, door.reserved) == (0, 0)


async def test_a_deadline_ends_the_wait() -> None:
    door = gate(1)
    assert door.enter(WORK, caller())
    with pytest.raises(DeadlineExceeded, match="place"):
        await door.wait(WORK, caller(deadline=time.monotonic() + 0.02))
    assert door.statistics()["queued_interactive"] == 0


async def test_the_line_is_bounded_and_a_refusal_says_when_to_come_back() -> None:
    metrics = CountingMetrics()
    door = gate(1, waiting=3, metrics=metrics)
    assert door.enter(WORK, caller())
    waiting = [asyncio.create_task(door.wait(WORK, caller())) for _ in range(3)]
    await asyncio.sleep(0)
    waits = []
    for _ in range(4):
        with pytest.raises(Overloaded, match="3 requests wait already") as caught:
            await door.wait(WORK, caller())
        waits.append(caught.value.retry_after or 0)
    # One after the other, as the engine can take them: nothing was measured yet, so one in two seconds is assumed.
    assert waits == [4, 6, 8, 10]
    assert metrics.waits[-1][2] == "refused"
    for each in waiting:
        each.cancel()


async def test_a_class_has_a_line_of_its_own() -> None:
    door = gate(1, waiting=2)
    assert door.enter(WORK, caller())
    batch = [asyncio.create_task(door.wait(WORK, caller(priority=-9))) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await door.wait(WORK, caller(priority=Priority.BATCH))
    urgent = asyncio.create_task(door.wait(WORK, caller()))
    await asyncio.sleep(0)
    assert door.statistics()["queued_batch"] == 2
    assert door.statistics()["queued_interactive"] == 1
    for each in (*batch, urgent):
        each.cancel()


async def test_a_tenant_below_its_share_displaces_the_last_of_the_greediest() -> None:
    metrics = CountingMetrics()
    door = gate(1, waiting=4, metrics=metrics)
    running = door.enter(WORK, caller("loud"))
    assert running
    loud = [asyncio.create_task(door.wait(WORK, caller("loud"))) for _ in range(4)]
    await asyncio.sleep(0)
    quiet = asyncio.create_task(door.wait(WORK, caller("quiet")))
    with pytest.raises(Overloaded, match="most of them of this tenant"):
        await loud[-1]
    with pytest.raises(Overloaded):
        await door.wait(WORK, caller("loud"))
    assert [outcome for _, _, outcome in metrics.waits].count("displaced") == 1
    for each in (*loud[:-1], quiet):
        each.cancel()


async def test_a_closed_gate_tells_all_who_wait() -> None:
    door = gate(1)
    assert door.enter(WORK, caller())
    waiting = [asyncio.create_task(door.wait(WORK, caller())) for _ in range(3)]
    await asyncio.sleep(0)
    door.close()
    for each in waiting:
        with pytest.raises(EngineDied):
            await each
    assert door.enter(WORK, caller()) is None
    with pytest.raises(EngineDied):
        await door.wait(WORK, caller())


# --- traffic on virtual time ------------------------------------------------------------------------------------------


@dataclass
class Traffic:
    """What became of the requests of one run."""

    latencies: list[tuple[float, str, float]] = field(default_factory=list)
    refused: list[tuple[float, str, float]] = field(default_factory=list)
    work: Counter[str] = field(default_factory=Counter)
    peak: int = 0

    def p95(self, tenant: str | None = None, after: float = 30.0) -> float:
        chosen = [seconds for at, name, seconds in self.latencies if at >= after and tenant in (None, name)]
        return statistics.quantiles(chosen, n=20)[-1]


SLOTS, SERVICE_S = 16, 3.0
CAPACITY = SLOTS / SERVICE_S


async def traffic(door: Gate, demand: dict[str, float], seconds: float, *, seed: int = 1, **fields: Any) -> Traffic:
    """Poisson arrivals, ``demand`` of each tenant in requests a second; each takes about ``SERVICE_S``."""
    draw, loop, seen = random.Random(seed), asyncio.get_running_loop(), Traffic()

    async def ask(tenant: str, lasts: float) -> None:
        came = loop.time()
        try:
            mine = await place(door, caller(tenant, **fields))
        except Overloaded as error:
            # Before anything has ended nobody knows how long it lasts.
            assert loop.time() == came or came < 1.3 * SERVICE_S
            seen.refused.append((came, tenant, error.retry_after or 0))
            return
        seen.peak = max(seen.peak, door.running)
        await asyncio.sleep(lasts)
        mine.leave(Usage(WORK.prompt, WORK.output))
        seen.latencies.append((came, tenant, loop.time() - came))
        if 30 <= loop.time() < seconds:
            seen.work[tenant] += 1

    async def arrive(tenant: str, rate: float, group: asyncio.TaskGroup) -> None:
        while loop.time() < seconds:
            await asyncio.sleep(draw.expovariate(rate))
            group.create_task(ask(tenant, SERVICE_S * draw.uniform(0.8, 1.2)))

    async with asyncio.TaskGroup() as group:
        for tenant, rate in demand.items():
            group.create_task(arrive(tenant, rate, group))
    assert seen.peak <= SLOTS
    return seen


def played(demand: dict[str, float], seconds: float = 330.0, *, seed: int = 1, **settings: Any) -> Traffic:
    async def main() -> Traffic:
        return await traffic(gate(SLOTS, waiting=256, **settings), demand, seconds, seed=seed)

    return virtual.run(main())


def test_at_four_times_the_load_the_engine_stays_full_and_latency_stays_low() -> None:
    at_capacity, overloaded = played({"a": CAPACITY}), played({"a": 4 * CAPACITY})
    assert sum(overloaded.work.values()) / 300 >= 0.97 * CAPACITY
    assert overloaded.p95() <= 1.5 * at_capacity.p95()
    assert len(overloaded.refused) > 3 * 300


def test_below_capacity_nobody_is_refused() -> None:
    calm = played({"a": 0.6 * CAPACITY})
    assert len(calm.refused) <= 0.01 * len(calm.latencies)
    assert calm.p95() <= 1.5 * SERVICE_S


def test_a_burst_waits_instead_of_being_refused() -> None:
    async def main() -> Traffic:
        door = gate(SLOTS, waiting=256)
        await traffic(door, {"a": CAPACITY / 2}, 60)
        return await traffic(door, {"a": 30 * CAPACITY}, asyncio.get_running_loop().time() + 0.1)

    burst = virtual.run(main())
    assert len(burst.latencies) > 5
    assert not burst.refused


@pytest.mark.parametrize("seed", [1, 2])
def test_two_tenants_at_ten_to_one_each_get_their_share(seed: int) -> None:
    seen = played({"loud": 40 / 11 * CAPACITY, "quiet": 4 / 11 * CAPACITY}, seed=seed)
    # The quiet one asks for less than its half and gets what it asks for, at once; the loud one has the rest.
    quiet = sum(tenant == "quiet" for _, tenant, _ in seen.latencies)
    assert sum(tenant == "quiet" for _, tenant, _ in seen.refused) <= 0.05 * quiet
    assert seen.work["loud"] / 300 >= 0.97 * CAPACITY - 4 / 11 * CAPACITY
    assert sum(seen.work.values()) / 300 >= 0.97 * CAPACITY
    assert seen.p95("quiet") <= seen.p95("loud")


def test_shares_by_weight_when_all_ask_for_too_much() -> None:
    seen = played({"gold": 6 * CAPACITY, "tin": 6 * CAPACITY}, shares={"gold": 3.0})
    assert seen.work["gold"] / seen.work["tin"] == pytest.approx(3.0, rel=0.15)


def test_batch_work_takes_what_is_left_and_is_not_starved() -> None:
    async def main() -> tuple[Traffic, Traffic]:
        door = gate(SLOTS, waiting=4096, age_s=10)
        both = (
            traffic(door, {"a": 3 * CAPACITY}, 200),
            traffic(door, {"night": CAPACITY}, 200, seed=2, priority=Priority.BATCH),
        )
        tasks = [asyncio.create_task(each) for each in both]
        while not tasks[0].done():
            await asyncio.sleep(1)
        return await tasks[0], await tasks[1]

    interactive, batch = virtual.run(main())
    during = sum(at + seconds < 200 for at, _, seconds in batch.latencies)
    assert 0.05 * CAPACITY * 170 <= during <= 0.15 * CAPACITY * 200
    assert interactive.work["a"] >= 0.85 * CAPACITY * 170
    assert interactive.p95() <= 2 * SERVICE_S + 2


def test_the_promised_time_is_when_there_is_room() -> None:
    """Of those who come back when they were told to, most are let in."""

    async def main() -> tuple[int, int]:
        door, loop = gate(SLOTS, waiting=256), asyncio.get_running_loop()
        await traffic(door, {"a": CAPACITY}, 30)
        outcomes: list[bool] = []

        async def ask(*, again: bool) -> None:
            try:
                mine = await place(door)
            except Overloaded as error:
                if again:
                    outcomes.append(False)
                else:
                    await asyncio.sleep(error.retry_after or 0)
                    await ask(again=True)
                return
            if again:
                outcomes.append(True)
            await asyncio.sleep(SERVICE_S)
            mine.leave(taken())

        async with asyncio.TaskGroup() as group:
            end = loop.time() + 5
            while loop.time() < end:
                group.create_task(ask(again=False))
                await asyncio.sleep(1 / (6 * CAPACITY))
        return sum(outcomes), len(outcomes)

    came, told = virtual.run(main())
    assert told > 20
    assert came >= 0.8 * told


async def test_who_got_no_place_in_time_is_told_to_come_back() -> None:
    door = gate(1)
    assert door.enter(WORK, caller())
    with pytest.raises(DeadlineExceeded) as caught:
        await door.wait(WORK, caller(deadline=time.monotonic() + 0.01))
    assert caught.value.retry_after == 1.0
