"""Ledger and budgets on every SQL database: SQLite always, Postgres if one is named."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.errors import Conflict, InvalidRequest, NotFound
from mainspring.core.facts.calls import UNCHARGED
from mainspring.core.facts.registry import read
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord, Principal
from mainspring.stores import Stores
from mainspring.stores.money import spending
from mainspring.stores.money.ledger import LedgerLine, LedgerQuery
from mainspring.stores.money.spending import Exhausted
from mainspring.stores.schema import reservations
from mainspring.stores.sql import ids
from tests.databases import settings

__all__ = ["settings"]
pytestmark = pytest.mark.usefixtures("one_day")
KEY = Principal("acme", "key_1")


@pytest.fixture
async def opened(settings: Settings) -> AsyncIterator[Stores]:
    async with stores.open(settings) as each:
        yield each


def call(
    cost: int = 1000, tenant: str = "acme", key: str = "key_1", at: float | None = None, **facts: Any
) -> EventRecord:
    facts = {
        "model": "big",
        "application": "support",
        "key_id": key,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "cached_tokens": 0,
        "cost_nanousd": cost,
        **facts,
    }
    return EventRecord(ids.new("evt_"), time.time() if at is None else at, tenant, "trace", "ans", read("call", facts))


def answer(at: float | None = None, **facts: Any) -> EventRecord:
    facts = {"model": "big", "requested": "support", "key_id": "key_1", "cache": "hit", **facts}
    return EventRecord(ids.new("ans_"), at or time.time(), "acme", "trace", "ans", read("answer", facts))


# --- the ledger -----------------------------------------------------------------------------------------------


async def test_sums_by_every_dimension(opened: Stores) -> None:
    at = 1_764_028_799.0  # 2025-11-24T23:59:59Z
    await opened.events.append(
        call(1, at=at),
        call(2, at=at + 1),
        call(4, key="key_2", model="small"),
        call(8, tenant="other"),
        call(0, unpriced=True, application="auto"),
        call(16, cached_tokens=7, saved_nanousd=3),
        call(0, routed=True, routing_saved_nanousd=90, application="auto"),
        call(0, model="small", routing_saved_nanousd=-40, application="auto"),
        call(0, routed=True, routing_unknown=True, application="auto"),
        answer(saved_nanousd=50),
        answer(saved_nanousd=5, requested="auto"),
        answer(cache="miss"),
    )
    sums = opened.ledger.sums
    assert {line.of["tenant"]: line.cost_nanousd for line in await sums(["tenant"])} == {"acme": 23, "other": 8}
    mine = LedgerQuery("acme")
    by_model = {line.of["model"]: line for line in await sums(["model"], mine)}
    assert (by_model["big"].cost_nanousd, by_model["big"].calls, by_model["small"].cost_nanousd) == (19, 6, 4)
    assert by_model["big"].saved_nanousd == 3
    assert (by_model["big"].hits, by_model["big"].cache_saved_nanousd) == (2, 55)
    applications = {line.of["application"]: line for line in await sums(["application"], mine)}
    assert (applications["auto"].unpriced, applications["auto"].cache_saved_nanousd) == (1, 5)
    routed = applications["auto"]
    assert (routed.routed, routed.routing_saved_nanousd, routed.routing_unknown) == (2, 50, 1)
    assert (by_model["small"].routed, by_model["small"].routing_saved_nanousd) == (0, -40)
    assert applications["support"].routed == 0
    assert {line.of["key"]: line.cost_nanousd for line in await sums(["key"], mine)} == {"key_1": 19, "key_2": 4}
    days = {line.of["day"]: line.cost_nanousd for line in await sums(["day"], LedgerQuery("acme", until=at + 100))}
    assert days == {"2025-11-24": 1, "2025-11-25": 2}
    hours = [line.of["hour"] for line in await sums(["hour"], LedgerQuery("acme", until=at + 100))]
    assert sorted(hours) == ["2025-11-24T23", "2025-11-25T00"]
    assert (await opened.ledger.total(LedgerQuery("acme", since=at + 1, until=at + 2))).cost_nanousd == 2
    assert (await opened.ledger.total(LedgerQuery("acme", where={"key": "key_2", "model": "small"}))).cost_nanousd == 4
    assert await opened.ledger.total(LedgerQuery("nobody")) == LedgerLine({})
    both = await sums(["key", "model"], mine)
    assert (both[0].of, both[0].cost_nanousd) == ({"key": "key_1", "model": "big"}, 19)
    with pytest.raises(InvalidRequest, match="cannot be grouped by colour"):
        await sums(["colour"])  # type: ignore[list-item]


# --- definitions ----------------------------------------------------------------------------------------------


async def test_costs_by_the_hour(opened: Stores) -> None:
    first = 490_000
    await opened.events.append(
        call(1, at=first * 3600.0),
        call(2, at=first * 3600 + 3599.75),
        call(4, at=first * 3600 + 3600.0),
        call(8, at=first * 3600 + 100.0, model="small"),
        call(16, at=first * 3600 + 100.0, tenant="other"),
        call(32, at=first * 3600 + 100.0, charged=UNCHARGED),
        call(64, at=(first + 30) * 3600 + 1.0),
        call(128, at=(first + 31) * 3600 + 1.0),
        call(256, at=first * 3600 - 1.0),
        answer(first * 3600 + 1.0, cost_nanousd=512),
    )
    found = await opened.ledger.hourly(first, first + 31)
    assert found == {
        ("acme", "big"): {first: 3, first + 1: 4, first + 30: 64},
        ("acme", "small"): {first: 8},
        ("other", "big"): {first: 16},
    }
    assert await opened.ledger.hourly(first, first + 31, "other") == {("other", "big"): {first: 16}}
    # The same sums as all others are.
    lines = await opened.ledger.sums(["model"], LedgerQuery("acme", first * 3600, (first + 31) * 3600))
    assert {line.of["model"]: line.cost_nanousd for line in lines} == {"big": 71, "small": 8}


async def test_costs_of_an_hour_are_found_without_reading_all(opened: Stores) -> None:
    query = "SELECT count(*) FROM events WHERE events.kind = 'call' AND events.at >= 7200 AND events.at < 10800"

    def work(connection: sa.Connection) -> str:
        plan = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
        if connection.dialect.name == "postgresql":
            # Small tables are read as they are.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        return "\n".join(str(tuple(row)) for row in connection.exec_driver_sql(plan + query))

    assert "ix_events_called" in await opened.database.read(work)


async def test_the_life_of_a_budget(opened: Stores) -> None:
    made = await opened.budgets.create("acme", "tenant", window="day", limit_nanousd=500, name="all of it")
    assert await opened.budgets.get("acme", made.id) == made
    with pytest.raises(Conflict):
        await opened.budgets.create("acme", "tenant", window="day", limit_tokens=5)
    soft = await opened.budgets.create("acme", "tenant", window="day", limit_tokens=5, hard=False)
    over_all = await opened.budgets.create("acme", "global", window="month", limit_nanousd=9)
    assert over_all.tenant == ""
    assert await opened.budgets.list("acme") == [made, soft]
    assert {budget.id for budget in await opened.budgets.list()} == {made.id, soft.id, over_all.id}
    changed = await opened.budgets.change("acme", made.id, limit_nanousd=700)
    assert changed == dataclasses.replace(made, limit_nanousd=700)
    for act in (opened.budgets.get, opened.budgets.delete):
        with pytest.raises(NotFound):
            await act("other", made.id)
    with pytest.raises(NotFound):
        await opened.budgets.change("other", made.id, name="x")
    with pytest.raises(InvalidRequest, match="needs limit"):
        await opened.budgets.change("acme", made.id, limit_nanousd=None)
    await opened.budgets.delete("acme", made.id)
    assert await opened.budgets.list("acme") == [soft]


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"limit_nanousd": -1}, "limit_usd"),
        ({"limit_tokens": 2**63}, "limit_tokens"),
        ({}, "limit_usd"),
        ({"scope": "planet", "limit_tokens": 1}, "scope"),
        ({"window": "century", "limit_tokens": 1}, "window"),
        ({"scope": "key", "limit_tokens": 1}, "subject"),
        ({"subject": "key_1", "limit_tokens": 1}, "subject"),
    ],
)
async def test_what_makes_no_sense_is_refused(opened: Stores, wrong: dict[str, Any], param: str) -> None:
    wanted = {"scope": "tenant", "window": "day", "subject": ""} | wrong
    with pytest.raises(InvalidRequest) as caught:
        await opened.budgets.create("acme", **wanted)
    assert caught.value.param == param
    assert await opened.budgets.list() == []


# --- charging -------------------------------------------------------------------------------------------------


async def test_every_call_is_charged_where_it_counts(opened: Stores) -> None:
    await opened.events.append(call(100), call(30, at=time.time() - 40 * 86_400))
    create = opened.budgets.create
    tenant = await create("acme", "tenant", window="day", limit_nanousd=10**9)
    key = await create("acme", "key", "key_1", window="month", limit_nanousd=10**9)
    application = await create("acme", "application", "support", window="total", limit_nanousd=10**9)
    world = await create("", "global", window="day", limit_tokens=10**9)
    # What the period has spent before counts; a total begins with its budget.
    spent = [(await opened.budgets.spending(each)).spent_nanousd for each in (tenant, key, application, world)]
    assert spent == [100, 100, 0, 100]
    await opened.events.append(call(7), call(11, key="key_2"), call(13, application="other"), call(17, tenant="other"))
    spent = [(await opened.budgets.spending(each)).spent_nanousd for each in (tenant, key, application, world)]
    assert spent == [131, 120, 18, 148]
    assert (await opened.budgets.spending(world)).spent_tokens == 5 * 15
    late = call(1, at=time.time() - 40 * 86_400)
    await opened.events.append(late)
    assert (await opened.budgets.spending(tenant)).spent_nanousd == 131


async def test_a_copy_for_a_model_under_trial_is_nobodys_bill(opened: Stores) -> None:
    early = await opened.budgets.create("acme", "tenant", window="day", limit_nanousd=10_000)
    await opened.events.append(call(100), call(900, charged=UNCHARGED))
    assert (await opened.ledger.total(LedgerQuery("acme"))).cost_nanousd == 100
    late = await opened.budgets.create("acme", "key", "key_1", window="day", limit_nanousd=10_000)
    assert [(await opened.budgets.spending(each)).spent_nanousd for each in (early, late)] == [100, 100]


async def test_a_limit_that_is_reached_leaves_one_event(opened: Stores) -> None:
    budget = await opened.budgets.create("acme", "tenant", window="day", limit_nanousd=100, hard=False, name="lab")
    for cost in (60, 39):
        await opened.events.append(call(cost))
    assert await opened.events.find("acme", kind="cost") == []
    await asyncio.gather(*(opened.events.append(call(1)) for _ in range(20)))
    (event,) = await opened.events.find("acme", kind="cost")
    assert event.facts.plain()["signal"] == "budget_reached"
    assert (event.subject, event.facts.plain()["name"], event.facts.plain()["spent_nanousd"] >= 100) == (
        budget.id,
        "lab",
        True,
    )
    assert (await opened.budgets.spending(budget)).crossed_at == event.at


async def test_what_is_not_written_is_not_charged(opened: Stores) -> None:
    budget = await opened.budgets.create("acme", "tenant", window="day", limit_nanousd=100)
    record = call(40)
    await opened.events.append(record)
    with pytest.raises(Conflict):
        await opened.events.append(record)
    assert (await opened.budgets.spending(budget)).spent_nanousd == 40


# --- reservations ---------------------------------------------------------------------------------------------


async def test_two_hundred_at_once_against_a_hundred_from_two_processes(settings: Settings) -> None:
    """Each sets 10 aside and spends 7: never more than the limit is spent and set aside together, and nothing is left
    set aside when all is over."""
    async with stores.open(settings) as one, stores.open(settings) as two:
        budget = await one.budgets.create("acme", "tenant", window="day", limit_nanousd=1000)
        granted = 0
        most = 0

        async def ask(opened: Stores) -> None:
            nonlocal granted, most
            wanted = await opened.budgets.concerning(KEY, "support")
            try:
                reservation, taken = await opened.budgets.reserve(wanted, 10, 0)
            except Exhausted:
                return
            granted += 1
            most = max(most, *(spent.spent_nanousd + spent.reserved_nanousd for _, spent in taken))
            await asyncio.sleep(random.random() * 0.02)
            await opened.events.settle([call(7)], released=reservation)
            opened.budgets.done(reservation)

        await asyncio.gather(*(ask(each) for each in [one, two] * 100))
        spent = await one.budgets.spending(budget)
        assert (spent.reserved_nanousd, spent.spent_nanousd) == (0, 7 * granted)
        assert 100 <= granted <= 142
        assert most <= 1000
        assert (await two.ledger.total(LedgerQuery("acme"))).cost_nanousd == spent.spent_nanousd
        # Whoever comes later gets what is left, to the last nano-dollar.
        for _ in range(1000 - spent.spent_nanousd):
            reservation, _ = await two.budgets.reserve([budget], 1, 0)
            await two.events.settle([call(1)], released=reservation)
        with pytest.raises(Exhausted) as refused:
            await two.budgets.reserve([budget], 1, 0)
        assert not refused.value.soon
        assert (await one.budgets.spending(budget)).spent_nanousd == 1000


async def test_all_budgets_or_none(opened: Stores) -> None:
    wide = await opened.budgets.create("acme", "tenant", window="day", limit_nanousd=100)
    narrow = await opened.budgets.create("acme", "key", "key_1", window="day", limit_nanousd=10)
    with pytest.raises(Exhausted) as caught:
        await opened.budgets.reserve([wide, narrow], 11, 0)
    assert caught.value.budget == narrow
    assert (await opened.budgets.spending(wide)).reserved_nanousd == 0
    held, taken = await opened.budgets.reserve([narrow, wide], 10, 3)
    assert [budget.id for budget, _ in taken] == [wide.id, narrow.id]
    with pytest.raises(Exhausted) as caught:
        await opened.budgets.reserve([narrow], 1, 0)
    assert caught.value.soon
    # What costs nothing passes.
    await opened.budgets.reserve([narrow], 0, 5)
    await opened.events.settle([], released=held)
    assert (await opened.budgets.spending(wide)).reserved_nanousd == 0


async def test_a_limit_of_tokens(opened: Stores) -> None:
    budget = await opened.budgets.create("acme", "key", "key_1", window="day", limit_tokens=20)
    held, _ = await opened.budgets.reserve([budget], 10**6, 15)
    with pytest.raises(Exhausted):
        await opened.budgets.reserve([budget], 0, 6)
    await opened.events.settle([call(5)], released=held)
    spent = await opened.budgets.spending(budget)
    assert (spent.spent_tokens, spent.reserved_tokens) == (15, 0)


async def test_a_soft_budget_refuses_nothing(opened: Stores) -> None:
    budget = await opened.budgets.create("acme", "tenant", window="day", limit_nanousd=5, hard=False)
    await opened.events.append(call(7))
    _, ((found, spent),) = await opened.budgets.reserve([budget], 10, 0)
    assert found == budget
    assert spent.reaches(budget)


async def test_the_lease_of_a_dead_process_ends(opened: Stores) -> None:
    budget = await opened.budgets.create("acme", "tenant", window="day", limit_nanousd=10)
    held, _ = await opened.budgets.reserve([budget], 8, 0)
    with pytest.raises(Exhausted):
        await opened.budgets.reserve([budget], 8, 0)
    await opened.database.write(
        lambda connection: connection.execute(sa.update(reservations).values(expires_at=time.time() - 1)) and None
    )
    again, _ = await opened.budgets.reserve([budget], 8, 0)
    # The first was not dead after all: what it spent counts, and what it held is not given back twice.
    await opened.events.settle([call(3)], released=held)
    spent = await opened.budgets.spending(budget)
    assert (spent.spent_nanousd, spent.reserved_nanousd) == (3, 8)
    await opened.events.settle([call(2)], released=again)
    spent = await opened.budgets.spending(budget)
    assert (spent.spent_nanousd, spent.reserved_nanousd) == (5, 0)


async def test_leases_are_renewed(opened: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    from mainspring.stores.money import budgets

    monkeypatch.setattr(budgets, "RENEW_S", 0.02)
    budget = await opened.budgets.create("acme", "tenant", window="day", limit_nanousd=10)

    async def leases() -> dict[str, float]:
        query = sa.select(reservations.c.id, reservations.c.expires_at)
        return dict(await opened.database.read(lambda connection: connection.execute(query).all()))

    first, _ = await opened.budgets.reserve([budget], 1, 0)
    before = await leases()
    while (await leases())[first] == before[first]:
        await asyncio.sleep(0.01)
    opened.budgets.done(first)
    await asyncio.sleep(0.1)
    then = await leases()
    await asyncio.sleep(0.1)
    assert await leases() == then


async def test_what_another_process_makes_is_soon_known(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from mainspring.stores.money import budgets

    monkeypatch.setattr(budgets, "REREAD_S", 0.0)
    async with stores.open(settings) as one, stores.open(settings) as two:
        assert await two.budgets.concerning(KEY, "support") == ()
        made = await one.budgets.create("acme", "key", "key_1", window="day", limit_nanousd=10)
        assert await one.budgets.concerning(KEY, "support") == [made]
        # The process that does not know of it yet charges it all the same.
        await two.events.append(call(4))
        assert (await one.budgets.spending(made)).spent_nanousd == 4
        while not await two.budgets.concerning(KEY, "support"):
            await asyncio.sleep(0.01)
        assert list(await two.budgets.concerning(KEY, "support")) == [made]
        assert list(await two.budgets.concerning(Principal("acme", "key_2"), "support")) == []
        await one.budgets.delete("acme", made.id)
        assert await one.budgets.concerning(KEY, "support") == ()


def test_periods_begin_and_end_where_days_and_months_do() -> None:
    for window in ("day", "month"):
        for at in (0.0, 951_782_399.0, 1_735_689_599.0, 1_764_028_800.0, 1_772_323_199.5):
            begins, ends = spending.begins(window, at), spending.ends(window, at)
            assert begins is not None
            assert ends is not None
            assert begins <= at < ends
            assert spending.period(window, begins) == spending.period(window, ends - 1) == spending.period(window, at)
            assert spending.period(window, ends) != spending.period(window, at)
            assert spending.begins(window, ends) == ends
    assert spending.ends("total", 5.0) is None


async def test_answers_found_by_meaning_count_as_hits(opened: Stores) -> None:
    await opened.events.append(answer(saved_nanousd=50, cache="semantic"), answer(saved_nanousd=5), answer(cache=""))
    total = await opened.ledger.total(LedgerQuery("acme"))
    assert (total.hits, total.cache_saved_nanousd) == (2, 55)


async def test_too_many_lines_are_refused_and_not_cut(opened: Stores) -> None:
    at = time.time()
    await opened.events.append(*(dataclasses.replace(call(at=at), trace_id=f"t{number}") for number in range(5)))
    assert len(await opened.ledger.sums(["request"], LedgerQuery("acme"), most=5)) == 5
    with pytest.raises(InvalidRequest, match="more than 4 lines") as caught:
        await opened.ledger.sums(["request"], LedgerQuery("acme"), most=4)
    assert caught.value.param == "by"


async def test_a_budget_made_while_others_are_read_counts_at_once(opened: Stores, monkeypatch: Any) -> None:
    budgets, read, go = opened.budgets, asyncio.Event(), asyncio.Event()
    listed = budgets.list

    async def slow(tenant: str | None = None) -> Any:
        found = await listed(tenant)
        if not read.is_set():
            read.set()
            await go.wait()
        return found

    monkeypatch.setattr(budgets, "list", slow)
    reading = asyncio.create_task(budgets.concerning(KEY, "support"))
    await read.wait()
    made = await budgets.create("acme", "tenant", window="day", limit_nanousd=1000)
    go.set()
    assert list(await reading) == [made]
    assert list(await budgets.concerning(KEY, "support")) == [made]


async def test_a_caller_that_leaves_while_it_reserves_leaves_nothing_set_aside(
    opened: Stores, monkeypatch: Any
) -> None:
    budgets = opened.budgets
    budget = await budgets.create("acme", "tenant", window="day", limit_nanousd=1000)
    write, wrote, go = opened.database.write, asyncio.Event(), asyncio.Event()

    async def slow(work: Any, *, durable: bool = False) -> Any:
        result = await write(work, durable=durable)
        if not wrote.is_set():
            wrote.set()
            await go.wait()
        return result

    monkeypatch.setattr(opened.database, "write", slow)
    leaving = asyncio.create_task(budgets.reserve([budget], 600, 1))
    await wrote.wait()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert (await budgets.spending(budget)).reserved_nanousd == 600
    go.set()
    async with asyncio.timeout(30):
        while (await budgets.spending(budget)).reserved_nanousd:
            await asyncio.sleep(0.01)
    await budgets.reserve([budget], 1000, 1)


async def test_what_a_key_made_spends_of_its_budget_too(opened: Stores) -> None:
    parent, _ = await opened.keys.create("p", tenant="acme", scopes=frozenset({"admin"}))
    child, _ = await opened.keys.create("c", tenant="acme", scopes=frozenset({"admin"}), maker=parent.principal())
    await opened.events.append(call(5, key=child.id))
    made = await opened.budgets.create("acme", "key", parent.id, window="day", limit_nanousd=100)
    assert (await opened.budgets.spending(made)).spent_nanousd == 5
    new, _ = await opened.keys.rotate("acme", parent.id)
    spent = {parent.id: 1, child.id: 10, new.id: 20, "key_x": 40}
    await opened.events.append(*(call(cost, key=each) for each, cost in spent.items()))
    assert (await opened.budgets.spending(made)).spent_nanousd == 36


async def test_the_operator_and_the_tenant_have_a_budget_of_the_same_kind_each(opened: Stores) -> None:
    await opened.budgets.create("acme", "tenant", window="day", limit_tokens=9)
    own = await opened.budgets.create("acme", "tenant", window="day", limit_tokens=5, setter="tenant")
    assert {each.setter for each in await opened.budgets.list("acme")} == {"operator", "tenant"}
    with pytest.raises(Conflict):
        await opened.budgets.create("acme", "tenant", window="day", limit_tokens=5, setter="tenant")
    with pytest.raises(Exhausted) as full:
        await opened.budgets.reserve(await opened.budgets.concerning(KEY, "m"), 0, 6)
    assert full.value.budget.id == own.id
