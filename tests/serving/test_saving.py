"""What routing saved: by the price of the large model, less everything that its calls have cost."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from mainspring.core.errors import EngineError
from mainspring.core.path import Answer, collect
from mainspring.core.settings import AutoSettings, RouteRule
from mainspring.core.types import EventRecord, Sampling, Usage
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import Script, ScriptedEngine
from mainspring.serving.money.pricing import OWN, Price, Tariff
from mainspring.serving.ring.compose import call_ring
from mainspring.serving.ring.registry import Served
from mainspring.serving.route import auto
from mainspring.serving.route.auto import Auto, RoutedModel
from tests.serving.house import GREEDY, House, visitor
from tests.serving.test_auto import Axes, Counted, asking

SMALL, LARGE = Price.per_million(1, 2), Price.per_million(10, 40)
UNSURE = ["I don't know", "."]


def router(
    built: House,
    scripts: Mapping[str, Script],
    tariffs: Mapping[str, Tariff] | None = None,
    embedder: Any = None,
    **settings: Any,
) -> Auto:
    """``auto`` over scripted models in real call rings, served by the house."""
    known = {"small": Tariff.fixed(SMALL), "large": Tariff.fixed(LARGE), **(tariffs or {})}

    def candidate(name: str, script: Script) -> RoutedModel:
        engine = ScriptedEngine(script, name=name, templates=True)
        responder = ModelResponder(engine, model_name=name, fingerprint=name)
        ring = call_ring(built.services, responder, model=name, provider="scripted", price=known[name])
        return RoutedModel(name, ring, engine.capabilities)

    made = auto.make(
        AutoSettings(**{"small": "small", "large": "large", **settings}),
        {name: candidate(name, script) for name, script in scripts.items()},
        default_output=64,
        tracing=built.tracing,
        metrics=Counted(),
        embedder=embedder or Axes(),
        charging=None,
        tariff=lambda name: known[name],
    )
    assert made is not None
    built.registry.add(Served("auto", "chat", made))
    return made


def usage(call: EventRecord) -> Usage:
    facts = call.facts.plain()
    return Usage(facts["prompt_tokens"], facts["completion_tokens"], facts["cached_tokens"])


def saved(calls: list[EventRecord]) -> int:
    return sum(call.facts.plain()["routing_saved_nanousd"] for call in calls)


async def asked(built: House, **fields: Any) -> tuple[Answer, list[EventRecord]]:
    answer = await built.ask("two and two?", model="auto", **{"sampling": GREEDY, **fields})
    return answer, built.events.of("call")


async def test_a_small_answer_saves_what_the_large_model_asks_for_as_many_tokens(house: Any) -> None:
    built: House = house()
    router(built, {"small": lambda _: ["Four", "."], "large": lambda _: ["4"]}, confidence="format")
    _, (call,) = await asked(built)
    used = usage(call)
    wanted = used.prompt_tokens * 10_000 + used.completion_tokens * 40_000
    assert call.facts.plain()["cost_nanousd"] == used.prompt_tokens * 1000 + used.completion_tokens * 2000 > 0
    assert call.facts.plain()["routing_saved_nanousd"] == wanted - call.facts.plain()["cost_nanousd"] > 0
    assert (call.facts.plain()["routed"], call.facts.plain()["routing_large"]) == (True, "large")
    assert "routing_unknown" not in call.facts.plain()
    # From the cache it comes without a call: nothing is counted twice.
    again, calls = await asked(built)
    assert again.head.cache == "hit"
    assert len(calls) == 1


async def test_an_attempt_that_was_thrown_away_is_a_loss(house: Any) -> None:
    built: House = house()
    router(built, {"small": lambda _: UNSURE, "large": lambda _: ["Four"]}, confidence="format")
    _, (small, large) = await asked(built)
    assert large.facts.plain()["routing_saved_nanousd"] == 0
    assert small.facts.plain()["routing_saved_nanousd"] == -small.facts.plain()["cost_nanousd"] < 0
    assert [call.facts.plain().get("routed") for call in (small, large)] == [None, True]


async def test_what_helped_to_decide_is_taken_off(house: Any) -> None:
    built: House = house()

    def large(generation: Any) -> list[str]:
        return ["yes"] if "Reply with yes or no" in str(generation.messages) else ["never asked"]

    router(built, {"small": lambda _: ["Four"], "large": large}, confidence="judge")
    answer, (small, judge) = await asked(built)
    assert answer.text == "Four"
    assert judge.facts.plain()["model"] == "large"
    assert judge.facts.plain()["routing_saved_nanousd"] == -judge.facts.plain()["cost_nanousd"] < 0
    assert "routed" not in judge.facts.plain()
    assert (
        saved([small, judge])
        == LARGE.cost(usage(small)) - small.facts.plain()["cost_nanousd"] - judge.facts.plain()["cost_nanousd"]
    )


async def test_samples_are_taken_off_and_count_as_no_answers(house: Any) -> None:
    built: House = house()
    router(built, {"small": lambda _: ["Four"], "large": lambda _: ["4"]}, confidence="agreement", samples=2)
    _, calls = await asked(built)
    assert len(calls) == 3
    (given,) = (call for call in calls if call.facts.plain().get("routed"))
    assert saved(calls) == LARGE.cost(usage(given)) - sum(call.facts.plain()["cost_nanousd"] for call in calls)


async def test_by_a_rule_nothing_but_the_answer_costs(house: Any) -> None:
    built: House = house()
    rules = (RouteRule(use="large", words=("two",)),)
    router(built, {"small": lambda _: ["Four"], "large": lambda _: ["4"]}, rules=rules, policy="rules")
    _, (call,) = await asked(built)
    assert (call.facts.plain()["model"], call.facts.plain()["routed"], call.facts.plain()["routing_saved_nanousd"]) == (
        "large",
        True,
        0,
    )


@pytest.mark.parametrize("tariff", [Tariff.unknown(), Tariff.fixed(Price(), OWN)])
async def test_without_the_large_models_price_it_is_not_known(house: Any, tariff: Tariff) -> None:
    built: House = house()
    scripts: dict[str, Script] = {"small": lambda _: ["Four"], "large": lambda _: ["4"]}
    router(built, scripts, {"large": tariff}, confidence="format")
    _, (call,) = await asked(built)
    assert (call.facts.plain()["routed"], call.facts.plain()["routing_unknown"]) == (True, True)
    assert "routing_saved_nanousd" not in call.facts.plain()


async def test_nor_where_the_small_ones_is_not(house: Any) -> None:
    built: House = house()
    scripts: dict[str, Script] = {"small": lambda _: ["Four"], "large": lambda _: ["4"]}
    router(built, scripts, {"small": Tariff.unknown()}, confidence="format")
    _, (call,) = await asked(built)
    assert call.facts.plain()["routing_unknown"]
    assert "routing_saved_nanousd" not in call.facts.plain()


async def test_a_price_of_nothing_that_somebody_set_is_known(house: Any) -> None:
    built: House = house()
    scripts: dict[str, Script] = {"small": lambda _: ["Four"], "large": lambda _: ["4"]}
    router(built, scripts, {"large": Tariff.fixed(Price())}, confidence="format")
    _, (call,) = await asked(built)
    assert call.facts.plain()["routing_saved_nanousd"] == -call.facts.plain()["cost_nanousd"] < 0


async def test_one_model_alone_routes_nothing(house: Any) -> None:
    built: House = house()
    router(built, {"large": lambda _: ["4"]}, small="large")
    _, (call,) = await asked(built)
    assert not {"routed", "routing_saved_nanousd", "routing_unknown"} & call.facts.plain().keys()


async def test_a_weak_answer_in_the_place_of_a_large_one_that_failed(house: Any) -> None:
    built: House = house()

    def fails(_: Any) -> list[Any]:
        return [EngineError("down")]

    router(built, {"small": lambda _: UNSURE, "large": fails}, confidence="format")
    answer, calls = await asked(built)
    assert answer.text == "".join(UNSURE)
    small = next(call for call in calls if call.facts.plain()["model"] == "small")
    assert (
        small.facts.plain()["routing_saved_nanousd"] == LARGE.cost(usage(small)) - small.facts.plain()["cost_nanousd"]
    )
    assert [call.facts.plain()["model"] for call in calls if call.facts.plain().get("routed")] == ["small"]


async def test_where_nobody_answers_what_was_tried_is_a_loss(house: Any) -> None:
    built: House = house()

    def fails(_: Any) -> list[Any]:
        return [EngineError("down")]

    router(built, {"small": lambda _: ["", EngineError("down")], "large": fails}, confidence="format")
    with pytest.raises(EngineError):
        await asked(built)
    calls = built.events.of("call")
    assert {call.facts.plain()["model"] for call in calls} == {"small", "large"}
    assert saved(calls) == -sum(call.facts.plain()["cost_nanousd"] for call in calls)
    assert not [call for call in calls if "routed" in call.facts.plain()]


async def test_who_leaves_early_has_saved_on_what_was_written(house: Any) -> None:
    built: House = house()
    rules = (RouteRule(use="small", words=("two",)),)
    words = ["word "] * 50
    router(built, {"small": lambda _: words, "large": lambda _: ["4"]}, rules=rules, policy="rules")
    response = await built.open("two and two?", model="auto", sampling=Sampling(temperature=0.5))
    async for _ in response:
        break
    await response.aclose()
    (call,) = built.events.of("call")
    assert call.facts.plain()["error"] == "cancelled"
    assert (
        call.facts.plain()["routing_saved_nanousd"] == LARGE.cost(usage(call)) - call.facts.plain()["cost_nanousd"] > 0
    )


async def test_decisions_of_one_request_at_once_are_kept_apart(house: Any) -> None:
    built: House = house()
    texts = iter([["Four"], UNSURE, ["Five"]])
    made = router(built, {"small": lambda _: next(texts), "large": lambda _: ["4"]}, confidence="format")
    context = visitor()

    async def one() -> None:
        await collect(await made.respond(asking(), context))

    await asyncio.gather(one(), one(), one())
    calls = list(context.settlement.records)
    assert len({call.facts.plain()["route"]["id"] for call in calls}) == 3
    assert len([call for call in calls if call.facts.plain().get("routed")]) == 3
    would = sum(LARGE.cost(usage(call)) for call in calls if call.facts.plain().get("routed"))
    assert saved(calls) == would - sum(call.facts.plain()["cost_nanousd"] for call in calls)
