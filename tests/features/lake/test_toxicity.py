"""Insults and hate are dropped: what guards saw, and what their detector sees."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainspring.core.errors import ModelNotPulled
from mainspring.core.facts.guards import GuardFacts
from mainspring.features.lake.steps import toxicity
from mainspring.features.lake.steps.options import BuildSettings
from mainspring.guards.detect import embedding_detector
from tests.features.lake.test_building import built, step
from tests.features.lake.world import World

RUDE = "You are a worthless idiot and everybody hates you."


def seen(guard: str, action: str, kind: str = "toxicity", stage: str = "output") -> GuardFacts:
    return GuardFacts.from_json({"guard": guard, "kind": kind, "action": action, "stage": stage, "count": 1})


@pytest.mark.parametrize(
    ("guard", "action", "drops"),
    [
        ("answer", "flag", True),
        ("answer", "redact", True),
        ("toxicity_detector", "flag", True),
        # The answer that is kept is another one.
        ("answer", "retry", False),
    ],
)
async def test_what_guards_saw_counts(world: World, guard: str, action: str, drops: bool) -> None:
    said = await world.say("Is this a question?", more=[seen(guard, action)])
    found = step(await built(world), "toxicity")
    assert found["samples"] == ([said] if drops else [])
    assert found["reasons"] == ({"a guard said so": 1} if drops else {})


async def test_other_findings_in_answers_do_not_count(world: World) -> None:
    await world.say("Is this a question?", more=[seen("answer", "flag", "relevancy")])
    assert step(await built(world), "toxicity")["dropped"] == 0


@pytest.mark.parametrize("guard", ["injection_words", "injection_detector", "conversation_rules"])
async def test_attacks_that_any_guard_of_questions_saw_count(world: World, guard: str) -> None:
    said = await world.say("Is this a question?", more=[seen(guard, "flag", "injection", "input")])
    assert step(await built(world), "jailbreaks")["samples"] == [said]


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The detector finds texts with the word idiot; what it reads, by call."""
    read: list[list[str]] = []
    head = embedding_detector.packaged().heads["toxicity"]

    def vectors(wanted: Sequence[str], _: Any) -> Any:
        read.append(list(wanted))
        sign = np.array([20.0 if "idiot" in each else -20.0 for each in wanted])
        return sign[:, None] * head.weights[None, :] / float(head.weights @ head.weights)

    monkeypatch.setattr(toxicity, "_vectors", vectors)
    monkeypatch.setattr(toxicity, "ready", lambda options, _: options)
    return read


async def test_the_detector_reads_questions_answers_and_corrections_once_each(
    world: World, reader: list[list[str]]
) -> None:
    first = await world.say(RUDE, "I am sorry.")
    second = await world.say("What do you say?", f"The sun is out. {RUDE} It is warm.")
    third = await world.say("What else?", "Nothing at all.")
    await world.think(third, edit=f"It is late. {RUDE}")
    await world.say("And now?", "The sun is out. I am sorry.")
    report = await built(world, toxicity="detector", without=["near_duplicates"])
    found = step(report, "toxicity")
    assert (sorted(found["samples"]), report["ready"]) == (sorted([first, second, third]), 1)
    assert found["reasons"] == {"detector": 3}
    (read,) = reader
    assert sorted(read) == sorted(set(read))
    assert {"The sun is out.", RUDE, "It is warm.", "And now?"} <= set(read)


async def test_without_the_setting_nothing_is_read(world: World, reader: list[list[str]]) -> None:
    await world.say(RUDE, "I am sorry.")
    assert step(await built(world), "toxicity")["dropped"] == 0
    assert reader == []


async def test_a_laxer_threshold_finds_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    head = embedding_detector.packaged().heads["toxicity"]
    # A chance of .85: below the fitted threshold.
    at = (np.log(0.85 / 0.15) - head.bias) / float(head.weights @ head.weights)
    monkeypatch.setattr(toxicity, "_vectors", lambda wanted, _: np.tile(at * head.weights, (len(wanted), 1)))
    monkeypatch.setattr(toxicity, "ready", lambda options, _: options)
    await world.say("Is this a question?")
    assert step(await built(world, toxicity="detector"), "toxicity")["dropped"] == 0
    assert step(await built(world, toxicity="detector", toxicity_above=0.8), "toxicity")["dropped"] == 1


async def test_a_model_that_is_not_pulled_is_named_with_the_setting(world: World, tmp_path: Path) -> None:
    settings = world.settings.model_copy(
        update={"models": world.settings.models.model_copy(update={"directory": tmp_path / "none"})}
    )
    there = World(world.stores, world.settings.home)
    there.lake = type(there.lake)(settings, world.stores)
    with pytest.raises(ModelNotPulled, match=r"lake\.build\.toxicity: model all-minilm-l6-v2"):
        await there.lake.building.build("acme", options=BuildSettings(toxicity="detector"))
    # The step is left out: no model is needed.
    await there.lake.building.build("acme", options=BuildSettings(toxicity="detector", without=["toxicity"], workers=0))


@pytest.mark.slow
async def test_child_processes_read_with_the_real_model_and_find_the_same(world: World) -> None:
    bad = await world.say(RUDE, "I am sorry.")
    other = await world.say("What do you say?", f"The sun is out. {RUDE} It is warm.")
    await world.say("Where is the sun?", "It is behind the clouds.")
    one = await built(world, toxicity="detector", toxicity_above=0.8)
    two = await built(world, toxicity="detector", toxicity_above=0.8, workers=1)
    found = step(one, "toxicity")
    assert (sorted(found["samples"]), found["reasons"]) == (sorted([bad, other]), {"detector": 2})
    assert one["steps"] == two["steps"]
