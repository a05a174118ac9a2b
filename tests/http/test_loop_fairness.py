"""The event loop's time by tenant: the heaviest tenant waits while a light one is served."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any, cast

import pytest
from fastapi import Request as HttpRequest

from mainspring.core.errors import Overloaded
from mainspring.core.fair.lane import LANE
from mainspring.core.settings import GatewaySettings
from mainspring.core.types import Finish, Text, TraceParent
from mainspring.gateway.edge.app import create_app
from mainspring.gateway.routes import generate
from mainspring.http import loop_fairness
from mainspring.http.access import Caller, access_to
from mainspring.http.idempotency import Idempotency
from mainspring.http.loop_fairness import Pace, metered
from mainspring.http.request_body import JsonRequest
from tests.gateway.asgi import Kept, Keys, NoModels, ask, gateway
from tests.serving.house import Recited

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time that passes where somebody sleeps, and nowhere else."""
    clock = Clock()

    async def sleep(seconds: float) -> None:
        clock.now += seconds
        await asyncio.sleep(0)

    monkeypatch.setattr(loop_fairness, "sleep", sleep)
    return clock


async def served(it: Pace, tenant: str, seconds: float) -> None:
    spent = it.spent()
    await it.turn(tenant, spent)
    spent.took(seconds)
    spent.settle()


async def test_who_takes_most_waits_while_a_quiet_one_is_served(clock: Clock) -> None:
    it = Pace(0.5, clock)
    took = {"loud": 0.0, "quiet": 0.0}
    began = clock.now
    for number in range(2000):
        await served(it, "loud", 0.01)
        took["loud"] += 0.01
        clock.now += 0.01
        if number % 20 == 0:
            before = clock.now
            await served(it, "quiet", 0.01)
            took["quiet"] += 0.01
            assert clock.now == before, "the quiet one waited"
    assert it.waited > 100
    assert (took["loud"] + took["quiet"]) / (clock.now - began) < 0.6


@pytest.mark.parametrize("tenants", [["alone"], ["a", "b"], ["a", "b", "c"]])
async def test_who_is_alone_or_among_equals_is_not_held_up(clock: Clock, tenants: list[str]) -> None:
    it = Pace(0.5, clock)
    for _ in range(1000):
        for tenant in tenants:
            await served(it, tenant, 0.01)
            clock.now += 0.01
    assert it.waited == 0


async def test_what_was_taken_is_forgotten_and_who_left_holds_up_nobody(clock: Clock) -> None:
    it = Pace(0.5, clock)
    await served(it, "quiet", 0.001)
    for _ in range(100):
        await served(it, "loud", 0.05)
    waited = it.waited
    assert waited
    clock.now += loop_fairness.ABOUT_S + 0.1
    for _ in range(100):
        await served(it, "loud", 0.05)
    assert it.waited == waited


async def test_so_many_of_a_tenant_wait_and_no_longer_than_the_bound(clock: Clock) -> None:
    it = Pace(0.5, clock)
    await served(it, "loud", 50.0)

    async def one() -> str:
        try:
            await served(it, "loud", 0.01)
        except Overloaded as error:
            return error.code
        return "served"

    async def quiet() -> None:
        for _ in range(2000):
            await served(it, "quiet", 0.0001)
            await asyncio.sleep(0)

    quiets = asyncio.create_task(quiet())
    await asyncio.sleep(0)
    came = await asyncio.gather(*(one() for _ in range(loop_fairness.MOST_WAITING + 5)))
    await quiets
    assert came[loop_fairness.MOST_WAITING :] == ["overloaded"] * 5
    assert "overloaded" in came[: loop_fairness.MOST_WAITING]
    assert it.refused == came.count("overloaded")


async def test_who_goes_first_is_counted_before_its_work_begins(clock: Clock) -> None:
    """Forty that come at once do not all pass because none of them has taken anything yet."""
    it = Pace(0.5, clock)
    for _ in range(60):
        await served(it, "loud", 0.05)
        clock.now += 0.05
    await served(it, "quiet", 0.001)
    clock.now += 1.0
    await served(it, "quiet", 0.001)
    assert it.waited == 0
    spents = [it.spent() for _ in range(40)]
    await asyncio.gather(*(it.turn("loud", spent) for spent in spents))
    assert it.waited > 20


async def test_what_a_request_takes_is_counted_for_its_tenant_refusals_too(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = list[float]()
    take = Pace.take

    def noted(it: Pace, tenant: Any, seconds: float) -> None:
        counted.append(seconds)
        take(it, tenant, seconds)

    monkeypatch.setattr(Pace, "take", noted)
    app = gateway(Recited(Text("Hello"), Finish("stop")))
    for body, status in ((CHAT, 200), (b"[" * 50_000, 400)):
        counted.clear()
        assert (await ask(app, "POST", "/v1/chat/completions", body)).status == status
        assert sum(counted) > 0
    counted.clear()
    wrong = {"authorization": "Bearer nobody"}
    assert (await ask(app, "POST", "/v1/chat/completions", CHAT, headers=wrong)).status == 401
    assert not counted


async def test_a_refusal_counts_for_more_than_it_took(clock: Clock) -> None:
    answered, refused = Pace(0.5, clock), Pace(0.5, clock)
    for it in (answered, refused):
        for _ in range(40):
            spent = it.spent()
            await it.turn("loud", spent)
            spent.took(0.005)
            spent.refused = it is refused
            spent.settle()
            await served(it, "quiet", 0.0001)
            clock.now += 0.02
    assert answered.waited == 0
    assert refused.waited > 0


async def test_what_is_answered_429_or_503_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = list[bool]()
    settle = loop_fairness.LoopTime.settle

    def noted(spent: loop_fairness.LoopTime) -> None:
        ends.append(spent.refused)
        settle(spent)

    class Full(Recited):
        async def respond(self, request: Any, context: Any) -> Any:
            raise Overloaded("full", retry_after=1.0)

    monkeypatch.setattr(loop_fairness.LoopTime, "settle", noted)
    for model, refused in ((Recited(Text("Hello"), Finish("stop")), False), (Full(), True)):
        await ask(gateway(model), "POST", "/v1/chat/completions", CHAT)
        assert ends.pop() is refused


async def test_who_waits_has_its_body_read_only_then(clock: Clock) -> None:
    it = Pace(0.5, clock)
    await served(it, "acme", 20.0)
    await served(it, "quiet", 0.0001)
    reply: list[int] = []
    routes = generate.router(
        Recited(Text("Hello"), Finish("stop")),
        NoModels(),  # type: ignore[arg-type]
        GatewaySettings(),
        access_to(Keys(), 60.0, pace=it),
        Idempotency(Kept()),
    )
    app = create_app([routes], GatewaySettings(), lambda header: TraceParent.new(), pace=it)
    read = list[int]()
    json = JsonRequest.json

    async def noted(http: JsonRequest) -> Any:
        read.append(it.waited)
        return await json(http)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(JsonRequest, "json", noted)
        reply.append((await ask(app, "POST", "/v1/chat/completions", CHAT)).status)
    assert (reply, read) == ([200], [1])


async def test_each_step_is_measured_and_the_waits_between_are_not() -> None:
    ticks, took = iter(range(100)), list[float]()

    async def work() -> str:
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        return "done"

    assert await metered(work(), took.append, lambda: float(next(ticks))) == "done"
    assert took == [1.0, 1.0, 1.0]


async def test_what_fails_or_is_cancelled_does_so_within_what_is_measured() -> None:
    seen, took = list[str](), list[float]()

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await metered(fails(), took.append)

    async def waits() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def whole() -> None:
        await metered(waits(), took.append)

    task = asyncio.create_task(whole())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cancelled"]


def test_what_is_left_unfinished_is_closed() -> None:
    seen = list[str]()

    class Never:
        def __await__(self) -> Generator[None, None, None]:
            yield

    async def work() -> None:
        try:
            await Never()
        finally:
            seen.append("closed")

    running = metered(work(), lambda _: None)
    next(running)
    running.close()
    assert seen == ["closed"]


async def test_the_work_of_a_request_is_done_in_the_turns_of_its_tenant() -> None:
    async def asked(tenant: str) -> str:
        caller = Caller(cast(Any, None), "", 1.0, {})
        await caller.turn(HttpRequest({"type": "http", "headers": [], "state": {}}), tenant)
        return LANE.get()

    assert await asyncio.gather(*(asyncio.create_task(asked(each)) for each in ("acme", "other"))) == ["acme", "other"]
    assert LANE.get() == ""
