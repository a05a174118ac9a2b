"""Queues name their reviewers, and items are kept for a person until a deadline."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import ValidationError

from mainspring import stores
from mainspring.core.errors import Conflict, Forbidden, InvalidRequest, NotFound
from mainspring.core.settings import Settings
from mainspring.core.types import Principal
from mainspring.features.review.definition import Definition
from mainspring.features.review.holdings import ReviewedAnswers
from mainspring.stores import Stores
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from mainspring.stores.sql.pages import Page
from tests.features.review.test_work import _run_out, filled
from tests.features.review.world import ANN, BEN, CID, CURATOR, NO, YES, World


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


async def items(world: World, reviewer: str | None = None) -> list[dict[str, Any]]:
    """From the first on."""
    queue = await world.review.queues.get("acme", "all")
    found = await world.review.items.page(queue, Page(50, "asc"), None, reviewer)
    return await world.review.with_places(queue, found.rows)


async def assign(world: World, item: str, to: Principal, hours: float = 1.0) -> dict[str, Any]:
    return await world.review.assign(CURATOR, "all", item, to.key_id, hours)


async def taken(world: World, who: Principal) -> str | None:
    task = await world.review.take(who, "all")
    return None if task is None else str(task["item_id"])


async def test_only_named_reviewers_take_items(opened: Stores) -> None:
    world = await filled(opened, 2, reviewers=["key_ann"])
    assert await taken(world, ANN)
    with pytest.raises(Forbidden, match="names its reviewers"):
        await world.review.take(BEN, "all")
    # A key that replaced another one is the same person, by either name.
    renewed = dataclasses.replace(ANN, key_id="key_new", identity="key_ann", lineage=("key_ann",))
    assert await taken(world, renewed)
    definition = {"rule": {"share": 1.0}, "labelling": {"double": 0.0, "reviewers": ["key_ann", "key_ben"]}}
    await world.review.queues.change(CURATOR, "all", Definition.model_validate(definition), None)
    assert await taken(world, BEN)


def test_double_labels_need_three_reviewers() -> None:
    for labelling, wrong in (
        ({"reviewers": ["a", "b"]}, "three reviewers"),
        ({"reviewers": ["a", "a"], "double": 0.0}, "listed twice"),
    ):
        with pytest.raises(ValidationError, match=wrong):
            Definition.model_validate({"labelling": labelling})
    Definition.model_validate({"labelling": {"reviewers": ["a", "b", "c"]}})
    Definition.model_validate({"labelling": {"reviewers": ["a"], "double": 0.0}})


async def test_an_assigned_item_comes_first_and_nobody_else_gets_it(opened: Stores) -> None:
    world = await filled(opened, 3)
    last = (await items(world))[-1]["id"]
    told = await assign(world, last, BEN)
    assert (told["item_id"], told["to"]) == (last, "key_ben")
    assert told["until"] == pytest.approx(time.time() + 3600, abs=60)
    others = [await taken(world, who) for who in (ANN, CID)]
    assert last not in others
    assert None not in others
    assert await taken(world, CURATOR) is None
    # It is labelled by who has taken it, and not before.
    with pytest.raises(NotFound, match="do not hold"):
        await world.review.label(BEN, "all", last, YES)
    task = await world.review.take(BEN, "all")
    assert task
    assert (task["item_id"], task["lease_until"]) == (last, told["until"])
    assert (await world.review.label(BEN, "all", last, YES))["state"] == "done"


async def test_an_item_that_is_not_answered_is_for_others(opened: Stores) -> None:
    world = await filled(opened, 1)
    (item,) = await items(world)
    await assign(world, item["id"], BEN)
    assert await taken(world, ANN) is None
    await _run_out(opened)
    (shown,) = (await items(world))[0]["places"]
    assert (shown["by"], shown["state"], shown["overdue"]) == ("key_ben", "assigned", True)
    assert await taken(world, ANN) == item["id"]
    assert await taken(world, BEN) is None
    await world.review.label(ANN, "all", item["id"], YES)
    # The place is not owed any more.
    queue = await world.review.queues.get("acme", "all")
    (mine,) = [each for each in await world.review.assignments.workload(queue) if each["reviewer"] == "key_ann"]
    assert (mine["given"], mine["overdue"]) == (1, 0)
    assert [each["reviewer"] for each in await world.review.assignments.workload(queue)] == ["key_ann"]


@pytest.mark.parametrize("skip", [True, False])
async def test_who_hands_an_assigned_item_back_gives_it_to_others(opened: Stores, skip: bool) -> None:
    world = await filled(opened, 1)
    (item,) = await items(world)
    await assign(world, item["id"], BEN)
    assert await taken(world, BEN) == item["id"]
    await world.review.leave(BEN, "all", item["id"], skip=skip)
    assert await taken(world, ANN) == item["id"]


async def test_assigning_again_moves_the_deadline_and_unassigning_frees_the_place(opened: Stores) -> None:
    world = await filled(opened, 1)
    (item,) = await items(world)
    first = await assign(world, item["id"], BEN)
    assert await taken(world, BEN) == item["id"]
    later = await assign(world, item["id"], BEN, hours=5)
    assert later["until"] > first["until"]
    (place,) = (await items(world))[0]["places"]
    assert place == {"by": "key_ben", "state": "leased", "until": later["until"], "overdue": False}
    with pytest.raises(Conflict, match="others have all places"):
        await assign(world, item["id"], ANN)
    queue = await world.review.queues.get("acme", "all")
    await world.review.assignments.unassign(queue, item["id"], "key_ben")
    with pytest.raises(NotFound, match="not assigned"):
        await world.review.assignments.unassign(queue, item["id"], "key_ben")
    assert await taken(world, ANN) == item["id"]
    with pytest.raises(NotFound):
        await world.review.label(BEN, "all", item["id"], YES)


async def test_double_labels_are_assigned_to_two_and_the_third_decides(opened: Stores) -> None:
    world = await filled(opened, 1, double=1.0, reviewers=["key_ann", "key_ben", "key_cid"])
    (item,) = await items(world)
    await assign(world, item["id"], ANN)
    await assign(world, item["id"], BEN)
    with pytest.raises(Conflict, match="others have all places"):
        await assign(world, item["id"], CID)
    assert await taken(world, CID) is None
    await world.label(ANN, YES)
    await world.label(BEN, NO)
    with pytest.raises(Conflict, match="has labelled"):
        await assign(world, item["id"], ANN)
    await assign(world, item["id"], CID)
    assert (await world.label(CID, YES))["state"] == "done"
    with pytest.raises(Conflict, match="is done"):
        await assign(world, item["id"], CID)
    with pytest.raises(InvalidRequest, match="no reviewer"):
        await assign(world, item["id"], CURATOR)
    with pytest.raises(NotFound):
        await assign(world, "item_none", ANN)


async def test_two_who_assign_one_place_at_once_are_told_apart(opened: Stores) -> None:
    world = await filled(opened, 1)
    (item,) = await items(world)
    done = await asyncio.gather(*(assign(world, item["id"], who) for who in (ANN, BEN, CID)), return_exceptions=True)
    assert sorted(isinstance(each, Conflict) for each in done) == [False, True, True]


async def test_an_assigned_answer_that_its_reviewer_may_not_see_stays_hidden(opened: Stores) -> None:
    world = World(opened)
    await world.queue()
    await world.answer(who=Principal("acme", "key_staff", groups=frozenset({"staff"})), session_id="s")
    await world.review.look()
    (item,) = await items(world)
    await assign(world, item["id"], ANN)
    assert await taken(world, ANN) is None


async def test_the_workload_counts_by_reviewer(opened: Stores) -> None:
    world = await filled(opened, 4, reviewers=["key_ann", "key_ben"])
    every = [each["id"] for each in await items(world)]
    await assign(world, every[0], ANN)
    await assign(world, every[1], ANN)
    await world.label(ANN, YES)
    queue = await world.review.queues.get("acme", "all")
    ann, ben = await world.review.assignments.workload(queue)
    assert (ann["reviewer"], ann["named"], ann["assigned"], ann["given"], ann["leased"]) == ("key_ann", True, 1, 1, 0)
    assert (ben["assigned"], ben["given"], ben["overdue"]) == (0, 0, 0)
    assert [each["id"] for each in await items(world, "key_ann")] == every[:2]
    assert await items(world, "key_ben") == []


async def test_an_erased_key_is_no_reviewer_any_more_and_nobody_takes_its_place(opened: Stores) -> None:
    world = await filled(opened, 1, reviewers=["key_ann", "key_ben"])
    held = ReviewedAnswers(opened.database, opened.blobs)
    await held.erase(Subject("acme", "key", "key_ann"), SubjectData(), time.time() + 1)
    queue = await world.review.queues.get("acme", "all")
    gone, left = queue.definition.labelling.reviewers
    assert (gone.startswith("erased-"), left) == (True, "key_ben")
    with pytest.raises(Forbidden):
        await world.review.take(ANN, "all")
