"""Label Studio's tasks are written and read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import pytest_asyncio

from mainspring import stores
from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.settings import Settings
from mainspring.features.review.work.label_studio import IMPORTED
from mainspring.stores import Stores
from mainspring.stores.sql.pages import Page
from tests.features.review.world import ANN, BEN, CID, CURATOR, NO, YES, World

ASC = Page(100, "asc")


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


async def labelled(opened: Stores) -> World:
    world = World(opened)
    await world.queue(definition={"rule": {"share": 1.0}, "labelling": {"double": 1.0}})
    for _ in range(2):
        answer_id = await world.answer()
        await world.judged(answer_id, faithfulness=0.25)
    await world.review.look()
    edited = {**NO, "errors": ["invented", "tone"], "edit": "It is 105.", "comment": 'say "so" & <go>', "seconds": 2.5}
    for who, bodies in (
        (ANN, (YES, edited)),
        (BEN, (YES, {**YES, "labels": {"correct": 1, "grounded": 0}})),
        (CID, (edited,)),
    ):
        for body in bodies:
            await world.label(who, body)
    return world


async def tasks(world: World, queue: str = "all") -> list[dict[str, Any]]:
    found = await world.review.interchange.tasks(CURATOR, queue, ASC)
    return [each["task"] for each in found.rows]


async def test_labels_come_back_as_they_went(opened: Stores) -> None:
    world = await labelled(opened)
    sent = json.loads(json.dumps(await tasks(world)))
    assert sorted(len(each["annotations"]) for each in sent) == [2, 3]
    assert sent[0]["predictions"] == [
        {
            "model_version": "j",
            "result": [{"from_name": "faithfulness", "to_name": "answer", "type": "number", "value": {"number": 0.25}}],
        }
    ]
    await world.queue("copy", definition={"rule": {"share": 0.0}, "labelling": {"double": 1.0}})
    assert await world.review.interchange.take_in(CURATOR, "copy", sent) == (2, 5)
    assert await world.review.interchange.take_in(CURATOR, "copy", sent) == (2, 0)
    back = await tasks(world, "copy")
    for task in (*sent, *back):
        task["data"].pop("stratum")
        task["annotations"].sort(key=lambda each: each["created_at"])
        for each in task["annotations"]:
            each["completed_by"]["email"] = each["completed_by"]["email"].removeprefix(IMPORTED)
            # Who decided is known by the order in which labels came, and not by what a file says.
            each.pop("ground_truth")
            each["created_at"] = each["created_at"][:19]
    assert back == sent
    events = await opened.events.find("acme", kind="label")
    assert len(events) == 10
    assert {IMPORTED + "key_ann", "key_ann"} <= {each.facts.plain()["by"] for each in events}


async def test_labels_of_open_items_stay_hidden(opened: Stores) -> None:
    world = World(opened)
    await world.queue(definition={"rule": {"share": 1.0}, "labelling": {"double": 1.0}})
    await world.answer()
    await world.review.look()
    await world.label(ANN, YES)
    assert [each["annotations"] for each in await tasks(world)] == [[]]


async def test_the_interface_has_a_control_for_each_part(opened: Stores) -> None:
    world = await labelled(opened)
    root = ElementTree.fromstring(await world.review.interchange.interface("acme", "all"))
    names = {each.get("name"): each.tag for each in root if each.get("toName")}
    assert names == {
        **dict.fromkeys(("correct", "grounded", "approved", "errors"), "Choices"),
        **dict.fromkeys(("edit", "comment"), "TextArea"),
        "faithfulness": "Number",
    }
    (correct,) = (each for each in root if each.get("name") == "correct")
    assert [each.get("value") for each in correct] == ["no", "partly", "yes"]


async def test_what_is_wrong_with_a_task_is_named_and_nothing_is_written(opened: Stores) -> None:
    world = await labelled(opened)
    await world.queue("copy")
    (good, other) = await tasks(world)
    choice = {"from_name": "mood", "to_name": "answer", "type": "choices", "value": {"choices": ["x"]}}
    for wrong, param in (
        ({"data": {}}, "tasks[1].data.answer_id"),
        ({**other, "annotations": [{"result": []}]}, "tasks[1].annotations[0].result"),
        ({**other, "annotations": [{"result": None}]}, "tasks[1].annotations[0].result"),
        (
            {**other, "annotations": [{"result": [{**choice, "from_name": "mood", "value": {"choices": ["x"]}}]}]},
            "criterion",
        ),
    ):
        with pytest.raises(InvalidRequest) as failure:
            await world.review.interchange.take_in(CURATOR, "copy", [good, wrong])
        assert failure.value.param == param
    with pytest.raises(NotFound):
        await world.review.interchange.take_in(CURATOR, "copy", [good, {"data": {"answer_id": "ans_of_nobody"}}])
    assert await tasks(world, "copy") == []
    cancelled = {**other, "annotations": [{"result": [], "was_cancelled": True}]}
    assert await world.review.interchange.take_in(CURATOR, "copy", [cancelled]) == (1, 0)
