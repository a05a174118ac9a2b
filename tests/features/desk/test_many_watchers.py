"""What many cases, customers and watchers cost: searches and looks are counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.core.types import Context
from mainspring.features.desk.assist import queue
from mainspring.features.desk.assist.queue import AT_ONCE, TENANT_AT_ONCE, AssistQueue
from mainspring.features.desk.pulse import Pulse
from mainspring.features.desk.store.records import Case
from mainspring.stores import Stores
from tests.features.desk.desk_world import ADA, case, keyed, made, tool


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        await keyed(found, ADA)
        yield found


def some(tenant: str, number: int) -> Case:
    return Case(tenant, f"{number}", f"CS-{number}", "ticket", "open", "general", "normal", "A subject")


class Making:
    """Notes what is made, and how many at once of whom."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []
        self.most = self.most_of_tenant = 0
        self.now: list[str] = []
        self.held = asyncio.Event()

    async def __call__(self, case: Case) -> None:
        self.now.append(case.tenant)
        self.most = max(self.most, len(self.now))
        self.most_of_tenant = max(self.most_of_tenant, self.now.count(case.tenant))
        await self.held.wait()
        await asyncio.sleep(0)
        self.now.remove(case.tenant)
        self.done.append((case.tenant, case.id))


async def test_assistance_is_made_a_few_at_once_and_tenants_take_turns() -> None:
    making = Making()
    waiting = AssistQueue(making)
    for number in range(100):
        waiting.want(some("loud", number))
    for number in range(3):
        waiting.want(some("calm", number))
    making.held.set()
    await waiting.idle()
    assert (making.most, making.most_of_tenant) == (AT_ONCE, TENANT_AT_ONCE)
    assert len(making.done) == 103
    # Nobody waits until all of another tenant is made.
    assert max(making.done.index(("calm", f"{number}")) for number in range(3)) < 10


async def test_what_waits_for_assistance_is_bounded_and_waits_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "LONGEST", 3)
    making = Making()
    waiting = AssistQueue(making)
    for number in (0, 1, 2, 2, 2, 3, 4, 5, 0, 0):
        waiting.want(some("acme", number))
        await asyncio.sleep(0)
    making.held.set()
    await waiting.idle()
    # The oldest of those that waited went; what was wanted again while it was made is made once more.
    assert [number for _, number in making.done] == ["0", "1", "4", "5", "0"]
    assert waiting.left_out == 2


async def test_what_changes_for_a_tenant_wakes_no_other() -> None:
    pulse = Pulse()
    ours, theirs = (asyncio.create_task(pulse.wait(tenant, 0, 3600.0)) for tenant in ("acme", "other"))
    await asyncio.sleep(0)
    pulse.beat("acme")
    await ours
    assert not theirs.done()
    theirs.cancel()


async def test_those_who_watch_the_queues_share_a_look(opened: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever misses a beat would look again after an hour.
    monkeypatch.setattr("mainspring.features.desk.service.LOOK_S", 3600.0)
    desk = made(opened)
    looks: list[str] = []
    counts = desk.store.counts

    async def counted(principal: Any) -> Any:
        looks.append(principal.tenant)
        return await counts(principal)

    monkeypatch.setattr(desk.store, "counts", counted)
    watching = [desk.standing(Context(ADA)) for _ in range(20)]
    assert await asyncio.gather(*(anext(each) for each in watching)) == [[]] * 20
    coming = [asyncio.ensure_future(anext(each)) for each in watching]
    await asyncio.sleep(0)
    await desk.open_case(case(), tool("a"))
    found = await asyncio.gather(*coming)
    assert found == [[("general", "open", 1, 0)]] * 20
    assert looks == ["acme"] * 2
    for each in watching:
        await each.aclose()
