"""What people or the traffic took back does not come back by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mainspring.core.types import Context
from mainspring.features.improve.stages.campaign import Campaign
from mainspring.stores import Stores
from mainspring.stores.sql.pages import Page
from mainspring.training.ports import Candidate, Version
from tests.databases import opened, settings
from tests.features.improve.doubles import Said
from tests.features.improve.world import ADMIN, BETTER, WORSE, World

__all__ = ["opened", "settings"]


@pytest.fixture
def world(opened: Stores, tmp_path: Path) -> World:
    return World(opened, tmp_path)


def fixed(world: World) -> None:
    """The recipe makes the same of whatever data."""
    version = world.training.version

    async def same(tenant: str, label: str) -> Version:
        found = await version(tenant, label)
        return replace(found, made=replace(found.made, value={"recipe": "cheap", "limit": 0.3}))

    world.training.version = same  # type: ignore[method-assign]


async def again(world: World) -> Campaign:
    """The next campaign, which feedback begins."""
    await world.traffic(5_000 + len(await world.campaigns()) * 100, 10)
    await world.look()
    return await world.last()


async def test_what_the_watch_took_back_is_tried_again_with_new_data_alone(world: World) -> None:
    await world.set(after={"seconds": 3600}, cooldown_s=0)
    await world.traffic(0, 400, ups=0.8)
    await world.look()
    first = await world.last()
    await world.traffic(1000, 400, ups=0.5, variant=first.candidate_id)
    await world.look()
    assert (await world.campaigns())[-1].stage == "rolled back"
    # The feedback that begins it has nothing that an export takes.
    second = await again(world)
    assert second.id != first.id
    assert second.stage == "refused"
    assert second.reason.startswith(f"nothing is new since {first.id}, whose candidate was taken back: thumbs up: 0.50")
    assert (len(world.training.orders), world.door.count("promote")) == (1, 1)
    world.said.answers = ["ans_1", "ans_2", "ans_3"]
    assert (await again(world)).stage == "watching"
    assert world.door.count("promote") == 2


async def test_what_a_canary_refused_is_ordered_again_by_a_person(opened: Stores, tmp_path: Path) -> None:
    world = World(opened, tmp_path, Said(verdict=WORSE))
    await world.set(cooldown_s=0)
    first = await again(world)
    assert (first.stage, "was shown better" in first.reason) == ("refused", True)
    assert "nothing is new since" in (await again(world)).reason
    world.said.verdict = BETTER
    await world.improve.run(ADMIN, "docs", "root")
    await world.look()
    assert (await world.last()).stage == "promoted"


async def test_a_later_rung_of_what_a_person_ordered_is_tried_again_too(opened: Stores, tmp_path: Path) -> None:
    world = World(opened, tmp_path, Said(gain={"cheap": 0.0}, verdict=WORSE))
    await world.set(cooldown_s=0, rungs=[{"recipe": each, "kind": "prompt"} for each in ("cheap", "dear")])
    await again(world)
    world.said.verdict = BETTER
    assert "nothing is new since" in (await again(world)).reason
    await world.improve.run(ADMIN, "docs", "root")
    await world.look()
    assert (await world.last()).stage == "promoted"


async def test_what_examples_refused_is_compared_again(opened: Stores, tmp_path: Path) -> None:
    """Nobody took it back: the examples may be others by now."""
    world = World(opened, tmp_path, Said(gain={"cheap": 0.0}, verdict=BETTER))
    await world.set(cooldown_s=0)
    assert (await again(world)).stage == "refused"
    world.said.gain = {}
    assert (await again(world)).stage == "promoted"


async def test_another_version_of_a_data_set_is_new_data_if_its_rows_are(world: World) -> None:
    world.said.verdict = WORSE
    example = replace(world.sets.sets["edits"][0], sources=())
    world.sets.sets = {name: [replace(each, sources=()) for each in rows] for name, rows in world.sets.sets.items()}
    await world.set(data={"dataset": "edits", "least_rows": 10}, cooldown_s=0)
    assert "was shown better" in (await again(world)).reason
    assert "nothing is new since" in (await again(world)).reason
    world.sets.sets = {**world.sets.sets, "edits": [example] * 31}
    assert "was shown better" in (await again(world)).reason


@pytest.mark.parametrize("way", ["undo", "deny", "door"])
async def test_the_same_candidate_comes_back_by_order_alone_when_a_person_took_it_back(world: World, way: str) -> None:
    """New data say nothing about why the person did."""
    fixed(world)
    taken: list[Candidate] = []

    async def taken_back(tenant: str, candidate: Candidate, since: float) -> str:
        return "it is rude" if candidate in taken else ""

    world.door.taken_back = taken_back  # type: ignore[attr-defined]
    world.open()
    await world.set(cooldown_s=0, gate=way == "deny")
    first = await again(world)
    if way == "undo":
        await world.improve.undo(ADMIN, "docs", "it is rude")
    elif way == "deny":
        (asked,) = (await world.stores.approvals.page(ADMIN, Page(), "pending")).rows
        await world.stores.approvals.decide(Context(ADMIN), asked.id, approve=False, note="it is rude")
        await world.look()
    else:
        taken.append(first.made)
        await world.door.withdraw(ADMIN, first.made, "it is rude")
    world.said.answers = ["ans_1", "ans_2", "ans_3"]
    second = await again(world)
    assert (second.stage, second.id != first.id) == ("refused", True)
    assert second.reason.startswith(f"a person took the same candidate back in {first.id}: ")
    assert "it is rude" in second.reason
    taken.clear()
    await world.improve.run(ADMIN, "docs", "root")
    await world.look()
    assert (await world.last()).stage == ("waiting" if way == "deny" else "promoted")
