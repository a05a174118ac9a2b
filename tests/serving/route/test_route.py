"""Routes: split, canary, shadow and fallback, within the whole request ring."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, cast

import pytest

from mainspring.core.errors import (
    EngineDied,
    InvalidRequest,
    Overloaded,
    PromptTooLong,
    RateLimited,
    StoreError,
    UpstreamError,
)
from mainspring.core.path import collect
from mainspring.core.settings.serving.routing import RouteSettings, problem
from mainspring.core.types import Allowance, ChatRequest, Context, Message, Responder
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import Script, ScriptedEngine
from mainspring.serving.money.pricing import Price
from mainspring.serving.ring.compose import call_ring, shown_ring
from mainspring.serving.ring.registry import Served
from mainspring.serving.route.retry import Retry
from mainspring.serving.route.route import Route
from mainspring.serving.route.shadow import Shadows
from tests.serving.house import GREEDY, Build, House, visitor
from tests.serving.stubs import Counts


class Models:
    """Scripted models a, b, c within their call rings, and a route ``r`` over them, in a house."""

    def __init__(self, home: House, scripts: dict[str, Script], **settings: Any) -> None:
        self.home = home
        self.counts = Counts()
        self.engines = {name: ScriptedEngine(script, name=name, templates=True) for name, script in scripts.items()}
        models: dict[str, Responder] = {
            name: call_ring(
                home.services,
                ModelResponder(engine, model_name=name, fingerprint=f"weights of {name}"),
                model=name,
                provider="scripted",
                price=Price.per_million(1.0, 1.0),
            )
            for name, engine in self.engines.items()
        }
        self.shadows = Shadows(home.events, self.counts)
        shown = {name: shown_ring(home.services, model) for name, model in models.items()}
        self.route = Route("r", RouteSettings.model_validate(settings), models, self.counts, self.shadows, shown)
        home.registry.add(Served("r", "chat", self.route))

    async def ask(self, context: Context | None = None, **fields: Any) -> Any:
        return await self.home.ask("Hello", context, model="r", **fields)

    async def shadowed(self) -> None:
        while tasks := [task for running in self.shadows._running.values() for task in running]:
            await asyncio.wait(tasks)


def says(*words: str) -> Script:
    return lambda _: list(words)


def fails(error: Exception) -> Script:
    return lambda _: [error]


STABLE_AND_CANARY = {"stable": {"model": "a", "weight": 1}, "canary": {"model": "b", "weight": 1}}


async def test_a_session_stays_with_its_arm(house: Build) -> None:
    models = Models(house(), {"a": says("A"), "b": says("B")}, arms=STABLE_AND_CANARY)
    seen = set()
    for session in range(12):
        texts = {(await models.ask(session_id=str(session))).text for _ in range(3)}
        assert len(texts) == 1
        seen |= texts
    assert seen == {"A", "B"}


async def test_the_arm_is_in_head_events_and_metrics(house: Build) -> None:
    home = house()
    models = Models(home, {"a": says("A"), "b": says("B")}, arms={"canary": {"model": "b"}})
    answer = await models.ask()
    assert (answer.head.arm, answer.head.model, answer.text) == ("canary", "b", "B")
    (call,), (said,) = home.events.of("call"), home.events.of("answer")
    assert call.facts.plain()["arms"] == {"r": "canary"}
    assert call.facts.plain()["model"] == "b"
    assert said.facts.plain()["arm"] == "canary"
    assert said.facts.plain()["requested"] == "r"
    assert models.counts.arms == {("canary", ""): 1}


async def test_arms_and_shadows_of_one_model_are_measured_apart(house: Build) -> None:
    home = house()
    models = Models(
        home,
        {"a": says("one", " two", " three")},
        arms={"stable": {"model": "a", "weight": 1}, "canary": {"model": "a", "weight": 1}},
        sticky="request",
        shadows={"trial": {"model": "a"}},
    )
    shown = [(await models.ask()).head.arm for _ in range(12)]
    await models.shadowed()
    assert set(shown) == {"stable", "canary"}
    found = home.metrics.arm_calls
    assert Counter(arm for _, arm, _, _ in found) == Counter(shown) + Counter(trial=12)
    assert {(route, usage.completion_tokens, code) for route, _, usage, code in found} == {("r", 3, "")}
    assert all(usage.cost_nanousd for _, _, usage, _ in found)


async def test_a_call_of_an_arm_that_breaks_off_is_counted_as_that_arms(house: Build) -> None:
    home = house(retries=0)
    models = Models(home, {"b": lambda _: ["word", EngineDied("gone")]}, arms={"canary": {"model": "b"}})
    with pytest.raises(EngineDied):
        await models.ask()
    assert [(arm, code) for _, arm, _, code in home.metrics.arm_calls] == [("canary", "engine_died")]


@pytest.mark.parametrize("name", ["shadow", "hedge"])
def test_a_route_cannot_have_the_name_of_a_mark(name: str) -> None:
    routes = {name: RouteSettings.model_validate({"arms": {"main": {"model": "a"}}})}
    assert "another name" in problem(routes, ["a"])
    assert not problem({"other": routes[name]}, ["a"])


async def test_one_arms_answer_is_never_cached_as_anothers(house: Build) -> None:
    models = Models(house(), {"a": says("A"), "b": says("B")}, arms=STABLE_AND_CANARY)
    for user in range(12):
        answer = await models.ask(user=str(user), sampling=GREEDY)
        assert answer.text == {"stable": "A", "canary": "B"}[answer.head.arm]
    # One generation an arm: everybody else got it from the cache.
    assert [len(engine.seen) for engine in models.engines.values()] == [1, 1]


async def test_an_unknown_arm_costs_nothing(house: Build) -> None:
    models = Models(house(), {"a": says("A"), "b": says("B")}, arms=STABLE_AND_CANARY)
    request = ChatRequest("r", (Message("user", "Hello"),))
    context = visitor()
    assert models.route.fingerprint(request, context) == models.route.fingerprint(request, context)
    assert not models.engines["a"].seen


@pytest.mark.parametrize(
    "error", [EngineDied("gone"), Overloaded("full", retry_after=9), RateLimited("slow down")], ids=lambda e: e.code
)
async def test_another_model_answers_for_one_that_cannot(house: Build, error: Exception) -> None:
    home = house(retries=0)
    models = Models(
        home,
        {"a": fails(error), "b": fails(EngineDied("gone too")), "c": says("C")},
        arms={"main": {"model": "a"}},
        fallback=["b", "c"],
    )
    answer = await models.ask(sampling=GREEDY)
    assert (answer.text, answer.head.model, answer.head.instead) == ("C", "c", "a")
    code = error.code  # type: ignore[attr-defined]
    assert models.counts.fallbacks == [("a", "b", code), ("a", "c", code)]
    assert home.events.of("answer")[0].facts.plain()["instead"] == "a"
    # What a substitute said is not what the model would have said.
    assert not home.answers.values


async def test_a_fallback_is_asked_at_once_and_the_last_one_is_tried_again(
    house: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(Retry.__init__, "__kwdefaults__", {**(Retry.__init__.__kwdefaults__ or {}), "sleep": sleep})
    again = UpstreamError("a answered 503", retry_after=1.5)
    home = house(retries=2)
    models = Models(
        home, {"a": fails(again), "b": fails(again), "c": says("C")}, arms={"main": {"model": "a"}}, fallback=["b", "c"]
    )
    answer = await models.ask(sampling=GREEDY)
    assert (answer.text, answer.head.instead) == ("C", "a")
    assert [len(models.engines[name].seen) for name in "abc"] == [1, 1, 1]
    # Alone, the same model makes its caller wait for what it asked, twice: three seconds.
    assert waited == []
    alone = Models(house(retries=2), {"a": fails(again)}, arms={"main": {"model": "a"}})
    with pytest.raises(UpstreamError):
        await alone.ask(sampling=GREEDY)
    assert sum(waited) == 3.0
    # Behind the last of a chain there is nobody.
    waited.clear()
    end = Models(
        house(retries=2), {"a": fails(again), "b": fails(again)}, arms={"main": {"model": "a"}}, fallback=["b"]
    )
    with pytest.raises(UpstreamError):
        await end.ask(sampling=GREEDY)
    assert [len(end.engines[name].seen) for name in "ab"] == [1, 3]


async def test_the_first_failure_is_told_where_all_fail(house: Build) -> None:
    models = Models(
        house(retries=0),
        {"a": fails(EngineDied("a is gone", retry_after=3)), "b": fails(Overloaded("full"))},
        arms={"main": {"model": "a"}},
        fallback=["b"],
    )
    with pytest.raises(EngineDied, match=r"a is gone\. \(Fallbacks failed too: b: overloaded\)") as caught:
        await models.ask()
    assert caught.value.retry_after == 3


async def test_a_long_prompt_goes_to_a_longer_window(house: Build) -> None:
    models = Models(
        house(),
        {"a": fails(PromptTooLong("too long")), "b": says("B"), "c": says("C")},
        arms={"main": {"model": "a"}},
        fallback=["b"],
        context_fallback=["c"],
    )
    assert (await models.ask()).text == "C"


@pytest.mark.parametrize("error", [InvalidRequest("bad", param="top_k"), PromptTooLong("too long")])
async def test_the_callers_mistake_goes_nowhere_else(house: Build, error: Exception) -> None:
    models = Models(house(), {"a": fails(error), "b": says("B")}, arms={"main": {"model": "a"}}, fallback=["b"])
    with pytest.raises(type(error)):
        await models.ask()
    assert not models.engines["b"].seen


async def test_a_spent_allowance_goes_nowhere_else(house: Build) -> None:
    models = Models(house(), {"a": says("A"), "b": says("B")}, arms={"main": {"model": "a"}}, fallback=["b"])
    with pytest.raises(RateLimited):
        await models.ask(visitor(allowance=Allowance(steps=0)))
    assert not models.counts.fallbacks


async def test_nothing_is_answered_twice_after_the_first_word(house: Build) -> None:
    models = Models(house(), {"a": says("One"), "b": says("B")}, arms={"main": {"model": "a"}}, fallback=["b"])
    models.engines["a"].script = lambda _: ["One", EngineDied("gone")]
    with pytest.raises(EngineDied):
        await models.ask()
    assert not models.engines["b"].seen


async def test_a_shadow_is_recorded_and_never_shown_or_charged(house: Build) -> None:
    home = house()
    models = Models(
        home,
        {"a": says("A"), "b": says("The", " other", " way", ".")},
        arms={"main": {"model": "a"}},
        shadows={"trial": {"model": "b"}},
    )
    context = visitor()
    answer = await models.ask(context)
    assert answer.text == "A"
    await models.shadowed()
    assert context.allowance.spent.completion_tokens == 1
    assert [record.facts.plain()["model"] for record in home.events.of("call")] == ["a"]
    (copy,) = [record for record in home.events.appended if record.kind == "call"]
    assert copy.content == "The other way."
    assert copy.facts.plain()["arms"] == {"r": "trial", "shadow": "trial"}
    assert copy.facts.plain()["charged"] == "no"
    assert copy.facts.plain()["completion_tokens"] == 4
    assert copy.facts.plain()["cost_nanousd"] > 0
    assert copy.trace_id == context.trace.trace_id
    assert models.counts.shadows == {("trial", ""): 1}
    assert models.engines["b"].seen[0].priority < models.engines["a"].seen[0].priority


async def test_a_shadow_keeps_no_text_that_shall_not_be_stored(house: Build) -> None:
    home = house()
    models = Models(
        home, {"a": says("A"), "b": says("B")}, arms={"main": {"model": "a"}}, shadows={"trial": {"model": "b"}}
    )
    await models.ask(store=False)
    await models.shadowed()
    assert [record.content for record in home.events.appended if record.kind == "call"] == [None]


async def test_shadows_are_bounded_and_hold_nobody_up(house: Build) -> None:
    gate = asyncio.Event()
    models = Models(
        house(),
        {"a": says("A"), "b": lambda _: [gate, "B"]},
        arms={"main": {"model": "a"}},
        shadows={"trial": {"model": "b", "concurrency": 2}},
    )
    for _ in range(5):
        assert (await models.ask()).text == "A"
    assert models.counts.shadows == {("trial", "busy"): 3}
    await models.shadows.close()
    assert models.counts.shadows["trial", "cancelled"] == 2
    assert models.engines["b"].live == 0


async def test_a_shadow_that_fails_harms_nobody(house: Build) -> None:
    models = Models(
        house(retries=0),
        {"a": says("A"), "b": fails(EngineDied("gone"))},
        arms={"main": {"model": "a"}},
        shadows={"trial": {"model": "b"}},
    )
    assert (await models.ask()).text == "A"
    await models.shadowed()
    assert models.counts.shadows == {("trial", "engine_died"): 1}


class ShutPurse:
    """Its database is away."""

    async def hold(self, *_: Any) -> None:
        raise StoreError("away")

    def done(self, _: Context) -> None: ...


async def test_a_copy_whose_payment_cannot_be_held_is_counted_by_why(house: Build) -> None:
    models = Models(
        house(),
        {"a": says("A"), "b": says("B")},
        arms={"main": {"model": "a"}},
        shadows={"trial": {"model": "b", "recorded": True}},
    )
    models.shadows._purse = cast(Any, ShutPurse())
    assert (await models.ask()).text == "A"
    await models.shadowed()
    assert models.counts.shadows == {("trial", StoreError("").code): 1}
    assert not models.engines["b"].seen


async def test_inner_calls_of_applications_are_not_copied(house: Build) -> None:
    models = Models(
        house(), {"a": says("A"), "b": says("B")}, arms={"main": {"model": "a"}}, shadows={"trial": {"model": "b"}}
    )
    request = ChatRequest("r", (Message("user", "Hello"),))
    assert (await collect(await models.route.respond(request, visitor().nested()))).text == "A"
    assert not models.engines["b"].seen
