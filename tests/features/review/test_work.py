"""Reviewers take items, label them, and never get in each other's way."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.errors import Conflict, InvalidRequest, NotFound
from mainspring.core.facts.opinions import LabelFacts
from mainspring.core.settings import Settings
from mainspring.core.types import Principal
from mainspring.features.review.tables import review_labels
from mainspring.stores import Stores
from mainspring.stores.sql.pages import Page
from tests.features.review.world import ANN, BEN, CID, CURATOR, NO, YES, World


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


async def test_an_answer_enters_by_rule_and_is_labelled_as_an_event_of_its_trace(opened: Stores) -> None:
    world = World(opened)
    await world.queue()
    answer_id = await world.answer()
    await world.review.look()
    task = await world.review.take(ANN, "all")
    assert task is not None
    assert (task["question"], task["answer"]) == ("What is the limit?", "It is 104.")
    body = {**YES, "errors": ["tone"], "comment": "fine", "edit": "It is 105.", "seconds": 4.5}
    item = await world.review.label(ANN, "all", task["item_id"], body)
    assert (item["state"], item["result"]["approved"], item["result"]["scores"]) == ("done", True, {"correct": 1.0})
    (event,) = await opened.events.find("acme", kind="label", subject=answer_id)
    answer = await opened.events.get("acme", answer_id)
    assert (event.trace_id, event.parent_id, event.content) == (answer.trace_id, answer_id, "It is 105.")
    facts = LabelFacts.of(event.facts)
    assert (facts.queue, facts.by, facts.errors, facts.comment) == ("all", "key_ann", ["tone"], "fine")
    assert await world.review.take(ANN, "all") is None


async def filled(opened: Stores, count: int, **labelling: object) -> World:
    world = World(opened)
    await world.queue(definition={"rule": {"share": 1.0}, "labelling": {"double": 0.0, **labelling}})
    for _ in range(count):
        await world.answer()
    await world.review.look()
    return world


async def test_two_reviewers_never_hold_one_item(opened: Stores) -> None:
    world = await filled(opened, 3)
    taken = await asyncio.gather(*(world.review.take(who, "all") for who in (ANN, BEN, CID)))
    assert len({task["item_id"] for task in taken if task}) == 3
    # What is held is given again: a page that was loaded anew goes on.
    again = await world.review.take(ANN, "all")
    assert again
    assert taken[0]
    assert again["item_id"] == taken[0]["item_id"]
    assert await world.review.take(CURATOR, "all") is None
    with pytest.raises(NotFound, match="do not hold"):
        await world.review.label(BEN, "all", taken[0]["item_id"], YES)


async def test_an_item_that_is_handed_back_or_whose_lease_ran_out_is_for_others(opened: Stores) -> None:
    world = await filled(opened, 1)
    task = await world.review.take(ANN, "all")
    assert task
    await world.review.leave(ANN, "all", task["item_id"], skip=False)
    other = await world.review.take(BEN, "all")
    assert other
    assert other["item_id"] == task["item_id"]
    await _run_out(opened)
    third = await world.review.take(CID, "all")
    assert third
    assert third["item_id"] == task["item_id"]
    with pytest.raises(Conflict, match="ran out"):
        await world.review.label(BEN, "all", task["item_id"], YES)
    await world.review.leave(CID, "all", task["item_id"], skip=True)
    assert await world.review.take(CID, "all") is None
    # Nobody took the place: the late label counts.
    assert (await world.review.label(BEN, "all", task["item_id"], YES))["state"] == "done"
    with pytest.raises(Conflict, match="have labelled"):
        await world.review.label(BEN, "all", task["item_id"], YES)


async def test_double_labels_are_blind_and_a_third_decides_where_they_differ(opened: Stores) -> None:
    world = await filled(opened, 1, double=1.0)
    first = await world.label(ANN, {**YES, "comment": "I like it"})
    assert (first["state"], first["given"], first["needs"], first["result"]) == ("open", 1, 2, None)
    assert await world.review.take(ANN, "all") is None
    task = await world.review.take(BEN, "all")
    assert task
    assert (task["earlier"], task["adjudicates"]) == ([], False)
    assert (await world.review.item(CURATOR, "all", task["item_id"]))["labels"] == []
    second = await world.review.label(BEN, "all", task["item_id"], NO)
    assert second["state"] == "adjudicate"
    assert await world.review.take(ANN, "all") is None
    task = await world.review.take(CID, "all")
    assert task
    assert task["adjudicates"]
    assert [(each["by"], each["approved"], each["comment"]) for each in task["earlier"]] == [
        ("A", True, "I like it"),
        ("B", False, ""),
    ]
    done = await world.review.label(CID, "all", task["item_id"], {**NO, "edit": "It is 105."})
    assert (done["state"], done["result"]["approved"], done["result"]["adjudicated"]) == ("done", False, True)
    assert len((await world.review.item(CURATOR, "all", task["item_id"]))["labels"]) == 3


async def test_small_differences_need_no_third(opened: Stores) -> None:
    world = await filled(opened, 1, double=1.0, disagreement=0.5)
    await world.label(ANN, {"labels": {"correct": 2}, "approved": True})
    done = await world.label(BEN, {"labels": {"correct": 1}, "approved": True})
    assert (done["state"], done["result"]["scores"]) == ("done", {"correct": 0.75})


async def test_strata_take_turns(opened: Stores) -> None:
    world = World(opened)
    await world.queue()
    for _ in range(4):
        await world.answer(answered=False)
    plain = [await world.answer() for _ in range(2)]
    await world.review.look()
    shown = []
    for _ in range(4):
        task = await world.review.take(ANN, "all")
        assert task
        shown.append(task["answer_id"] in plain)
        await world.review.label(ANN, "all", task["item_id"], YES)
    assert sum(shown) == 2


async def test_a_label_says_what_the_queue_asks(opened: Stores) -> None:
    world = await filled(opened, 1)
    task = await world.review.take(ANN, "all")
    assert task
    for body, param in (
        ({"approved": True}, "labels"),
        ({**YES, "labels": {"correct": 3}}, r"scores\.correct"),
        ({**YES, "labels": {"correct": 1, "other": 1}}, "criterion"),
        ({**YES, "errors": ["unheard-of"]}, "errors"),
    ):
        with pytest.raises(InvalidRequest) as failure:
            await world.review.label(ANN, "all", task["item_id"], body)
        assert re.fullmatch(param, failure.value.param or "")
    assert await opened.events.find("acme", kind="label") == []


async def test_reviewers_see_no_answer_of_other_groups_or_tenants(opened: Stores) -> None:
    world = World(opened)
    await world.queue()
    staff = Principal("acme", "key_staff", groups=frozenset({"staff"}))
    await world.answer(who=staff, session_id="s")
    await world.review.look()
    assert await world.review.take(ANN, "all") is None
    insider = Principal("acme", "key_dan", frozenset({"review"}), groups=frozenset({"staff"}))
    assert await world.review.take(insider, "all") is not None
    with pytest.raises(NotFound):
        await world.review.take(Principal("other", "key_9", frozenset({"review"})), "all")


async def test_an_answer_that_was_erased_is_nobodys_work(opened: Stores) -> None:
    world = await filled(opened, 2)
    task = await world.review.take(ANN, "all")
    assert task
    await opened.events.erase("acme", task["answer_id"])
    with pytest.raises(NotFound, match="is gone"):
        await world.review.label(ANN, "all", task["item_id"], YES)
    other = await world.review.take(ANN, "all")
    assert other
    await opened.events.erase("acme", other["answer_id"])
    await world.review.leave(ANN, "all", other["item_id"], skip=False)
    assert await world.review.take(ANN, "all") is None
    queue = await world.review.queues.get("acme", "all")
    assert not (await world.review.items.page(queue, Page(10))).rows


async def _run_out(opened: Stores) -> None:
    over = sa.update(review_labels).values(lease_until=time.time() - 1)
    await opened.database.write(lambda connection: connection.execute(over) and None)
