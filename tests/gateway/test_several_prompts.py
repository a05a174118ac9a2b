"""A completion of several prompts is that many requests: each limited, recorded and paid for by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.core.types import Principal
from mainspring.serving.admit.rate_limits import Limits
from mainspring.serving.money.pricing import NANO
from mainspring.serving.ring.compose import request_ring
from mainspring.stores import Stores
from tests.gateway.asgi import Reply, ask, gateway
from tests.serving.money.test_reservation import Counting

pytestmark = pytest.mark.usefixtures("one_day")
TOKENS = 100_000
ASKED = {"model": "chat", "prompt": ["one", "two", "three"]}


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as each:
        yield each


class Desk:
    def __init__(self, opened: Stores, home: Path) -> None:
        self.house = Counting(opened, home, lambda _: ["All", " is", " well", "."])
        self.limits = Limits(1000, TOKENS, clock=lambda: 0.0)
        self.app = gateway(request_ring(self.house.services, self.house.registry, self.limits))

    async def ask(self, headers: dict[str, str] | None = None) -> Reply:
        return await ask(self.app, "POST", "/v1/completions", ASKED, headers=headers)


async def test_each_prompt_gives_back_what_was_set_aside_for_it(opened: Stores, tmp_path: Path) -> None:
    budget = await opened.budgets.create("acme", "tenant", window="day", limit_nanousd=NANO)
    desk = Desk(opened, tmp_path)
    reply = await desk.ask()
    assert reply.status == 200, reply.body
    spent = await opened.budgets.spending(budget)
    assert (spent.reserved_nanousd, spent.reserved_tokens) == (0, 0)
    assert spent.spent_tokens == reply.json["usage"]["total_tokens"]
    answers = await opened.events.find("acme", kind="answer")
    assert [each.facts.plain()["spent_tokens"] for each in answers] == [spent.spent_tokens // 3] * 3
    calls = await opened.events.find("acme", kind="call")
    assert {each.subject for each in calls} == {each.id for each in answers}


@pytest.mark.parametrize("bound", [{}, {"x-max-total-tokens": "5000"}])
async def test_the_key_is_charged_for_each_prompt_once(opened: Stores, tmp_path: Path, bound: dict[str, str]) -> None:
    desk = Desk(opened, tmp_path)
    reply = await desk.ask(bound)
    assert reply.status == 200, reply.body
    left = desk.limits.headers(Principal("acme", "key_1"))["x-ratelimit-remaining-tokens"]
    assert int(left) == TOKENS - reply.json["usage"]["total_tokens"]


async def test_the_tokens_of_the_request_bound_all_prompts_together(opened: Stores, tmp_path: Path) -> None:
    desk = Desk(opened, tmp_path)
    whole = (await desk.ask()).json["usage"]["total_tokens"]
    reply = await desk.ask({"x-max-total-tokens": str(whole - whole // 3)})
    assert (reply.status, reply.error["param"]) == (429, "tokens")
    assert desk.house.engine.live == 0
