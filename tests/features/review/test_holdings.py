"""Reviewed answers of data subjects are found and erased, and so are the names of reviewers; labelled ones go into data
sets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest_asyncio
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.errors import QuotaExceeded
from mainspring.core.settings import Settings
from mainspring.core.types import Principal
from mainspring.evaluation.example_json import checked
from mainspring.evaluation.examples import Example
from mainspring.features.review.holdings import ERASED, ReviewedAnswers
from mainspring.features.review.tables import review_items, review_labels, review_queues, review_versions
from mainspring.stores import Stores
from mainspring.stores.erase.data_subjects import Subject
from mainspring.stores.erase.data_subjects import find as find_held
from mainspring.stores.erase.holdings import RepeatsAnswers
from tests.features.review.world import ANN, YES, World

LATER = 10.0**12


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


async def filled(opened: Stores) -> World:
    world = World(opened)
    await world.queue()
    await world.answer(user="ada")
    await world.answer(user="bob")
    await world.review.look()
    for _ in range(2):
        await world.label(ANN, YES)
    return world


async def count(opened: Stores, table: sa.Table) -> int:
    query = sa.select(sa.func.count()).select_from(table)
    return int(await opened.database.read(lambda connection: connection.execute(query).scalar_one()))


def holding(opened: Stores) -> ReviewedAnswers:
    return ReviewedAnswers(opened.database, opened.blobs)


async def test_a_persons_items_go_with_their_labels_and_others_stay(opened: Stores) -> None:
    await filled(opened)
    subject = Subject("acme", "user", "ada")
    held = await opened.database.read(lambda connection: find_held(connection, subject, LATER))
    found = await holding(opened).find(subject, held, LATER)
    assert [each["type"] for each in found] == ["review_item"]
    assert await holding(opened).find(Subject("other", "user", "ada"), held, LATER) == []
    assert await holding(opened).erase(subject, held, LATER) == 1
    assert await holding(opened).erase(subject, held, LATER) == 0
    assert (await count(opened, review_items), await count(opened, review_labels)) == (1, 1)


async def test_a_reviewers_name_goes_and_the_label_counts_on(opened: Stores) -> None:
    world = await filled(opened)
    subject = Subject("acme", "key", "key_ann")
    held = await opened.database.read(lambda connection: find_held(connection, subject, LATER))
    assert [each["type"] for each in await holding(opened).find(subject, held, LATER)] == ["review_label"] * 2
    assert await holding(opened).erase(subject, held, LATER) == 2
    left = await world.review.items.given(await world.review.queues.get("acme", "all"))
    assert [each.by.startswith(ERASED) for each in left] == [True, True]
    author = Subject("acme", "key", "key_curator")
    held = await opened.database.read(lambda connection: find_held(connection, author, LATER))
    await holding(opened).erase(author, held, LATER)
    assert (await world.review.queues.get("acme", "all")).created_by == ERASED


async def test_a_tenant_leaves_nothing(opened: Stores) -> None:
    await filled(opened)
    subject = Subject("acme", "tenant", "acme")
    held = await opened.database.read(lambda connection: find_held(connection, subject, LATER))
    await holding(opened).erase(subject, held, LATER)
    for table in (review_items, review_labels, review_queues, review_versions):
        assert await count(opened, table) == 0


async def test_answers_whose_documents_go_are_forgotten(opened: Stores) -> None:
    world = await filled(opened)
    made = holding(opened)
    assert isinstance(made, RepeatsAnswers)
    queue = await world.review.queues.get("acme", "all")
    row = (await world.review.items.done(queue))[0]
    await made.forget("acme", [row.answer_id])
    assert (await count(opened, review_items), await count(opened, review_labels)) == (1, 1)


class Sets:
    """Keeps what it is given, unless it is full."""

    def __init__(self) -> None:
        self.given: list[tuple[str, str, Sequence[Example]]] = []
        self.groups: dict[str, frozenset[str]] = {}
        self.full = False

    async def add_examples(
        self, principal: Principal, name: str, examples: Sequence[Example], *, note: str = ""
    ) -> int:
        if self.full:
            raise QuotaExceeded("no room")
        self.given.append((principal.tenant, name, examples))
        self.groups[name] = principal.groups
        return len(self.given)

    async def examples(self, principal: Principal, name: str, version: int | None = None) -> Sequence[Example]:
        return []


async def test_reviewed_answers_go_into_the_data_set_once_with_their_edit_as_reference(opened: Stores) -> None:
    world = World(opened)
    sets = Sets()
    world.review.sets = sets
    await world.queue(definition={"rule": {"share": 1.0}, "labelling": {"double": 0.0}, "dataset": "golden"})
    edited, approved = await world.answer("One?", user="ada"), await world.answer("Two?")
    await world.review.look()
    for _ in range(2):
        task = await world.review.take(ANN, "all")
        assert task is not None
        body = {**YES, "edit": "It is 105."} if task["answer_id"] == edited else YES
        await world.review.label(ANN, "all", task["item_id"], body)
    sets.full = True
    assert await world.review.deliver() == 0
    sets.full = False
    assert await world.review.deliver() == 2
    assert await world.review.deliver() == 0
    ((tenant, name, examples),) = sets.given
    assert (tenant, name) == ("acme", "golden")
    by_id = {each.id: each for each in examples}
    one, two = by_id[f"review-{edited}"], by_id[f"review-{approved}"]
    assert (one.question, one.references, one.subject) == ("One?", ("It is 105.",), "ada")
    assert (two.references, two.tags["verdict"]) == (("It is 104.",), "approved")
    (label,) = await opened.events.find("acme", kind="label", subject=edited)
    assert one.sources == (edited, label.id)
    assert one.trace_id == label.trace_id


async def test_a_data_set_gets_what_the_author_of_the_queue_may_see_and_needs_the_authors_groups(
    opened: Stores,
) -> None:
    world, definition = World(opened), {"rule": {"share": 1.0}, "labelling": {"double": 0.0}}
    board = Principal("acme", "key_board", frozenset({"review"}), frozenset({"board"}))
    sets = Sets()
    world.review.sets = sets
    author, _ = await opened.keys.create("author", tenant="acme", scopes=frozenset({"curate"}), groups=board.groups)
    await world.queue("board", {**definition, "dataset": "secret"}, author.principal())
    await world.queue("open", {**definition, "dataset": "open"})
    hidden = await world.answer("What did the board say?", who=board, session_id="s")
    shown = await world.answer("What is the limit?")
    await world.review.look()
    for queue in ("board", "open"):
        for _ in range(2):
            await world.label(board, YES, queue)
    assert await world.review.deliver() == 3
    given = {name: {each.id for each in examples} for _, name, examples in sets.given}
    assert given == {"open": {f"review-{shown}"}, "secret": {f"review-{hidden}", f"review-{shown}"}}
    assert sets.groups == {"open": frozenset(), "secret": {"board"}}


async def test_an_answer_that_is_no_example_keeps_no_other_out(opened: Stores) -> None:
    world, sets = World(opened), CheckedSets()
    world.review.sets = sets
    await world.queue(definition={"rule": {"share": 1.0}, "labelling": {"double": 0.0}, "dataset": "golden"})
    await world.answer("x" * 300_000)
    fits = await world.answer("Two?")
    await world.review.look()
    for _ in range(2):
        await world.label(ANN, YES)
    assert await world.review.deliver() == 1
    assert [[each.id for each in examples] for _, _, examples in sets.given] == [[f"review-{fits}"]]
    assert await world.review.deliver() == 0


class CheckedSets(Sets):
    """Refuses what data sets refuse."""

    async def add_examples(
        self, principal: Principal, name: str, examples: Sequence[Example], *, note: str = ""
    ) -> int:
        found = [checked(each) for each in examples]
        return await super().add_examples(principal, name, found, note=note)
