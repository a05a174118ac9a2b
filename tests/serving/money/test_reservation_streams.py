"""Many streams at once within a hard budget: it is never passed, however the words of the prompts fall into tokens."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from mainspring import stores
from mainspring.core.errors import BudgetExceeded
from mainspring.core.settings import Settings
from mainspring.core.types import Message, Sampling
from mainspring.engines.base import Generation
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.chat.template import ChatTemplate
from mainspring.engines.scripted import ScriptedEngine
from mainspring.serving.admit.rate_limits import Limits
from mainspring.serving.admit.token_counts import generated
from mainspring.serving.money.reservation import BudgetReservations
from mainspring.serving.ring.compose import call_ring, request_ring
from mainspring.serving.ring.registry import Registry, Served
from mainspring.stores import Stores
from tests.databases import settings
from tests.serving.house import visitor
from tests.serving.money.test_reservation import PRICE, BudgetCounts, Counting

__all__ = ["settings"]
pytestmark = pytest.mark.usefixtures("one_day")
STREAMS = 64
OUTPUT = 8
# A system message of the template's own, as many have one.
TEMPLATE = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are a helpful assistant<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)
TEXTS = {
    "words": "Say what becomes of the lighthouse and of its keeper",
    "digits": "7 3 9 1 4 8 2 6 5 0 " * 10,
    "noise": "aGVsbG8gd29ybGQ9PQ8x7Kq2Zr" * 4,
    "chinese": "灯塔和它的看守人怎么样了" * 5,
}


class Bytes(ScriptedEngine):
    """A token a byte: what no estimate by characters foresees. What is ``far`` applies a template of its own."""

    def _check(self, generation: Generation) -> int:
        if self.capabilities.templates:
            return 60 + sum(8 + len(message.content.encode()) for message in generation.messages)
        return len(generation.prompt.encode())

    async def count_tokens(self, text: str) -> int:
        return -(-len(text) // 4) if self.capabilities.templates else len(text.encode())


def say(generation: Generation) -> list[str]:
    return [" word"] * (2 * OUTPUT)


@pytest.fixture(params=["here", "far"])
async def home(request: pytest.FixtureRequest, settings: Settings) -> AsyncIterator[Counting]:
    async with stores.open(settings) as opened:
        yield _home(opened, settings, request.param == "far")


def _home(opened: Stores, settings: Settings, far: bool) -> Counting:
    made = Counting(opened, settings.home)
    made.engine = Bytes(say, templates=far)
    template = None if far else ChatTemplate(TEMPLATE)
    responder = ModelResponder(made.engine, model_name="chat", fingerprint="weights", template=template)
    counts: dict[str, Any] = {} if far else {"chat": partial(generated, responder)}
    purse = BudgetReservations(opened.budgets, made.tariffs, settings.prices, BudgetCounts(), 512, counts=counts)
    made.services = dataclasses.replace(made.services, purse=purse)
    made.registry = Registry()
    tariff = made.tariffs.of("chat", PRICE)
    made.registry.add(
        Served("chat", "chat", call_ring(made.services, responder, model="chat", provider="scripted", price=tariff))
    )
    made.ring = request_ring(made.services, made.registry, Limits(10**6, 10**9))
    return made


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("kind", ["tokens", "money"])
async def test_no_hard_budget_is_passed_at_so_many_streams(home: Counting, text: str, kind: str) -> None:
    limit: dict[str, Any] = {"limit_tokens": 3_000} if kind == "tokens" else {"limit_nanousd": 3_000 * 2_000}
    budget = await home.stores.budgets.create("acme", "tenant", window="total", **limit)
    sampling = Sampling(max_tokens=OUTPUT, temperature=0)
    outcomes = await asyncio.gather(
        *(
            home.ask(context=visitor(), messages=(Message("user", f"{text} {n}"),), sampling=sampling)
            for n in range(STREAMS)
        ),
        return_exceptions=True,
    )
    served = [each for each in outcomes if not isinstance(each, BaseException)]
    assert {type(each) for each in outcomes if isinstance(each, BaseException)} <= {BudgetExceeded}
    assert served
    spent = await home.stores.budgets.spending(budget)
    assert (spent.reserved_tokens, spent.reserved_nanousd) == (0, 0)
    assert spent.spent_tokens == sum(each.usage.total_tokens for each in served) > 0
    if kind == "tokens":
        assert spent.spent_tokens <= 3_000 + OUTPUT
    else:
        assert spent.spent_nanousd <= 3_000 * 2_000 + OUTPUT * 6_000
    # What is set aside is what is spent where the tokens can be counted: nobody is shut out without need.
    if not home.engine.capabilities.templates and kind == "tokens" and len(served) < STREAMS:
        assert spent.spent_tokens > 3_000 - 2 * max(each.usage.total_tokens for each in served)
    # Nor are answers cut by it.
    assert {each.usage.completion_tokens for each in served} == {OUTPUT}


@pytest.mark.parametrize("limit", [20_000, 400_000])
async def test_large_caps_neither_pass_a_hard_budget_nor_shut_others_out(home: Counting, limit: int) -> None:
    budget = await home.stores.budgets.create("acme", "tenant", window="total", limit_tokens=limit)
    home.engine.script = lambda _: [" word"] * (20_000 if limit == 20_000 else OUTPUT)
    outcomes = await asyncio.gather(
        *(
            home.ask(context=visitor(), messages=(Message("user", f"Go {n}"),), sampling=Sampling(max_tokens=32_000))
            for n in range(STREAMS)
        ),
        return_exceptions=True,
    )
    served = [each for each in outcomes if not isinstance(each, BaseException)]
    assert {type(each) for each in outcomes if isinstance(each, BaseException)} <= {BudgetExceeded}
    spent = await home.stores.budgets.spending(budget)
    assert spent.reserved_tokens == 0
    assert spent.spent_tokens == sum(each.usage.total_tokens for each in served) <= limit + OUTPUT
    if limit == 20_000:
        assert {each.choices[0].finish for each in served} == {"length"}
        assert all(int(each.head.headers["x-mainspring-max-tokens"]) <= 4200 for each in served)
    else:
        assert len(served) == STREAMS, [each for each in outcomes if isinstance(each, BaseException)][:3]
