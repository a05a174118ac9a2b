"""Conversations: items in order and in pages, confined to their key, erased with its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mainspring import stores
from mainspring.core.errors import InvalidRequest, NotFound, QuotaExceeded, TooLarge
from mainspring.core.settings import Settings
from mainspring.core.types import Principal
from mainspring.features.conversations.holdings import ConversationItems
from mainspring.features.conversations.settings import ConversationsSettings
from mainspring.features.conversations.store import Conversations
from mainspring.stores import Stores
from mainspring.stores.erase.data_subjects import Subject, SubjectAnswer, SubjectData
from mainspring.stores.erase.holdings import RepeatsAnswers
from mainspring.stores.sql.pages import Page

ME = Principal("acme", "key_1", groups=frozenset({"staff"}))
LATER = 10.0**12


def said(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


def kept(opened: Stores, **settings: Any) -> Conversations:
    return Conversations(opened.database, ConversationsSettings(**settings))


async def test_items_are_kept_in_order_and_read_in_pages(opened: Stores) -> None:
    store = kept(opened)
    made = await store.create(ME, {"topic": "x"}, [said("0"), said("1")])
    added = await store.add_items(ME, made.id, [said("2"), said("3")])
    assert [str(each["id"])[:4] for each in added] == ["msg_", "msg_"]
    texts = [each["content"][0]["text"] for each in await store.items_of(ME, made.id)]
    assert texts == ["0", "1", "2", "3"]
    first = await store.page(ME, made.id, Page(3, "asc"))
    assert ([row["content"][0]["text"] for row in first.rows], first.more) == (["0", "1", "2"], True)
    rest = await store.page(ME, made.id, Page(3, "asc", after=first.rows[-1]["id"]))
    assert ([row["content"][0]["text"] for row in rest.rows], rest.more) == (["3"], False)
    with pytest.raises(InvalidRequest, match="after"):
        await store.page(ME, made.id, Page(after="msg_unknown"))
    await store.remove(ME, made.id, added[0]["id"])
    with pytest.raises(NotFound):
        await store.item(ME, made.id, added[0]["id"])
    assert (await store.update(ME, made.id, {"topic": "y"})).metadata == {"topic": "y"}


@pytest.mark.parametrize(
    "other",
    [
        Principal("acme", "key_2", groups=ME.groups),
        Principal("other", "key_1", groups=ME.groups),
        Principal("acme", "key_1", groups=frozenset()),
    ],
)
async def test_nobody_else_finds_a_conversation(opened: Stores, other: Principal) -> None:
    store = kept(opened)
    made = await store.create(ME, {}, [said("mine")])
    for asked in (
        store.get(other, made.id),
        store.items_of(other, made.id),
        store.page(other, made.id, Page()),
        store.add_items(other, made.id, [said("theirs")]),
        store.update(other, made.id, {}),
        store.delete(other, made.id),
    ):
        with pytest.raises(NotFound):
            await asked
    assert len(await store.items_of(ME, made.id)) == 1


async def test_the_key_that_replaces_one_finds_its_conversations(opened: Stores) -> None:
    made = await kept(opened).create(ME, {})
    heir = Principal("acme", "key_9", groups=ME.groups, identity="key_1")
    assert (await kept(opened).get(heir, made.id)).id == made.id


async def test_bounds_hold(opened: Stores) -> None:
    store = kept(opened, max_items=2, max_conversations=1)
    made = await store.create(ME, {}, [said("0")])
    with pytest.raises(TooLarge):
        await store.add_items(ME, made.id, [said("1"), said("2")])
    with pytest.raises(QuotaExceeded):
        await store.create(ME, {})


async def test_card_numbers_are_not_kept(opened: Stores) -> None:
    store = kept(opened)
    made = await store.create(ME, {}, [said("My card is 4111 1111 1111 1111.")])
    assert "4111" not in str(await store.items_of(ME, made.id))


async def test_an_answers_items_are_found_and_erased_with_it(opened: Stores) -> None:
    store, held = kept(opened), SubjectData(answers={"ans_1": SubjectAnswer("ans_1", "t", 1.0)})
    made = await store.create(ME, {}, [said("by hand")])
    await store.add_items(ME, made.id, [said("asked by ada")], "ans_1")
    await store.add_items(ME, made.id, [said("asked by bob")], "ans_2")
    ada = Subject("acme", "user", "ada")
    holding = ConversationItems(opened.database, opened.blobs)
    [found] = await holding.find(ada, held, LATER)
    assert found["item"]["content"][0]["text"] == "asked by ada"
    assert await holding.find(ada, held, LATER, frozenset()) == []
    assert await holding.erase(ada, held, LATER) == 1
    assert [each["content"][0]["text"] for each in await store.items_of(ME, made.id)] == ["by hand", "asked by bob"]


async def test_items_go_with_an_answer_that_quotes_a_deleted_document(opened: Stores) -> None:
    store = kept(opened)
    made = await store.create(ME, {}, [said("by hand")])
    await store.add_items(ME, made.id, [said("what does the handbook say?"), said("nine months")], "ans_1")
    await store.add_items(ME, made.id, [said("thanks")], "ans_2")
    holding = ConversationItems(opened.database, opened.blobs)
    assert isinstance(holding, RepeatsAnswers)
    await holding.forget("elsewhere", ["ans_1"])
    assert len(await store.items_of(ME, made.id)) == 4
    await holding.forget("acme", ["ans_1"])
    assert [each["content"][0]["text"] for each in await store.items_of(ME, made.id)] == ["by hand", "thanks"]


@pytest.mark.parametrize("subject", [Subject("acme", "key", "key_1"), Subject("acme", "tenant", "acme")])
async def test_whole_conversations_go_with_their_key_and_tenant(opened: Stores, subject: Subject) -> None:
    store = kept(opened)
    made = await store.create(ME, {"name": "Ada"}, [said("one"), said("two")])
    other = Principal("acme", "key_2")
    kept_ = await store.create(other, {}, [said("three")])
    holding = ConversationItems(opened.database, opened.blobs)
    assert await holding.erase(subject, SubjectData(), LATER) == (2 if subject.kind == "key" else 3)
    with pytest.raises(NotFound):
        await store.get(ME, made.id)
    if subject.kind == "key":
        assert len(await store.items_of(other, kept_.id)) == 1


async def test_old_conversations_end(opened: Stores) -> None:
    made = await kept(opened).create(ME, {}, [said("old")])
    assert await kept(opened).expire() == 0
    assert await kept(opened, retention_days=1e-9).expire() == 1
    with pytest.raises(NotFound):
        await kept(opened).get(ME, made.id)
