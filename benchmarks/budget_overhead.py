"""What budgets cost on the path of a request: CPU microseconds of the whole process, database threads included.

The same request passes the request ring over real stores: with the layer and the look for budgets taken out, with both
and no budget, with one hard budget, and with four. Rounds alternate, and the median round counts.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from _report import Figure, report
from mainspring import stores
from mainspring.core.path import collect
from mainspring.core.settings import Settings
from mainspring.core.types import ChatRequest, Context, Message, Principal, Responder, Sampling
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import ScriptedEngine
from mainspring.guards.policy.policies import GuardPolicy
from mainspring.serving.admit.rate_limits import Limits
from mainspring.serving.money.pricing import Price
from mainspring.serving.money.reservation import BudgetReservations
from mainspring.serving.money.tariffs import Tariffs
from mainspring.serving.ring.background import Background
from mainspring.serving.ring.compose import Services, call_ring, request_ring
from mainspring.serving.ring.registry import Registry, Served
from mainspring.stores import Stores
from mainspring.stores.money import budget_charges, spending
from mainspring.telemetry.metrics import Metrics
from mainspring.telemetry.tracing import Tracing

ROUND = 40
CALLER = Principal("acme", "key_1", frozenset({"chat"}))
PRICE = Price.per_million(2.0, 6.0)


def ring_over(opened: Stores, home: Path, *, budgets: bool) -> Responder:
    """The request ring with a scripted model that writes four tokens."""
    settings = Settings.model_validate({"home": home, "serving": {"cache_responses": False}})
    tariffs, metrics = Tariffs(settings), Metrics(["chat"])
    services = Services(
        settings=settings,
        tracing=Tracing(0.0, ()),
        metrics=metrics,
        policy=GuardPolicy.of(settings.guards),
        events=opened.events,
        histories=opened.sessions,
        answers=opened.cache,
        background=Background(),
        purse=BudgetReservations(opened.budgets, tariffs, settings.prices, metrics, 512),
    )
    services = services if budgets else replace(services, purse=None)
    engine = ScriptedEngine(lambda _: ["All", " is", " well", "."], templates=True)
    model = ModelResponder(engine, model_name="chat", fingerprint="weights")
    registry = Registry()
    calls = call_ring(services, model, model="chat", provider="scripted", price=tariffs.of("chat", PRICE))
    registry.add(Served("chat", "chat", calls))
    return request_ring(services, registry, Limits(10**9, 10**12))


async def cost(ring: Responder) -> float:
    """CPU microseconds of one request."""
    started = time.process_time()
    for number in range(ROUND):
        request = ChatRequest("chat", (Message("user", f"Hello {number}"),), Sampling(max_tokens=8))
        await collect(await ring.respond(request, Context(CALLER)))
    return (time.process_time() - started) / ROUND * 1e6


async def main(rounds: int) -> None:
    look: Callable[..., Any] = budget_charges.settle
    async with AsyncExitStack() as stack:
        homes = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(4)]
        opened = [await stack.enter_async_context(stores.open(Settings(home=home))) for home in homes]
        for each, count in zip(opened, (0, 0, 1, 4), strict=True):
            for window in spending.WINDOWS[:count]:
                await each.budgets.create("acme", "tenant", window=window, limit_nanousd=10**15)
            if count == 4:
                await each.budgets.create("acme", "key", "key_1", window="day", limit_nanousd=10**15)
        rings = [ring_over(opened[index], homes[index], budgets=index > 0) for index in range(4)]
        taken: list[list[float]] = [[], [], [], []]
        for number in range(rounds + 1):
            for index, ring in enumerate(rings):
                # The first has neither layer nor look.
                budget_charges.settle = look if index else lambda *_: []
                spent = await cost(ring)
                if number:
                    taken[index].append(spent)
        budget_charges.settle = look
    without, none, one, four = (statistics.median(each) for each in taken)
    report(
        "budget_overhead",
        {
            "a request without the layer": Figure(without, "CPU us", "lower"),
            "no budget adds": Figure(none - without, "CPU us", "lower", against=f"{(none / without - 1):.1%} of it"),
            "one hard budget adds": Figure(one - without, "CPU us", "lower", against=f"{(one / without - 1):.1%}"),
            "four budgets add": Figure(four - without, "CPU us", "lower", against=f"{(four / without - 1):.1%}"),
        },
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", type=int, nargs="?", default=30)
    asyncio.run(main(parser.parse_args().rounds))
