"""Online experiments: units, verdicts, guards and decisions, from recorded events."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mainspring import stores
from mainspring.core.errors import Conflict, InvalidRequest, NotFound, QuotaExceeded
from mainspring.core.facts.opinions import FeedbackFacts, OutcomeFacts
from mainspring.core.facts.trials import TrialFacts
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord
from mainspring.features.trials.analysis.verdicts import words
from mainspring.features.trials.holdings import UnitsOfTraffic
from mainspring.stores import Stores
from mainspring.stores.erase.data_subjects import Subject
from mainspring.stores.erase.data_subjects import find as find_held
from mainspring.stores.sql.pages import Page
from tests.features.trials.world import ADMIN, World


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


async def traffic(
    world: World, rates: dict[str, float], sessions: int, start: int = 0, **facts: dict[str, Any]
) -> list[EventRecord]:
    """Sessions with two answers each, and an order at the rate of their arm. ``facts`` of answers by arm."""
    draw = random.Random(start + 1)
    records = []
    for number in range(start, start + sessions):
        arm = world.arm(f"s{number}")
        records += [world.answer(f"s{number}", **facts.get(arm, {})) for _ in range(2)]
        if draw.random() < rates[arm]:
            order = OutcomeFacts(metric="order", value=1.0, episode="session")
            records.append(world.about(f"s{number}", order))
    await world.settle(*records)
    return records


async def events(world: World) -> list[tuple[str, str]]:
    found = await world.stores.events.find("acme", kind="trial")
    return [(TrialFacts.of(each.facts).action, TrialFacts.of(each.facts).arm) for each in found]


async def test_a_better_arm_is_named_and_gets_all_traffic_once_told_to(opened: Stores) -> None:
    world = World(opened)
    await world.start(promote=True)
    await traffic(world, {"a": 0.2, "b": 0.7}, 300)
    await world.look()
    state = await world.trials.get("acme", "orders")
    assert (state.status, state.winner, dict(state.running.weights)) == ("ended", "b", {"a": 0.0, "b": 1.0})
    assert {world.arm(f"new{number}") for number in range(50)} == {"b"}
    # Another tenant's traffic stays as the route says.
    assert {world.arm(f"new{number}", "beta") for number in range(50)} == {"a", "b"}
    assert await events(world) == [("started", ""), ("promoted", "b")]
    verdict = await world.trials.verdict(state, world.begun + 7200)
    assert "b is best by outcome order" in words(state.running.definition, verdict)
    # What was decided holds in a process that opens later.
    later = World(opened)
    await later.trials.allocate()
    assert {later.arm(f"new{number}") for number in range(50)} == {"b"}


async def test_a_session_counts_once_with_all_of_its_answers(opened: Stores) -> None:
    world = World(opened)
    await world.start()
    await world.settle(*[world.answer("s1") for _ in range(5)], world.answer("s2"))
    await world.look()
    verdict = await world.trials.verdict(await world.trials.get("acme", "orders"), world.begun + 7200)
    assert sum(each.units for each in verdict.arms.values()) == 2


async def test_units_wait_until_their_window_is_over_and_later_outcomes_do_not_count(opened: Stores) -> None:
    world = World(opened)
    await world.start()
    order = OutcomeFacts(metric="order", value=1.0, episode="session")
    await world.settle(world.answer("s1"), world.about("s1", order, later_s=4000))
    await world.look(0.5)
    state = await world.trials.get("acme", "orders")
    early = await world.trials.verdict(state, world.begun + 1800)
    assert (early.waiting, sum(each.units for each in early.arms.values())) == (1, 0)
    late = await world.trials.verdict(state, world.begun + 7200)
    assert (late.waiting, sum(each.successes for each in late.arms.values())) == (0, 0)


async def test_a_thumb_replaces_the_one_before(opened: Stores) -> None:
    world = World(opened)
    await world.start(metric={"source": "feedback", "effect": 0.1})
    answer = world.answer("s1")
    up, down = (
        FeedbackFacts(key_id="k", rating=rating, comment=None, edited=False, instead_of=before)
        for rating, before in (("up", ""), ("down", "up"))
    )
    await world.settle(answer, world.answer("s2"), world.about(answer.id, up), world.about(answer.id, down))
    await world.look()
    verdict = await world.trials.verdict(await world.trials.get("acme", "orders"), world.begun + 7200)
    # The session without a thumb says nothing.
    assert sum(each.units for each in verdict.arms.values()) == 1
    assert sum(each.successes for each in verdict.arms.values()) == 0


async def test_two_processes_count_each_event_once(opened: Stores) -> None:
    world, other = World(opened), World(opened)
    await world.start()
    await traffic(world, {"a": 1.0, "b": 1.0}, 20)
    await world.look()
    await other.look()
    await other.trials._folding.fold()
    verdict = await other.trials.verdict(await other.trials.get("acme", "orders"), world.begun + 7200)
    assert sum(each.units for each in verdict.arms.values()) == 20
    assert verdict.moved == 0


async def test_an_arm_that_breaks_a_guard_gets_no_more_traffic(opened: Stores) -> None:
    world = World(opened, arms="abc")
    await world.start(adaptive=True, guards=[{"source": "latency", "worse_by": 0.2}])
    quick, slow = {"duration_s": 1.0}, {"duration_s": 3.0}
    draw = random.Random(3)
    for number in range(600):
        session = f"s{number}"
        facts = slow if world.arm(session) == "b" else quick
        await world.settle(world.answer(session, duration_s=facts["duration_s"] * draw.uniform(0.8, 1.2)))
    await world.look()
    state = await world.trials.get("acme", "orders")
    assert dict(state.dropped) == {"b": "guard: latency"}
    assert {world.arm(f"new{number}") for number in range(80)} == {"a", "c"}
    assert ("dropped", "b") in await events(world)


async def test_a_failed_answer_counts_for_the_arm_that_its_session_has(opened: Stores) -> None:
    world = World(opened)
    await world.start(metric={"source": "error", "effect": 0.1})
    await world.settle(*[world.answer(f"s{number}", arm="", status="failed") for number in range(40)])
    await world.look()
    verdict = await world.trials.verdict(await world.trials.get("acme", "orders"), world.begun + 7200)
    assert {name: each.units for name, each in verdict.arms.items()} == {
        name: sum(world.arm(f"s{number}") == name for number in range(40)) for name in "ab"
    }
    assert all(each.successes == 0 for each in verdict.arms.values())


async def test_lost_requests_of_one_arm_are_seen_and_nothing_is_decided(opened: Stores) -> None:
    world = World(opened)
    await world.start(promote=True)
    records = [world.answer(f"s{number}") for number in range(600)]
    records = [each for place, each in enumerate(records) if each.facts.plain()["arm"] == "a" or place % 3 == 0]
    orders = [
        world.about(str(each.facts.plain()["session_id"]), OutcomeFacts(metric="order", value=1.0, episode="session"))
        for each in records
        if each.facts.plain()["arm"] == "b"
    ]
    await world.settle(*records, *orders)
    await world.look()
    state = await world.trials.get("acme", "orders")
    verdict = await world.trials.verdict(state, world.begun + 7200)
    assert (verdict.sound, state.status) == (False, "running")
    assert "Do not trust" in words(state.running.definition, verdict)


async def test_what_cannot_be_compared_is_refused(opened: Stores) -> None:
    world = World(opened, most_running=1)
    with pytest.raises(NotFound):
        await world.start(route="nothing")
    with pytest.raises(InvalidRequest, match="an arm z"):
        await world.start(control="z")
    await world.start()
    with pytest.raises(Conflict):
        await world.start()
    ended = await world.trials.end(ADMIN, "orders")
    assert (ended.status, ended.winner) == ("ended", "")
    with pytest.raises(Conflict):
        await world.trials.end(ADMIN, "orders")


async def test_outcomes_are_told_of_what_one_may_see_and_bounded(opened: Stores) -> None:
    world = World(opened)
    answer = world.answer("s1")
    await world.settle(answer)
    made = await world.outcomes.tell(ADMIN, "trace", answer.trace_id, "order", 1.0)
    assert (made.subject, OutcomeFacts.of(made.facts).arms) == (answer.id, {"shop": world.arm("s1")})
    with pytest.raises(NotFound):
        await world.outcomes.tell(ADMIN, "answer", "ans_nobody", "order", 1.0)
    for _ in range(5):
        told = await world.outcomes.tell(ADMIN, "session", "s1", "order", 1.0)
    assert "s1" not in told.subject
    assert len((await world.outcomes.page(ADMIN, Page(), "s1")).rows) == 5
    with pytest.raises(QuotaExceeded):
        await world.outcomes.tell(ADMIN, "session", "s1", "order", 1.0)


async def test_erasure_takes_the_name_of_a_unit_and_leaves_its_number(opened: Stores) -> None:
    world, holding = World(opened), UnitsOfTraffic(opened.database, opened.blobs)
    await world.start()
    await world.settle(world.answer("s1"), world.answer("s2"))
    await world.look()
    subject = Subject("acme", "session", "s1")
    held = await opened.database.read(lambda connection: find_held(connection, subject, 1e12))
    assert len(await holding.find(subject, held, 1e12)) == 1
    assert await holding.erase(subject, held, 1e12) == 1
    assert await holding.find(subject, held, 1e12) == []
    # A later outcome of the session finds no unit any more.
    await world.settle(world.about("s1", OutcomeFacts(metric="order", value=1.0, episode="session")))
    await world.look()
    verdict = await world.trials.verdict(await world.trials.get("acme", "orders"), world.begun + 7200)
    assert sum(each.units for each in verdict.arms.values()) == 2
    assert sum(each.successes for each in verdict.arms.values()) == 0
