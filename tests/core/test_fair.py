"""Threads that tenants share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from mainspring.core.fair.lane import LANE
from mainspring.core.fair.threads import FairThreads
from mainspring.core.fair.turns import FairTurns


async def of(tenant: str, pool: FairThreads, work: Callable[[], Any]) -> Any:
    LANE.set(tenant)
    return await asyncio.get_running_loop().run_in_executor(pool, work)


def ask(tenant: str, pool: FairThreads, work: Callable[[], Any]) -> asyncio.Task[Any]:
    return asyncio.create_task(of(tenant, pool, work))


async def test_one_that_asks_for_much_waits_for_itself_alone() -> None:
    pool, go_on = FairThreads(6), threading.Event()
    loud = [ask("loud", pool, go_on.wait) for _ in range(40)]
    await asyncio.sleep(0)
    # Of a plain pool all threads would be taken.
    assert await asyncio.wait_for(ask("quiet", pool, lambda: "done"), 20) == "done"
    assert await asyncio.wait_for(ask("", pool, lambda: "own work"), 20) == "own work"
    go_on.set()
    await asyncio.gather(*loud)
    pool.shutdown()


async def test_one_thread_is_shared_in_turns() -> None:
    pool, go_on, order = FairThreads(1), threading.Event(), list[str]()
    tasks = [ask("loud", pool, go_on.wait)]
    tasks += [ask("loud", pool, lambda: order.append("loud")) for _ in range(5)]
    await asyncio.sleep(0)
    tasks += [ask("quiet", pool, lambda: order.append("quiet")) for _ in range(2)]
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(*tasks)
    assert order == ["quiet", "loud", "quiet", "loud", "loud", "loud", "loud"]
    pool.shutdown()


async def test_who_gives_up_leaves_the_line() -> None:
    pool, go_on, done = FairThreads(1), threading.Event(), list[int]()
    first = ask("acme", pool, go_on.wait)
    rest = [ask("acme", pool, partial(done.append, number)) for number in range(3)]
    await asyncio.sleep(0)
    LANE.set("acme")
    assert pool.waiting() == 4
    rest[1].cancel()
    await asyncio.sleep(0)
    assert pool.waiting() == 3
    go_on.set()
    assert await first
    await asyncio.gather(*rest, return_exceptions=True)
    assert done == [0, 2]
    assert pool.waiting() == 0
    assert not pool._lanes
    pool.shutdown()


async def test_failures_are_the_callers_and_the_line_goes_on() -> None:
    pool = FairThreads(1)
    wrong, right = ask("acme", pool, lambda: 1 // 0), ask("acme", pool, lambda: "right")
    with pytest.raises(ZeroDivisionError):
        await wrong
    assert await right == "right"
    pool.shutdown()
    with pytest.raises(RuntimeError):
        pool.submit(print)
    assert not pool._lanes


def test_what_is_done_waits_no_longer_even_where_its_thread_has_not_gone_on() -> None:
    pool, go_on, waiting = FairThreads(1), threading.Event(), list[int]()
    done = pool.submit(go_on.wait)
    # In the thread, between the result and whatever it does next.
    done.add_done_callback(lambda _: waiting.append(pool.waiting()))
    assert pool.waiting() == 1
    go_on.set()
    assert done.result()
    pool.shutdown()
    assert waiting == [0]


@pytest.mark.parametrize("cancelled", [False, True])
async def test_at_the_end_what_waits_is_done_or_cancelled(cancelled: bool) -> None:
    pool, go_on, done = FairThreads(2, each=1), threading.Event(), list[int]()
    tasks = [ask("acme", pool, go_on.wait)]
    tasks += [ask("acme", pool, partial(done.append, number)) for number in range(3)]
    await asyncio.sleep(0)
    pool.shutdown(wait=False, cancel_futures=cancelled)
    go_on.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert done == ([] if cancelled else [0, 1, 2])


async def test_turns_of_one_tenant_are_so_many_and_keep_no_other_waiting() -> None:
    turns, go_on, most, running = FairTurns(2), asyncio.Event(), 0, 0

    async def loud(tenant: str) -> None:
        nonlocal most, running
        LANE.set(tenant)
        async with turns.turn():
            running += 1
            most = max(most, running)
            await go_on.wait()
            running -= 1

    async def quiet(tenant: str) -> str:
        LANE.set(tenant)
        async with turns.turn():
            return "done"

    many = [asyncio.create_task(loud("loud")) for _ in range(9)]
    await asyncio.sleep(0)
    assert await asyncio.wait_for(asyncio.create_task(quiet("quiet")), 20) == "done"
    assert await asyncio.wait_for(asyncio.create_task(quiet("")), 20) == "done"
    many[8].cancel()
    go_on.set()
    await asyncio.gather(*many, return_exceptions=True)
    assert most == 2
    assert not turns._lanes
