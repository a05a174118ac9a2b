"""The rows of a data set that a rung is trained on: private, gone when they were read, found and erased meanwhile."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.core.types import Message
from mainspring.evaluation.examples import Example
from mainspring.features.improve.holdings import MadeOfAnswers
from mainspring.features.train.data import placing
from mainspring.features.train.settings import TrainSettings
from mainspring.stores import Stores
from mainspring.stores.erase.data_subjects import Subject, SubjectAnswer, SubjectData
from mainspring.training import recipes
from mainspring.training.ports import JobView
from tests.features.improve.doubles import Training
from tests.features.improve.world import World, policy

ADA = Subject("acme", "user", "ada")


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


class Slow(Training):
    """A job that runs until somebody ends it."""

    running = True

    async def training_job(self, tenant: str, job_id: str) -> JobView:
        found = await super().training_job(tenant, job_id)
        return replace(found, state="running") if self.running else found


async def begun(opened: Stores, home: Path) -> tuple[World, Slow, Path]:
    """A campaign that trains on thirty rows of as many answers, and their folder."""
    world = World(opened, home)
    world.training = slow = Slow(world.hand, world.said)
    world.open()
    rows = [
        Example(f"e{n}", (Message("user", f"Ada asks {n}"),), ("Then.",), sources=(f"ans_{n}",), split="train")
        for n in range(30)
    ]
    held = [replace(each, sources=()) for each in world.sets.sets["known"]]
    world.sets.sets = {"edits": rows, "known": held, "held-out": []}
    wanted = {**policy()["offline"], "dataset": "known"}
    await world.set(data={"dataset": "edits", "least_rows": 10}, offline=wanted)
    await world.consent(*(f"ans_{n}" for n in range(30)))
    await world.traffic(100, 5)
    await world.look()
    assert (await world.last()).stage == "training"
    return world, slow, Path((await world.last()).notes["folder"])


def of(*answers: str) -> SubjectData:
    return SubjectData(answers={each: SubjectAnswer(each, f"trace-{each}", time.time()) for each in answers})


async def test_they_are_their_owner_s_alone_and_gone_once_they_were_read(opened: Stores, tmp_path: Path) -> None:
    world, slow, folder = await begun(opened, tmp_path)
    assert "acme" not in folder.relative_to(tmp_path).parts
    below = [folder, *folder.iterdir(), *folder.parents[: len(folder.relative_to(tmp_path).parts) - 1]]
    assert [each for each in below if each.stat().st_mode & 0o077] == []
    slow.running = False
    await world.look()
    campaign = await world.last()
    assert campaign.stage == "promoted"
    assert not folder.parent.exists()
    assert len((await world.improve.variants.sources("acme", campaign.candidate_id, 99))[1]) == 30


async def test_they_are_gone_when_the_campaign_is_stopped(opened: Stores, tmp_path: Path) -> None:
    world, _, folder = await begun(opened, tmp_path)
    campaign = await world.last()
    await world.improve.stop(world.improve.running._local, campaign.id, "enough")
    await world.look()
    assert (await world.last()).stage == "stopped"
    assert not folder.parent.exists()


async def test_training_takes_over_what_they_are_made_of(opened: Stores, tmp_path: Path) -> None:
    _, _, folder = await begun(opened, tmp_path)
    data = tmp_path / "copied"
    data.mkdir()
    placing.copy(folder, data, TrainSettings())
    recipe = next(each for each in map(recipes.find, recipes.every()) if "sft" in each.reads)
    found = placing.place(data, recipe, TrainSettings(), 0, {})
    assert found.sources == {f"ans_{n}": "answer" for n in range(30)}


async def test_an_erasure_finds_a_person_s_rows_and_takes_them_out(opened: Stores, tmp_path: Path) -> None:
    world, _, folder = await begun(opened, tmp_path)
    campaign = await world.last()
    holding, held, now = MadeOfAnswers(opened.database, opened.blobs), of("ans_3", "ans_4"), time.time() + 1
    told = {"type": "improve_rows", "campaign": campaign.id, "rows": 2}
    assert told in await holding.find(ADA, held, now)
    assert told not in await holding.find(Subject("beta", "user", "ada"), held, now)
    assert await holding.erase(Subject("beta", "user", "ada"), held, now) == 0
    await holding.erase(ADA, held, now)
    text = (folder / "train.jsonl").read_text()
    assert "Ada asks 3" not in text.replace("Ada asks 30", "")
    assert len(text.splitlines()) == 28
    beside = [json.loads(each)["answers"] for each in (folder / "train.lineage.jsonl").read_text().splitlines()]
    assert ["ans_3"] not in beside
    assert await holding.find(ADA, held, now) == []
    assert (folder / "train.jsonl").stat().st_mode & 0o077 == 0
    await holding.erase(Subject("acme", "tenant", "acme"), of(), now)
    assert not folder.parents[1].exists()


async def test_what_was_trained_on_erased_rows_gets_no_traffic(
    opened: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, slow, _ = await begun(opened, tmp_path)
    version = Training.version

    async def stale(self: Training, tenant: str, label: str) -> object:
        return replace(await version(self, tenant, label), stale="rows that it was made of were erased")

    monkeypatch.setattr(Training, "version", stale)
    slow.running = False
    await world.look()
    campaign = await world.last()
    assert (campaign.stage, world.door.log) == ("refused", [])
    assert "rows that it was made of were erased" in campaign.reason
