"""Other weights and thresholds of ``auto`` come in by the door: refused with a reason, tried, promoted and undone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Principal
from mainspring.features.variants.service import Variants
from mainspring.serving.route.auto.classifier import JudgedPrompt, fit
from mainspring.training.ports import Candidate
from tests.features.variants.test_door import ask, repeating
from tests.world import World, opened, use_engines

ADMIN = Principal("default", "root", frozenset({"admin"}))


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    use_engines(monkeypatch, repeating("small", "large"))
    async with opened(tmp_path) as found:
        yield found


def weights(world: World, folder: Path, *, good: bool, model: str = "small") -> dict[str, Any]:
    """A classifier that thinks all of ``small``, or nothing."""
    embedder = world.system.rooms.engines.embedder
    draw = np.random.default_rng(1)
    rows = [
        JudgedPrompt(draw.normal(size=embedder.dimensions), "Hello?", good if number else not good)
        for number in range(20)
    ]
    fit(rows, embedder=embedder.name, model=model).save(folder / "router.json")
    found: dict[str, Any] = json.loads((folder / "router.json").read_text())
    return found


async def answered_by(world: World, name: str = "auto") -> str:
    given = {"model": name, "messages": [{"role": "user", "content": "Hello?"}], "options": {"cache": False}}
    answer = await world.call(world.keys["red"], "POST", "/v1/chat/completions", given)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-mainspring-route"])


async def test_weights_are_tried_promoted_and_undone(world: World, tmp_path: Path) -> None:
    door = world.system.services[Variants]
    # As shipped, nothing is known of these two: the large one answers.
    assert "model=large; by=off" in await answered_by(world)
    trusting = Candidate("router", "auto", {"weights": weights(world, tmp_path, good=True)})
    name = await door.admit(ADMIN, trusting)
    assert "model=small; by=classifier" in await answered_by(world, name)
    assert "by=off" in await answered_by(world)
    placed = await door.canary(ADMIN, trusting, 0.5)
    assert (placed.stage, placed.share) == ("canary", 0.5)
    seen = {
        (arm, variant)
        for number in range(30)
        for _, arm, variant in [await ask(world, world.keys["red"], "auto", user=f"u{number}")]
    }
    assert seen == {("current", ""), ("candidate", trusting.id)}
    await door.promote(ADMIN, trusting)
    assert "model=small; by=classifier" in await answered_by(world)
    # Others are answered as the settings say.
    body = {"model": "auto", "messages": [{"role": "user", "content": "Hello?"}]}
    other = await world.call(world.keys["stranger"], "POST", "/v1/chat/completions", body)
    assert "by=off" in other.headers["x-mainspring-route"]

    doubting = Candidate("router", "auto", {"weights": weights(world, tmp_path, good=False), "try_small_above": 0.9})
    await door.promote(ADMIN, doubting)
    assert "model=large; by=classifier" in await answered_by(world)
    await door.undo(ADMIN, "auto", "as it was")
    assert "model=small; by=classifier" in await answered_by(world)
    await door.withdraw(ADMIN, trusting, "no more")
    assert "by=off" in await answered_by(world)


async def test_a_policy_is_a_candidate_without_weights(world: World) -> None:
    door = world.system.services[Variants]
    rules = Candidate("router", "auto", {"policy": "rules"})
    await door.promote(ADMIN, rules)
    assert "model=small; by=default" in await answered_by(world)


@pytest.mark.parametrize(
    ("application", "value", "why"),
    [
        ("small", {"policy": "rules"}, "does not choose among models"),
        ("auto", {}, "give weights"),
        ("auto", {"weights": {"format": "other"}}, "not a classifier"),
        ("auto", {"policy": "classifier"}, "fitted"),
        ("auto", {"accept_above": 2}, "less than or equal to 1"),
        ("auto", {"policy": "hybrid", "sure_above": 0.1, "sure_below": 0.5}, "must not be above"),
    ],
)
async def test_what_cannot_choose_is_refused(world: World, application: str, value: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        await world.system.services[Variants].admit(ADMIN, Candidate("router", application, value))


async def test_weights_of_another_model_or_size_are_refused(world: World, tmp_path: Path) -> None:
    door = world.system.services[Variants]
    others = weights(world, tmp_path, good=True, model="large")
    with pytest.raises(InvalidRequest, match="fitted for large"):
        await door.admit(ADMIN, Candidate("router", "auto", {"weights": others}))
    short = weights(world, tmp_path, good=True)
    short |= {name: short[name][:-1] for name in ("weights", "mean", "scale")}
    with pytest.raises(InvalidRequest, match="do not fit embeddings"):
        await door.admit(ADMIN, Candidate("router", "auto", {"weights": short}))
