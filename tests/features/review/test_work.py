"""Reviewers take items, label them, and never get in each other's way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from mainspring import stores
from mainspring.core.facts.opinions import LabelFacts
from mainspring.core.settings import Settings
from mainspring.stores import Stores
from tests.features.review.world import ANN, YES, World


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
