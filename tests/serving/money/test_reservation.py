"""Budgets in the request ring, over the real stores: before the answer, in its commit, and after it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mainspring import stores
from mainspring.core.errors import BudgetExceeded, EngineError, InvalidRequest, QuotaExceeded, UnknownModel
from mainspring.core.path import collect
from mainspring.core.settings import Settings
from mainspring.core.types import (
    Allowance,
    ChatRequest,
    Context,
    HostedTool,
    Message,
    Request,
    Responder,
    Response,
    Sampling,
)
from mainspring.engines.base import Generation
from mainspring.engines.chat.responder import ModelResponder
from mainspring.serving.admit.rate_limits import Limits
from mainspring.serving.money.pricing import NANO, Price, Tariff
from mainspring.serving.money.reservation import APPLICATION_TOKENS, BudgetReservations, refusal
from mainspring.serving.money.tariffs import Tariffs
from mainspring.serving.ring.background import Background
from mainspring.serving.ring.compose import call_ring, request_ring
from mainspring.serving.ring.registry import Registry, Served
from mainspring.stores import Stores
from mainspring.stores.money.ledger import LedgerQuery
from mainspring.stores.money.spending import Budget, Exhausted, Spending
from mainspring.telemetry.metrics import Metrics
from tests.serving.house import GREEDY, House, visitor

pytestmark = pytest.mark.usefixtures("one_day")
# A prompt token costs 2,000 nano-dollars and an answer's 6,000.
PRICE = Price.per_million(2.0, 6.0)


class BudgetCounts(Metrics):
    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()

    def budget(self, outcome: str) -> None:
        self.outcomes[outcome] += 1


class Twice:
    """An application that asks the model twice."""

    def __init__(self, model: Responder) -> None:
        self.model = model

    async def respond(self, request: Request, context: Context) -> Response:
        inner = dataclasses.replace(request, model="chat")
        await collect(await self.model.respond(inner, context.nested()))
        response = await self.model.respond(inner, context.nested())
        return response.with_head(model=request.model)

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return None


def _well(generation: Generation) -> list[str | Exception]:
    failing = any("fail" in message.content for message in generation.messages)
    return ["All", EngineError("no")] if failing else ["All", " is", " well", "."]


class Counting:
    """The rings of a house over real stores, with ``chat`` for sale and the application ``twice``."""

    def __init__(self, opened: Stores, home: Path, script: Any = None, **prices: Any) -> None:
        self.stores = opened
        self.counts = BudgetCounts()
        self.house = House(script or _well)
        settings = Settings.model_validate({"home": home, "prices": prices})
        self.tariffs = Tariffs(settings)
        purse = BudgetReservations(opened.budgets, self.tariffs, settings.prices, self.counts, 512)
        self.services = dataclasses.replace(
            self.house.services, events=opened.events, purse=purse, background=Background()
        )
        self.registry = Registry()
        self.engine = self.house.engine
        self.serve("chat", self.tariffs.of("chat", PRICE))
        self.registry.add(Served("twice", "application", Twice(self.chat)))
        self.ring = request_ring(self.services, self.registry, Limits(10**6, 10**9))

    def serve(self, name: str, tariff: Tariff) -> None:
        model = ModelResponder(self.engine, model_name=name, fingerprint=f"weights-{name}")
        self.chat = call_ring(self.services, model, model=name, provider="scripted", price=tariff)
        self.registry.add(Served(name, "chat", self.chat))

    async def open(self, text: str = "Hello", context: Context | None = None, **fields: Any) -> Response:
        request = ChatRequest(**{"model": "chat", "messages": (Message("user", text),), **fields})
        return await self.ring.respond(request, context or visitor())

    async def ask(self, text: str = "Hello", context: Context | None = None, **fields: Any) -> Any:
        return await collect(await self.open(text, context, **fields))


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as each:
        yield each


@pytest.fixture
async def home(opened: Stores, tmp_path: Path) -> AsyncIterator[Counting]:
    made = Counting(opened, tmp_path)
    yield made
    await made.services.background.close()


def asking(tokens: int) -> dict[str, Any]:
    return {"sampling": Sampling(max_tokens=tokens)}


async def test_a_budget_moves_by_exactly_what_the_request_cost(home: Counting) -> None:
    budgets = home.stores.budgets
    budget = await budgets.create("acme", "key", "key_1", window="month", limit_nanousd=NANO)
    context = visitor()
    answer = await home.ask(context=context)
    assert answer.usage.cost_nanousd > 0
    spent = await budgets.spending(budget)
    assert (spent.spent_nanousd, spent.reserved_nanousd) == (answer.usage.cost_nanousd, 0)
    request = await home.stores.ledger.total(LedgerQuery("acme", where={"request": context.trace.trace_id}))
    assert request.cost_nanousd == answer.usage.cost_nanousd
    (call,) = await home.stores.events.find("acme", kind="call")
    assert call.facts.plain()["application"] == "chat"
    assert call.facts.plain()["price"] == {"source": "catalogue", "input": 2_000_000_000, "output": 6_000_000_000}


async def test_nothing_is_left_set_aside_however_a_request_ends(home: Counting) -> None:
    budgets = home.stores.budgets
    budget = await budgets.create("acme", "tenant", window="day", limit_nanousd=NANO)
    left = await home.open()
    assert (await budgets.spending(budget)).reserved_nanousd > 0
    await anext(left)
    await left.aclose()
    with pytest.raises(EngineError):
        await home.ask("fail")
    with pytest.raises(UnknownModel):
        await home.ask("again", model="nobody")
    spent = await budgets.spending(budget)
    assert spent.reserved_nanousd == 0
    assert spent.spent_nanousd == (await home.stores.ledger.total(LedgerQuery("acme"))).cost_nanousd > 0


async def test_two_hundred_at_once_within_a_hard_budget(home: Counting) -> None:
    budgets = home.stores.budgets
    first = (await home.ask("Hello 0", **asking(4))).usage.cost_nanousd
    # The estimate of a prompt is above what it has: 100 would fit by what they cost.
    budget = await budgets.create("acme", "tenant", window="total", limit_nanousd=100 * first)
    results = await asyncio.gather(
        *(home.ask(f"Hello {number}", **asking(4)) for number in range(200)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, BudgetExceeded)]
    assert len(refused) == home.counts.outcomes["refused"] >= 100
    assert all(not isinstance(result, Exception) for result in results if result not in refused)
    spent = await budgets.spending(budget)
    assert 0 < spent.spent_nanousd <= 100 * first
    assert spent.reserved_nanousd == 0
    answered = sum(result.usage.cost_nanousd for result in results if not isinstance(result, BaseException))
    assert answered == spent.spent_nanousd


async def test_a_refusal_says_what_is_left_and_when_to_return(home: Counting) -> None:
    await home.stores.budgets.create("acme", "tenant", window="day", limit_nanousd=10_000, name="lab")
    with pytest.raises(BudgetExceeded, match=r"budget lab of this tenant: .*\$0\.000010 of \$1e-05 are left") as caught:
        await home.ask(**asking(100))
    assert caught.value.status == 429
    assert caught.value.headers == {"x-mainspring-budget": "exceeded", "x-should-retry": "false"}
    assert caught.value.retry_after is not None
    assert 0 <= caught.value.retry_after <= 86_400
    assert home.engine.seen == []


def test_who_is_refused_at_midnight_does_not_wait_another_day() -> None:
    at = 1_764_028_799.9  # 2025-11-24T23:59:59.9Z
    budget = Budget("acme", "budget_1", "lab", "tenant", "", "day", 10, None, True, at)
    told = refusal(Exhausted(budget, Spending("2025-11-24", spent_nanousd=10), at, soon=False), 5, 0)
    assert told.retry_after == 0
    assert "2025-11-25T00:00Z" in str(told.remedy)


async def test_what_others_have_set_aside_comes_back_soon(home: Counting) -> None:
    await home.stores.budgets.create("acme", "tenant", window="day", limit_nanousd=300_000)
    running = await home.open(**asking(10))
    with pytest.raises(BudgetExceeded, match="requests that run now") as caught:
        await home.ask("x", **asking(10))
    assert caught.value.retry_after == 2.0
    assert "x-should-retry" not in caught.value.headers
    await collect(running)
    await home.ask("x", **asking(10))


async def test_a_soft_budget_tells_and_goes_on(home: Counting) -> None:
    await home.stores.budgets.create("acme", "application", "chat", window="day", limit_nanousd=1000, hard=False)
    first = await home.ask("one")
    second = await home.ask("two")
    assert "x-mainspring-budget" not in first.head.headers
    assert second.head.headers["x-mainspring-budget"] == "soft-exceeded"
    assert home.counts.outcomes == {"soft": 1}
    (event,) = await home.stores.events.find("acme", kind="cost")
    assert event.facts.plain()["hard"] is False


async def test_others_are_not_concerned(home: Counting) -> None:
    await home.stores.budgets.create("acme", "key", "key_2", window="day", limit_nanousd=0)
    await home.stores.budgets.create("acme", "application", "twice", window="day", limit_nanousd=0)
    await home.stores.budgets.create("other", "tenant", window="day", limit_nanousd=0)
    await home.ask()
    with pytest.raises(BudgetExceeded):
        await home.ask(model="twice")
    with pytest.raises(BudgetExceeded):
        await home.ask(context=visitor("other"))


async def test_an_answer_from_the_cache_costs_nothing_and_says_what_it_saved(home: Counting) -> None:
    budget = await home.stores.budgets.create("acme", "tenant", window="day", limit_nanousd=NANO)
    first = await home.ask(sampling=GREEDY)
    await home.services.background.close()
    second = await home.ask(sampling=GREEDY)
    assert second.head.cache == "hit"
    spent = await home.stores.budgets.spending(budget)
    assert (spent.spent_nanousd, spent.reserved_nanousd) == (first.usage.cost_nanousd, 0)
    total = await home.stores.ledger.total(LedgerQuery("acme"))
    assert (total.calls, total.hits, total.cache_saved_nanousd) == (1, 1, first.usage.cost_nanousd)


async def test_the_calls_of_an_application_count_for_it(home: Counting) -> None:
    budget = await home.stores.budgets.create("acme", "application", "twice", window="day", limit_nanousd=NANO)
    await home.ask(model="twice")
    total = await home.stores.ledger.total(LedgerQuery("acme", where={"application": "twice"}))
    assert total.calls == 2
    assert (await home.stores.budgets.spending(budget)).spent_nanousd == total.cost_nanousd > 0


async def test_an_application_stays_within_what_was_set_aside(opened: Stores, tmp_path: Path) -> None:
    """Each call would cost 2 * prompt + 6 * 40 micro-dollars; 300 are configured for both."""
    home = Counting(opened, tmp_path, lambda _: ["a "] * 40, applications={"twice": 300e-6})
    budget = await opened.budgets.create("acme", "tenant", window="day", limit_nanousd=NANO)
    answer = await home.ask(model="twice", **asking(40))
    # The second call was cut to what the first had left.
    assert answer.choices[0].finish == "length"
    assert 0 < answer.usage.completion_tokens < 40
    assert (await opened.budgets.spending(budget)).spent_nanousd <= 300_000
    with pytest.raises(BudgetExceeded, match=r"prices\.applications\.twice"):
        await home.ask("word " * 200, model="twice", **asking(40))
    await home.services.background.close()


async def test_a_model_with_tools_of_the_server_has_room_for_several_calls(home: Counting) -> None:
    """Its calls read the tools and their results beside the question."""
    purse = home.services.purse
    assert purse is not None
    plain = ChatRequest("chat", (Message("user", "Hello"),), sampling=Sampling(max_tokens=24))
    hosted = dataclasses.replace(plain, hosted=(HostedTool("code_interpreter"),))
    home.tariffs._known["dear"] = Tariff.fixed(Price.per_million(900.0, 900.0))
    alone, several = await purse.most(plain, visitor()), await purse.most(hosted, visitor())
    assert several[1] >= 2 * (APPLICATION_TOKENS + 24)
    # At the model's own price, though another one is dearer.
    assert several[0] == (several[1] - 48) * 2_000 + 48 * 6_000
    assert several[0] > 2 * alone[0]


async def test_no_price_no_hard_limit_in_dollars(home: Counting) -> None:
    home.tariffs._known["mystery"] = Tariff.unknown()
    home.serve("mystery", Tariff.unknown())
    await home.ask(model="mystery")
    await home.stores.budgets.create("acme", "tenant", window="day", limit_nanousd=NANO)
    with pytest.raises(InvalidRequest, match=r"mystery has no known price.*prices\.models\.mystery"):
        await home.ask(model="mystery")
    total = await home.stores.ledger.total(LedgerQuery("acme", where={"model": "mystery"}))
    assert (total.calls, total.unpriced, total.cost_nanousd) == (1, 1, 0)


async def test_the_rate_of_batches(home: Counting) -> None:
    half = Tariff.fixed(PRICE, "settings", PRICE.scaled(0.5))
    home.serve("cheap", half)
    context = visitor()
    context.allowance.rate = "batch"
    batch = await home.ask(context=context, model="cheap")
    online = await home.ask(model="cheap")
    assert 2 * batch.usage.cost_nanousd == online.usage.cost_nanousd
    rates = {call.facts.plain()["price"].get("rate") for call in await home.stores.events.find("acme", kind="call")}
    assert rates == {"batch", None}


# --- tokens of one request ------------------------------------------------------------------------------------


async def test_a_request_takes_no_more_tokens_than_it_is_allowed(opened: Stores, tmp_path: Path) -> None:
    home = Counting(opened, tmp_path, lambda _: ["a "] * 400)
    free = await home.ask("Hello")
    allowed = free.usage.prompt_tokens + 25
    answer = await home.ask("Hello", visitor(allowance=Allowance(allowed)))
    # This engine only estimates what a prompt has, and is a token off.
    assert (answer.usage.total_tokens, answer.choices[0].finish) == (allowed - 1, "length")
    pair = await home.ask("Hello", visitor(allowance=Allowance(allowed)), sampling=Sampling(n=2))
    assert pair.usage.total_tokens <= allowed
    with pytest.raises(InvalidRequest, match="leaves nothing of the 1") as caught:
        await home.ask("Hello", visitor(allowance=Allowance(1)))
    assert caught.value.param == "x-max-total-tokens"
    # An application's calls share it.
    both = visitor(allowance=Allowance(2 * allowed))
    await home.ask("Hello", both, model="twice", **asking(30))
    assert both.allowance.spent.total_tokens <= 2 * allowed


async def test_what_a_bound_cuts_short_is_not_given_to_others(home: Counting) -> None:
    bounded = visitor(allowance=Allowance(10_000))
    await home.ask(context=bounded, sampling=GREEDY)
    await home.services.background.close()
    assert (await home.ask(sampling=GREEDY)).head.cache == "miss"


async def test_without_budgets_nothing_is_written_before_the_answer(home: Counting) -> None:
    written = 0
    write = home.stores.database.write

    async def counting(*arguments: Any, **options: Any) -> Any:
        nonlocal written
        written += 1
        return await write(*arguments, **options)

    await home.ask("first")
    home.stores.database.write = counting  # type: ignore[method-assign]
    await home.ask("second")
    assert written == 1


async def test_a_tenant_has_so_many_sessions(opened: Stores, tmp_path: Path) -> None:
    made = Counting(opened, tmp_path)
    made.services = dataclasses.replace(made.services, histories=opened.sessions, quotas=opened.quotas)
    made.ring = request_ring(made.services, made.registry, Limits(10**6, 10**9))
    await opened.quotas.change("acme", {"sessions": 1})
    await made.ask(session_id="one")
    with pytest.raises(QuotaExceeded, match="1 of 1 sessions"):
        await made.ask(session_id="two")
    # What is there goes on, and what is kept nowhere needs no room.
    await made.ask(session_id="one")
    await made.ask()
