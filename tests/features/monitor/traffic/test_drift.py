"""Drift of counts, by feature: exactly the changed features are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.features.monitor.visitors import HOUR, Shape, World, world
from tests.serving.talk import WordVectors

# Hours of traffic: seconds for each.
pytestmark = pytest.mark.slow

SETTINGS: dict[str, Any] = {"drift": {"window_s": 2 * HOUR, "least": 100, "reference_least": 200}}
USUAL = [f"how long is the warranty on the {thing}" for thing in ("grinder", "kettle", "scale", "boiler", "pump")]
OTHER = [f"prove that every {thing} has a square root" for thing in ("matrix", "group", "field", "number", "ring")]
SHIFTS = {
    "input": Shape(prompt=150),
    "output": Shape(answer=250),
    "score": Shape(evidence=0.35),
    "unanswered": Shape(unanswered=0.6),
}


async def firing(here: World) -> set[str]:
    """The features that a firing alert of drift names as wrong."""
    alerts = [alert for alert in await here.alerts() if alert.rule == "drift" and alert.state == "firing"]
    assert len(alerts) <= 1
    return {signal["name"].split()[0] for alert in alerts for signal in alert.details["signals"] if signal["wrong"]}


@pytest.mark.parametrize("name", SHIFTS)
async def test_what_has_moved_is_named(tmp_path: Path, name: str) -> None:
    async with world(tmp_path / "home", **SETTINGS, quality={"enabled": False}) as here:
        await here.run(8 * HOUR, every=600, rate=4)
        assert await here.rules() == []
        await here.run(3 * HOUR, SHIFTS[name], every=600, rate=4)
        found = await firing(here)
        # The evidence is of the scores, and either may be the first to say so.
        assert found
        assert found <= ({"score", "evidence"} if name == "score" else {name})


async def test_questions_of_another_kind_are_seen_by_their_vectors(tmp_path: Path) -> None:
    drift = {**SETTINGS["drift"], "block": 10, "embed_per_hour": 10_000}
    async with world(tmp_path / "home", WordVectors(), drift=drift) as here:
        await here.run(6 * HOUR, Shape(questions=USUAL), every=600, rate=4)
        assert await here.rules() == []
        await here.run(3 * HOUR, Shape(questions=OTHER), every=600, rate=4)
        assert await firing(here) == {"questions"}


async def test_no_question_is_kept(tmp_path: Path) -> None:
    drift = {**SETTINGS["drift"], "block": 10, "embed_per_hour": 10_000}
    async with world(tmp_path / "home", WordVectors(), drift=drift) as here:
        await here.run(HOUR, Shape(questions=USUAL), every=600, rate=4)
        rows = await here.monitor._tallies.load(60, 0)
        assert sum(len(row.counted.get("b", ())) for row in rows) >= 4
        assert "warranty" not in repr(rows)


async def test_drift_lasts_until_it_is_accepted(tmp_path: Path) -> None:
    async with world(tmp_path / "home", **SETTINGS) as here:
        await here.run(8 * HOUR, every=600, rate=4)
        await here.run(6 * HOUR, Shape(answer=250), every=600, rate=4)
        # It is no reference of itself, however long it lasts.
        assert await firing(here) == {"output"}
        (shown,) = await here.monitor.drift("acme")
        assert shown["state"] == "drifted"
        assert [each["name"] for each in shown["features"] if each["drifted"]] == ["output", "output"]
        await here.monitor.accept("acme", "support")
        await here.run(HOUR, Shape(answer=250), every=600, rate=4)
        assert await here.rules() == [("drift", "support", "resolved")]
        (shown,) = await here.monitor.drift("acme")
        assert shown["state"] == "learning"
        await here.run(6 * HOUR, Shape(answer=250), every=600, rate=4)
        (shown,) = await here.monitor.drift("acme")
        assert shown["state"] == "stable"


async def test_little_traffic_says_nothing(tmp_path: Path) -> None:
    async with world(tmp_path / "home", **SETTINGS) as here:
        await here.run(8 * HOUR, every=600, rate=0.4)
        await here.run(2 * HOUR, Shape(answer=400), every=600, rate=0.4)
        assert await here.rules() == []
