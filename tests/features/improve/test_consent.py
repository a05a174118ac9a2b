"""A campaign trains only on those examples of a data set whose sources all have the consent to learn."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mainspring import stores
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord, Message
from mainspring.evaluation.examples import Example
from tests.features.improve.doubles import Said
from tests.features.improve.test_folders import Slow
from tests.features.improve.world import ADMIN, BETTER, World, policy


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with stores.open(Settings(home=tmp_path)) as opened:
        made = World(opened, tmp_path, Said(verdict=BETTER))
        await made.set(data={"dataset": "edits", "least_rows": 10}, offline={**policy()["offline"], "dataset": "known"})
        made.sets.sets = {**made.sets.sets, "known": [replace(made.sets.sets["known"][0], sources=())]}
        yield made


def examples(count: int, *more: str) -> list[Example]:
    return [
        Example(
            f"e{n}", (Message("user", f"What is {n}?"),), (f"It is {n}.",), sources=(f"ans_{n}", *more), split="train"
        )
        for n in range(count)
    ]


async def test_examples_without_consent_are_left_out(world: World) -> None:
    own = Example("own", (Message("user", "Written by us?"),), ("Yes.",), split="train")
    world.sets.sets = {**world.sets.sets, "edits": [*examples(30), own]}
    await world.traffic(0, 30)
    await world.improve.run(ADMIN, "docs", "")
    await world.look()
    campaign = await world.last()
    assert campaign.stage == "refused"
    assert "rows for training: 1, and 10 are the least; 30 examples are left out" in campaign.reason
    assert "consent" in campaign.reason
    assert not world.training.orders


async def test_only_what_has_the_consent_of_all_its_sources_is_trained_on(world: World) -> None:
    rated = FeedbackFacts(key_id="root", rating="up", comment=None, edited=False)
    thumb = EventRecord("evt_thumb", 1.0, "acme", "", "ans_1", rated)
    edited = FeedbackFacts(key_id="root", rating=None, comment=None, edited=True)
    edit = EventRecord("evt_edit", 1.0, "acme", "", "ans_1", edited, content="Better.")
    await world.consent(*(f"ans_{n}" for n in range(20)))
    await world.stores.events.settle([thumb, edit])
    mixed = [*examples(30, "evt_thumb"), *examples(5, "evt_edit")]
    world.sets.sets = {**world.sets.sets, "edits": mixed}
    # It trains as long as the rows are looked at.
    world.training = Slow(world.hand, world.said)
    world.open()
    await world.improve.run(ADMIN, "docs", "")
    await world.look()
    campaign = await world.last()
    assert campaign.stage == "training"
    rows = [json.loads(line) for line in (Path(campaign.notes["folder"]) / "train.jsonl").read_text().splitlines()]
    assert [row["references"] for row in rows] == [[f"It is {n}."] for n in range(20)]
    told = [each.reason for each in await world.events()]
    assert any("15 examples are left out" in each for each in told)
