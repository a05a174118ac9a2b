"""Hard budgets and what is spent outside of the request ring, over real stores."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mainspring import stores
from mainspring.core.errors import BudgetExceeded
from mainspring.core.facts.registry import read
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord
from mainspring.serving.admit.rate_limits import Charge, Limits
from mainspring.serving.money.pricing import Price
from mainspring.serving.money.side_reservation import SideReservation
from mainspring.serving.money.tariffs import Tariffs
from mainspring.stores import Stores
from mainspring.stores.sql import ids
from tests.serving.house import visitor
from tests.serving.money.test_reservation import BudgetCounts
from tests.serving.stubs import Counts

pytestmark = pytest.mark.usefixtures("one_day")


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as each:
        yield each


class Searches:
    """Searches of ten tokens each, which cost nothing or ten nano-US-dollars a token."""

    def __init__(self, opened: Stores, *, priced: bool = False) -> None:
        self.stores = opened
        self.counts = BudgetCounts()
        tariffs = Tariffs(Settings())
        tariffs.of("embedder", Price.per_million(0.01, 0) if priced else Price())
        self.cost = 10 * 10 if priced else 0
        beside = SideReservation(opened.budgets, tariffs, self.counts, ["embedder"])
        self.charge = Charge(Limits(10**6, 10**9), Counts(), beside)  # type: ignore[arg-type]

    async def one(self, tokens: int = 10) -> None:
        context = visitor()
        async with self.charge(context, tokens):
            await asyncio.sleep(0.01)
            facts = {"key_id": context.principal.key_id, "prompt_tokens": 10, "cost_nanousd": self.cost}
            at, tenant = time.time(), context.principal.tenant
            await self.stores.events.append(EventRecord(ids.new("evt_"), at, tenant, "t", "", read("call", facts)))

    async def many(self, number: int) -> int:
        """How many were refused."""
        found = await asyncio.gather(*(self.one() for _ in range(number)), return_exceptions=True)
        assert {type(each) for each in found} <= {type(None), BudgetExceeded}
        return sum(each is not None for each in found)


async def test_so_many_searches_at_once_pass_no_hard_budget(opened: Stores) -> None:
    searches = Searches(opened)
    budget = await opened.budgets.create("acme", "tenant", window="total", limit_tokens=105)
    assert await searches.many(64) == 54 == searches.counts.outcomes["refused"]
    spent = await opened.budgets.spending(budget)
    assert (spent.spent_tokens, spent.reserved_tokens) == (100, 0)
    # Of what nobody estimated beforehand nothing begins when all is spent.
    await searches.one(0)
    with pytest.raises(BudgetExceeded):
        await searches.one(0)


async def test_money_bounds_what_costs_something_alone(opened: Stores) -> None:
    budget = await opened.budgets.create("acme", "tenant", window="total", limit_nanousd=250)
    assert await Searches(opened, priced=True).many(10) == 8
    assert await Searches(opened).many(10) == 0
    assert (await opened.budgets.spending(budget)).spent_nanousd == 200


async def test_soft_budgets_and_others_refuse_nothing(opened: Stores) -> None:
    await opened.budgets.create("acme", "tenant", window="total", limit_tokens=1, hard=False)
    await opened.budgets.create("other", "tenant", window="total", limit_tokens=0)
    assert await Searches(opened).many(5) == 0
