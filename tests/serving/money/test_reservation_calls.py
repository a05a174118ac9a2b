"""Budgets and requests that take several calls: scaled, repaired, hedged, of applications, of conversations' memory."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from mainspring import stores
from mainspring.core.errors import BudgetExceeded, StoreError, UnfitAnswer
from mainspring.core.path import collect, replay
from mainspring.core.settings import Settings
from mainspring.core.types import (
    Allowance,
    ChatRequest,
    Context,
    Finish,
    Grammar,
    Head,
    Message,
    Principal,
    Request,
    Responder,
    Response,
    Sampling,
    Text,
    Usage,
)
from mainspring.engines.base import Generation
from mainspring.serving.admit.rate_limits import Limits
from mainspring.serving.cache.single_flight import SingleFlight
from mainspring.serving.money.pricing import NANO, Tariff
from mainspring.serving.money.reservation import ASKED_BESIDE, BudgetReservations
from mainspring.serving.money.tariffs import Tariffs
from mainspring.serving.ring.compose import request_ring
from mainspring.serving.ring.registry import Served
from mainspring.serving.ring.repair import Repair, further
from mainspring.stores import Stores
from mainspring.stores.money.ledger import LedgerQuery
from tests.serving.house import GREEDY, visitor
from tests.serving.money.test_reservation import PRICE, BudgetCounts, Counting
from tests.serving.talk import Talk, talk

pytestmark = pytest.mark.usefixtures("one_day")
WORDS = ["a "] * 20
VOTE = {"method": "self_consistency", "samples": 4, "answer": "number"}
OBJECT = Grammar("json_schema", json.dumps({"type": "object"}))
TWENTY = Sampling(max_tokens=20, temperature=1.0)


def said(generation: Generation) -> list[str]:
    """Many words, and a number where one is asked for."""
    return ["7"] if "Rate how correct" in generation.messages[0].content else WORDS


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as each:
        yield each


@pytest.fixture
async def home(opened: Stores, tmp_path: Path) -> AsyncIterator[Counting]:
    made = Counting(opened, tmp_path, said)
    yield made
    await made.services.background.close()


def rounds(home: Counting, count: int, *, hedged: bool = False) -> None:
    """Serve ``mended``, which is ``chat`` with repairs in up to ``count`` rounds, of which budgets know."""
    assert home.services.purse is not None
    purse = dataclasses.replace(
        home.services.purse, further=lambda request: further(request, frozenset(), count), hedged=hedged
    )
    home.services = dataclasses.replace(home.services, purse=purse)
    home.tariffs._known["mended"] = home.tariffs.of("chat")
    home.registry.add(Served("mended", "chat", Repair(home.chat, "chat", frozenset(), rounds=count)))
    home.ring = request_ring(home.services, home.registry, Limits(10**6, 10**9))


async def limited_to(home: Counting, limit: int, **scope: Any) -> Callable[[], Any]:
    """A hard budget of the tenant's; what it says."""
    budget = await home.stores.budgets.create("acme", "tenant", window="total", limit_nanousd=limit, **scope)

    async def spending() -> Any:
        return await home.stores.budgets.spending(budget)

    return spending


async def most(home: Counting, **fields: Any) -> int:
    """What one such request takes of a budget that holds everything."""
    budget = await home.stores.budgets.create("acme", "tenant", window="total", limit_nanousd=NANO)
    with contextlib.suppress(UnfitAnswer):
        await home.ask("Hello", **fields)
    spent = (await home.stores.budgets.spending(budget)).spent_nanousd
    await home.stores.budgets.delete("acme", budget.id)
    return int(spent)


@pytest.mark.parametrize("kind", ["scaled", "judged", "repaired"])
async def test_no_number_of_requests_passes_a_hard_budget(home: Counting, kind: str) -> None:
    kinds: dict[str, dict[str, Any]] = {
        "scaled": {"sampling": TWENTY, "options": {"scaling": VOTE}},
        "judged": {
            "sampling": TWENTY,
            "options": {"scaling": {"method": "best_of", "samples": 3, "score": "judge"}},
        },
        "repaired": {"sampling": dataclasses.replace(TWENTY, grammar=OBJECT)},
    }
    rounds(home, 2)
    fields = {**kinds[kind], "model": "mended"}
    one = await most(home, **fields)
    spending = await limited_to(home, 5 * one)
    results = await asyncio.gather(*(home.ask("Hello", **fields) for _ in range(30)), return_exceptions=True)
    refused = [each for each in results if isinstance(each, BudgetExceeded)]
    served = [each for each in results if each not in refused]
    assert served
    assert refused
    if kind == "repaired":
        assert {type(each) for each in served} == {UnfitAnswer}
    spent = await spending()
    assert 0 < spent.spent_nanousd <= 5 * one
    assert spent.reserved_nanousd == 0
    ledger = await home.stores.ledger.total(LedgerQuery("acme"))
    assert ledger.cost_nanousd == spent.spent_nanousd + one


async def test_what_is_set_aside_is_for_all_calls(opened: Stores, tmp_path: Path) -> None:
    tariffs = Tariffs(Settings(home=tmp_path))
    tariffs.of("chat", PRICE)
    purse = BudgetReservations(opened.budgets, tariffs, Settings(home=tmp_path).prices, BudgetCounts(), 512)
    asked = ChatRequest("chat", (Message("user", "x" * 300),), TWENTY)
    plain, tokens = await purse.most(asked, visitor())
    scaled = dataclasses.replace(asked, options={"scaling": VOTE})
    asked_beside = 4 * ASKED_BESIDE
    assert await purse.most(scaled, visitor()) == (
        4 * plain + PRICE.cost(Usage(asked_beside)),
        4 * tokens + asked_beside,
    )
    hedging = dataclasses.replace(purse, hedged=True)
    assert plain < (await hedging.most(asked, visitor()))[0] < 2 * plain
    repairing = dataclasses.replace(purse, further=lambda _: 2)
    assert (await repairing.most(asked, visitor()))[0] > 3 * plain


@pytest.mark.parametrize(
    ("wish", "grammar", "enforced", "found"),
    [
        (None, OBJECT, frozenset({"json_schema"}), 0),
        (None, OBJECT, frozenset(), 2),
        (None, None, frozenset(), 0),
        (None, Grammar("ebnf", "root ::= a"), frozenset(), 0),
        (True, OBJECT, frozenset({"json_schema"}), 2),
        (4, OBJECT, frozenset({"json_schema"}), 4),
        (0, OBJECT, frozenset(), 0),
        (99, OBJECT, frozenset(), 5),
        ("many", OBJECT, frozenset(), 2),
    ],
)
def test_the_rounds_of_a_repair_are_known_beforehand(
    wish: Any, grammar: Grammar | None, enforced: frozenset[str], found: int
) -> None:
    options = {} if wish is None else {"repair": wish}
    request = ChatRequest("m", (Message("user", "x"),), Sampling(grammar=grammar), options=options)
    assert further(request, enforced, 2) == found


class AtOnce:
    """An application that asks the model three times at once, and leaves out what is refused."""

    def __init__(self, model: Responder) -> None:
        self.model = model
        self.refused = 0

    async def respond(self, request: Request, context: Context) -> Response:
        inner = dataclasses.replace(request, model="chat")

        async def one() -> str:
            return (await collect(await self.model.respond(inner, context.nested()))).text

        found = await asyncio.gather(*(one() for _ in range(3)), return_exceptions=True)
        self.refused = sum(isinstance(each, BudgetExceeded) for each in found)
        assert all(isinstance(each, str | BudgetExceeded) for each in found)
        said = "".join(each for each in found if isinstance(each, str))
        return Response(Head(request.model), replay([Text(said), Finish("stop")]))

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return None


@pytest.mark.parametrize("bound", ["money", "tokens"])
async def test_calls_that_run_at_once_share_what_was_set_aside(opened: Stores, tmp_path: Path, bound: str) -> None:
    """Each of three would take 20 tokens and its prompt; what two of them take is configured."""
    prices: dict[str, Any] = {"applications": {"at-once": 250e-6}, "application_tokens": {"at-once": 50}}
    home = Counting(opened, tmp_path, lambda _: WORDS, **prices)
    application = AtOnce(home.chat)
    home.registry.add(Served("at-once", "application", application))
    limit: dict[str, Any] = {"limit_nanousd": NANO} if bound == "money" else {"limit_tokens": 10**6}
    budget = await opened.budgets.create("acme", "tenant", window="day", **limit)
    answer = await home.ask(model="at-once", sampling=TWENTY)
    assert 20 <= len(answer.text.split()) < 60
    assert application.refused >= (bound == "money")
    spent = await opened.budgets.spending(budget)
    if bound == "money":
        assert 125_000 < spent.spent_nanousd <= 250_000
    else:
        assert 25 < spent.spent_tokens <= 50
    assert (spent.reserved_nanousd, spent.reserved_tokens) == (0, 0)
    # The next one has all of it again: nothing that was held has stayed so.
    assert (await home.ask(model="at-once", sampling=TWENTY)).text == answer.text
    await home.services.background.close()


async def test_what_a_call_held_comes_back_however_it_ends(home: Counting) -> None:
    context = visitor(allowance=Allowance(1000))
    answer = await collect(await home.chat.respond(ChatRequest("chat", (Message("user", "x"),), TWENTY), context))
    assert context.allowance.tokens == 1000 - answer.usage.total_tokens
    left = await home.chat.respond(ChatRequest("chat", (Message("user", "x"),), TWENTY), context)
    before = context.allowance.spent.total_tokens
    await left.aclose()
    assert context.allowance.tokens == 1000 - context.allowance.spent.total_tokens
    assert context.allowance.spent.total_tokens > before
    home.engine.script = lambda _: [StoreError("no")]
    with pytest.raises(StoreError):
        await home.chat.respond(ChatRequest("chat", (Message("user", "x"),), TWENTY), context)
    assert context.allowance.tokens == 1000 - context.allowance.spent.total_tokens


async def test_who_hears_a_shared_answer_to_its_end_pays_for_it(
    home: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    listeners: list[Context] = []
    join = SingleFlight.join

    def noted(flight: SingleFlight, context: Context) -> Any:
        listeners.append(context)
        return join(flight, context)

    async def heard_by(count: int) -> None:
        async with asyncio.timeout(30):
            while len(listeners) < count or not home.engine.live:
                await asyncio.sleep(0.01)

    monkeypatch.setattr(SingleFlight, "join", noted)
    go = asyncio.Event()
    home.engine.script = lambda _: ["One", go, " two"]
    budgets = {
        key: await home.stores.budgets.create("acme", "key", key, window="day", limit_nanousd=NANO)
        for key in ("key_1", "key_2")
    }
    second = Context(Principal("acme", "key_2", frozenset({"chat"})))
    first = asyncio.create_task(home.ask("Count", sampling=GREEDY))
    await heard_by(1)
    other = asyncio.create_task(home.ask("Count", second, sampling=GREEDY))
    await heard_by(2)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    go.set()
    answer = await other
    assert answer.usage.cost_nanousd > 0
    spent = {key: (await home.stores.budgets.spending(budget)).spent_nanousd for key, budget in budgets.items()}
    assert spent == {"key_1": 0, "key_2": answer.usage.cost_nanousd}
    (call,) = await home.stores.events.find("acme", kind="call")
    assert (call.facts.plain()["key_id"], call.trace_id) == ("key_2", second.trace.trace_id)


# --- the memory of conversations ------------------------------------------------------------------------------


def writing(generation: Generation) -> list[str]:
    return ["She was content."] if "Summary so far" in generation.messages[-1].content else ["Well", " said", "."]


def with_purse(home: Talk, tmp_path: Path) -> None:
    tariffs = Tariffs(Settings(home=tmp_path))
    tariffs._known["chat"] = Tariff.fixed(PRICE)
    home.keeper._purse = BudgetReservations(
        home.stores.budgets, tariffs, Settings(home=tmp_path).prices, BudgetCounts(), 512
    )


@pytest.mark.parametrize("held", [True, False])
async def test_a_summary_is_written_as_far_as_budgets_hold_it(tmp_path: Path, held: bool) -> None:
    async with talk(tmp_path, writing, writes=True, strategy="summary", max_tokens=128) as home:
        with_purse(home, tmp_path)
        limit = NANO if held else 1_000
        budget = await home.stores.budgets.create("acme", "tenant", window="day", limit_nanousd=limit)
        for number in range(12):
            await home.say(f"Tell me of river {number}, {'word ' * 20}")
        wrote = [each for each in home.engine.seen if "Summary so far" in each.messages[-1].content]
        assert bool(wrote) == held
        await home.say("Go on.")
        # Notes are kept in any case.
        assert "Notes on the earlier part" in home.prompt
        assert ("She was content." in home.prompt) == held
        spent = await home.stores.budgets.spending(budget)
        assert spent.reserved_nanousd == 0
        if held:
            calls = await home.stores.events.find("acme", kind="call", limit=1000)
            summaries = [each for each in calls if each.subject.endswith(":s")]
            assert summaries
            assert {each.facts.plain()["application"] for each in summaries} == {"chat"}


async def test_what_a_memory_took_is_in_the_ledger_even_if_it_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with talk(tmp_path, writing, writes=True, strategy="summary", max_tokens=128) as home:

        async def broken(*_: Any) -> bool:
            raise StoreError("the disk is full")

        monkeypatch.setattr(home.stores.memory, "summarise", broken)
        for number in range(12):
            await home.say(f"Tell me of river {number}, {'word ' * 20}")
        wrote = [each for each in home.engine.seen if "Summary so far" in each.messages[-1].content]
        assert wrote
        calls = await home.stores.events.find("acme", kind="call", limit=1000)
        assert sum(each.subject.endswith(":s") for each in calls) == len(wrote)
