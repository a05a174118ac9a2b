"""A look that a key asks for is at its own tenant's conversations; the next look at all goes on from there."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import AsyncMock, MagicMock

import orjson
import pytest
import pytest_asyncio
import sqlalchemy as sa
from fastapi.routing import APIRoute

from mainspring import stores
from mainspring.core.facts.guards import ToolFacts
from mainspring.core.settings import Settings
from mainspring.core.types import Context, Principal, TraceParent
from mainspring.features.insights.routes import router
from mainspring.features.insights.tables import insight_turns
from mainspring.features.insights.work import insight_rounds
from mainspring.features.insights.work.insight_rounds import Looked
from mainspring.stores import Stores
from tests.features.insights.world import World

OTHER = Principal("other", "key_2")


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


async def seen(opened: Stores) -> dict[str, list[int]]:
    """For each tenant the numbers of good calls of tools of its turns, in the order of the turns."""
    query = sa.select(insight_turns.c.tenant, insight_turns.c.tools_ok).order_by(insight_turns.c.at)
    found: dict[str, list[int]] = {}
    for row in await opened.database.read(lambda connection: connection.execute(query).all()):
        found.setdefault(row.tenant, []).append(row.tools_ok)
    return found


async def test_a_tenant_is_looked_at_alone_and_nothing_twice(opened: Stores) -> None:
    world = World(opened)
    call = ToolFacts(tool="find", outcome="ok")
    for place, who in enumerate([OTHER, Principal("acme", "key_1"), OTHER]):
        await world.say(f"where is my parcel number {place}", session=f"s{place}", who=who, more=[call])
    did = await world.insights.look(tenant="acme")
    assert did == Looked(turns=1, topics=0, conversations=1)
    assert await seen(opened) == {"acme": [1]}
    assert world.embedder.texts == 1
    assert (await world.insights.look(tenant="acme")) == Looked()
    # It did not count as the look at all, which reads the rest.
    did = await world.insights.look(every_s=600)
    assert did is not None
    assert (did.turns, did.conversations) == (2, 2)
    assert await seen(opened) == {"acme": [1], "other": [1, 1]}
    assert world.embedder.texts == 3
    assert await world.insights.look(every_s=600) is None
    await world.say("where is my other parcel", session="s9", more=[call])
    assert (await world.insights.look(tenant="other")) == Looked()
    assert (await world.insights.look(tenant="acme")) == Looked(turns=1, conversations=1)
    assert await seen(opened) == {"acme": [1, 1], "other": [1, 1]}


async def test_the_route_looks_at_the_tenant_of_its_key() -> None:
    service = MagicMock()
    service.look = AsyncMock(return_value=Looked(turns=3))
    routes = router(service, MagicMock()).routes
    run = next(each for each in routes if isinstance(each, APIRoute) and each.path == "/v1/insights/run")
    context = Context(OTHER, TraceParent.new(), deadline=0.0)
    reply: Any = await cast(Any, run.endpoint)(context=context)
    service.look.assert_awaited_once_with(tenant="other")
    assert orjson.loads(reply.body)["turns"] == 3


class Busy:
    """Always has a request under way, and counts who asks."""

    asked = 0

    @property
    def under_way(self) -> int:
        self.asked += 1
        return 1


async def test_requests_go_first_and_do_not_keep_it_from_its_end(
    opened: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, busy = World(opened), Busy()
    cast(Any, world.rooms.telemetry).tracing = busy
    monkeypatch.setattr(insight_rounds, "PAGE", 2)
    monkeypatch.setattr(insight_rounds, "_LOOK_S", 0.001)
    for place in range(3):
        await world.say(f"where is my parcel number {place}", session=f"s{place}")
    assert (await world.insights.look(tenant="acme")) == Looked(turns=3, conversations=3)
    assert busy.asked == 0, "somebody waits for a look that was asked for"
    for place in range(3):
        await world.say(f"where is my letter number {place}", session=f"t{place}")
    did = await world.insights.look()
    assert did is not None
    assert did.turns == 3
    assert busy.asked > 3, "it rested again and again"


@pytest.mark.parametrize("needed", [False, True])
async def test_requests_that_need_the_cpu_are_given_more_of_it(
    opened: Stores, monkeypatch: pytest.MonkeyPatch, needed: bool
) -> None:
    world, busy = World(opened), Busy()
    cast(Any, world.rooms.telemetry).tracing = busy
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    clock = SimpleNamespace(
        perf_counter=lambda: 0.0, time=time.time, monotonic=lambda: now, process_time=lambda: now * needed
    )
    monkeypatch.setattr(insight_rounds, "time", clock)
    monkeypatch.setattr(insight_rounds, "asyncio", SimpleNamespace(sleep=sleep))
    await world.insights._looking._give_way(0.3)
    assert round(now) == (30 if needed else 2)
