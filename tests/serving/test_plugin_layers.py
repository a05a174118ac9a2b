"""What plugins add to the rings: guards that a policy asks, and layers beside others."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from mainspring.core import plugins
from mainspring.core.errors import GuardRefused, SettingsError
from mainspring.core.path import Layer, collect
from mainspring.core.settings import GuardsSettings, Settings
from mainspring.core.types import ChatRequest, Context, Message, Request, Responder, Response, Text
from mainspring.engines.chat.responder import ModelResponder
from mainspring.guards.policy.policies import GuardPolicy
from mainspring.guards.policy.scanners import GUARD, Found, make_guards, version
from mainspring.serving.admit.rate_limits import Limits
from mainspring.serving.guard.finished_text import FinishedTextRedactor
from mainspring.serving.plugin_layers import PluginLayer, placed
from mainspring.serving.ring.compose import request_ring
from mainspring.serving.ring.registry import Registry
from tests.serving.house import House, visitor

PASSED: list[str] = []


class Noted(Layer):
    """Notes that a request passed, and what it passed to."""

    async def respond(self, request: Request, context: Context) -> Response:
        PASSED.append(getattr(self.inner, "_name", type(self.inner).__name__))
        return await super().respond(request, context)


class Loud:
    """Finds texts in capitals."""

    version = "1"

    async def scan(self, text: str, role: str) -> Sequence[Found]:
        return [Found("shouting", sum(each.isupper() for each in text.split()))] if text.isupper() else []


class Lowered:
    """Words in capitals in small letters; a word waits until it is whole."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._held = ""

    def push(self, text: str) -> str:
        *whole, self._held = re.split(r"(?<=\s)", self._held + text)
        return "".join(map(self._calm, whole))

    def flush(self) -> str:
        held, self._held = self._held, ""
        return self._calm(held)

    def _calm(self, word: str) -> str:
        if len(word) < 4 or not word.isupper():
            return word
        self.counts["shouting"] += 1
        return word.lower()


class Calm(Loud):
    """Looks at answers too."""

    def answer(self) -> Lowered:
        return Lowered()


def ring_of(house: House, **more: Any) -> Responder:
    services = dataclasses.replace(house.services, **more)
    return request_ring(services, house.registry, Limits.of(services.settings.serving))


async def ask(ring: Responder, *messages: Message) -> str:
    return (await collect(await ring.respond(ChatRequest("chat", messages), visitor()))).text


def policy(action: str) -> GuardPolicy:
    return GuardPolicy.of(GuardsSettings.model_validate({"plugins": {"loud": action}}))


async def test_a_guard_of_a_plugin_refuses_what_it_finds() -> None:
    house = House({"": ["Hello."]})
    ring = ring_of(house, policy=policy("refuse"), scanners={"loud": Loud()})
    assert await ask(ring, Message("user", "Hello there")) == "Hello."
    with pytest.raises(GuardRefused, match="contains shouting"):
        await ask(ring, Message("user", "HELLO THERE"))
    (event,) = house.events.appended
    assert event.facts.plain()["guard"] == "loud"
    assert (event.facts.plain()["action"], event.facts.plain()["kind"], event.facts.plain()["count"]) == (
        "refuse",
        "shouting",
        2,
    )


SHOUTED = ["We ", "are CLO", "SED to", "day, ALWAYS."]


@pytest.mark.parametrize(
    ("action", "shown", "noted"),
    [
        ("refuse", "We are closed today, always.", [("loud", "redact", "shouting", 2, "output")]),
        ("flag", "".join(SHOUTED), [("loud", "flag", "shouting", 2, "output")]),
        ("off", "".join(SHOUTED), []),
    ],
)
async def test_a_guard_of_a_plugin_looks_at_answers(action: str, shown: str, noted: list[tuple[Any, ...]]) -> None:
    house = House({"": SHOUTED})
    ring = ring_of(house, policy=policy(action), scanners={"loud": Calm()} if action != "off" else {})
    response = await ring.respond(ChatRequest("chat", (Message("user", "Hello there"),)), visitor())
    pieces = [event.text async for event in response if isinstance(event, Text)]
    assert "".join(pieces) == shown
    assert any("CLO" in piece for piece in pieces) == (action != "refuse")
    await house.background.close()
    facts = [each.facts.plain() for each in house.events.of("guard")]
    assert [tuple(each[key] for key in ("guard", "action", "kind", "count", "stage")) for each in facts] == noted


def test_a_guard_of_a_plugin_looks_at_what_a_search_shows() -> None:
    house, context = House({}), visitor()
    redactor = FinishedTextRedactor(policy("refuse"), house.metrics, {"loud": Calm()}, context)
    assert redactor("We are CLOSED") == "We are closed"
    redactor.note()
    (record,) = context.settlement.records
    facts = record.facts.plain()
    assert (facts["guard"], facts["action"], facts["kind"], facts["role"]) == ("loud", "redact", "shouting", "search")


async def test_answers_are_not_given_to_a_guard_that_does_not_ask_for_them() -> None:
    house = House({"": SHOUTED})
    ring = ring_of(house, policy=policy("refuse"), scanners={"loud": Loud()})
    assert await ask(ring, Message("user", "Hello there")) == "".join(SHOUTED)


def test_stored_answers_depend_on_the_guards_that_looked_at_them() -> None:
    later = Calm()
    later.version = "2"
    versions = [version("p", {"loud": each}) for each in (Loud(), Calm(), later)]
    assert versions == ["p", "p+loud=1", "p+loud=2"]


async def test_what_tools_return_is_flagged_at_most() -> None:
    house = House({"": ["Hello."]})
    ring = ring_of(house, policy=policy("refuse"), scanners={"loud": Loud()})
    assert await ask(ring, Message("user", "Look it up"), Message("tool", "ALL SOLD OUT", tool_call_id="1"))
    assert [each.facts.plain()["action"] for each in house.events.of("guard")] == ["flag"]


async def test_a_policy_that_leaves_a_guard_off_does_not_ask_it() -> None:
    house = House({"": ["Hello."]})
    ring = ring_of(house, policy=policy("off"), scanners={})
    assert await ask(ring, Message("user", "HELLO THERE")) == "Hello."


def test_the_version_of_a_policy_tells_of_its_plugins() -> None:
    assert len({policy("refuse").version, policy("flag").version, GuardPolicy().version}) == 3


def test_guards_that_no_policy_asks_are_not_made_and_unknown_ones_are_reported() -> None:
    registry = plugins.Registry()
    registry.add(GUARD, "loud", lambda host: Loud())
    registry.add(GUARD, "unused", lambda host: 1 / 0)  # type: ignore[arg-type, return-value]
    asked = GuardsSettings.model_validate(
        {"plugins": {"loud": "off"}, "policies": {"strict": {"applications": ["a"], "plugins": {"loud": "refuse"}}}}
    )
    assert list(make_guards(registry, asked, None)) == ["loud"]  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"no guard named 'lud'.*guards\.plugins.*Did you mean loud"):
        make_guards(registry, GuardsSettings.model_validate({"plugins": {"lud": "flag"}}), None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("place", "inner"),
    [({"after": "Record"}, "Attend"), ({"before": "GuardInput"}, "GuardInput"), ({"after": "Trace"}, "Fits")],
)
async def test_a_layer_of_a_plugin_stands_beside_the_one_that_it_names(place: dict[str, str], inner: str) -> None:
    PASSED.clear()
    house = House({"": ["Hello."]}, cache_responses=False)
    ring = ring_of(house, plugin_layers=(PluginLayer(Noted, **place),))  # type: ignore[arg-type]
    assert await ask(ring, Message("user", "Hello")) == "Hello."
    assert [inner] == PASSED


async def test_a_layer_of_the_call_ring_sees_every_call() -> None:
    PASSED.clear()
    house = House({"": ["Hello."]})
    house.services = dataclasses.replace(
        house.services, plugin_layers=(PluginLayer(Noted, ring="call", before="Retry"),)
    )
    house.registry = Registry()
    house.serve("chat", ModelResponder(house.engine, model_name="chat", fingerprint="weights-1"))
    assert await ask(ring_of(house), Message("user", "Hello")) == "Hello."
    assert PASSED == ["Retry"]


def test_layers_are_in_their_places_and_an_unknown_place_is_reported() -> None:
    class One(Layer): ...

    class Two(Layer): ...

    assert placed([One, Two], (), "request") == [One, Two]
    assert placed([One, Two], (PluginLayer(Noted, after="One"),), "request") == [One, Noted, Two]
    assert placed([One, Two], (PluginLayer(Noted, before="One"),), "request") == [Noted, One, Two]
    assert placed([One, Two], (PluginLayer(Noted, "call", before="One"),), "request") == [One, Two]
    with pytest.raises(SettingsError, match=r"beside Tow, which the request ring does not have.*Did you mean Two"):
        placed([One, Two], (PluginLayer(Noted, after="Tow"),), "request")


def test_settings_name_what_is_done() -> None:
    with pytest.raises(ValueError, match=r"guards\.plugins\.loud"):
        Settings.model_validate({"guards": {"plugins": {"loud": "shout"}}})
