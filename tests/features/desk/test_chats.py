"""Chats on pages: what their tokens can do, and how much of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from mainspring import stores
from mainspring.core.errors import QuotaExceeded, RateLimited, Unauthenticated
from mainspring.core.settings import Settings
from mainspring.core.types import Message, Principal
from mainspring.features.desk.channels import chats as chats_module
from mainspring.features.desk.channels.slots import AT_ONCE, Slots
from mainspring.features.desk.channels.store import Claimed, Incoming
from mainspring.features.desk.store.cases import CaseFilter
from mainspring.serving.memory.layer import stored_name
from mainspring.stores import Stores
from mainspring.stores.sessions.turns import SessionTurn
from tests.features.desk.desk_world import ADA, SHOP, keyed
from tests.features.desk.test_channels import office


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


async def test_a_chat_has_the_rights_of_its_key_and_ends_with_it(opened: Stores) -> None:
    desk, agent = office(opened)
    chats = desk.channels.chats
    limits = {"tier": "slow", "models": '["support"]', "lineage": '["key_root"]', "consent": True}
    end = time.time() + 60
    await keyed(opened, SHOP, **limits, expires_at=end)
    opened_chat, token = await chats.open(SHOP, "ann", 3600)
    assert opened_chat.expires_at == end
    chat = await chats.of(token)
    principal = chat.principal
    assert (principal.tier, principal.lineage) == ("slow", ("key_root",))
    assert principal.reach.models == {"support"}
    assert principal.scopes == {"chat"}
    await chats.say(chat, "m1", "Hello")
    await desk.channels.answer_waiting()
    assert [(each.tier, each.lineage) for each in agent.callers] == [("slow", ("key_root",))]
    await chats.say(chat, "m2", "Are you there?")
    watching = chats.watch(chat)
    await anext(watching)
    await opened.keys.revoke("acme", "key_shop")
    desk.channels._holders._believed.clear()
    with pytest.raises(Unauthenticated):
        await chats.of(token)
    assert [each async for each in watching] == []
    # No agent is asked any more, and people read what was kept.
    await desk.channels.answer_waiting()
    assert len(agent.callers) == 1
    assert [each.body for each in await desk.store.queue(ADA, CaseFilter(), 5)] == ["Are you there?"]


async def test_who_has_no_key_opens_no_chat(opened: Stores) -> None:
    desk, _ = office(opened)
    with pytest.raises(Unauthenticated):
        await desk.channels.chats.open(Principal("acme", "key_gone", frozenset({"chat"})), "ann", 3600)


async def heard(opened: Stores, tenant: str, session: str, number: int) -> None:
    """A message of a customer comes in."""
    message = Incoming("web", f"{session}:{number}", session, "ann", f"{number}", {"key_id": "k", "groups": []})
    desk, _ = office(opened)
    await desk.channels.store.receive(tenant, message)


async def test_tenants_and_conversations_take_turns(opened: Stores) -> None:
    store = office(opened)[0].channels.store
    # One tenant has many conversations, and in each a backlog, before others say a word.
    for session in "abcdef":
        for number in range(3):
            await heard(opened, "loud", session, number)
    await heard(opened, "calm", "x", 0)
    first = await store.claim_incoming(3)
    assert [(each.tenant, each.thread.session_id) for each in first] == [("loud", "a"), ("calm", "x"), ("loud", "b")]
    # Who has most in work comes last, and nobody has all places.
    await heard(opened, "other", "y", 0)
    more = await store.claim_incoming(8, {"loud": 2, "calm": 1})
    assert [(each.tenant, each.thread.session_id) for each in more] == [("other", "y"), ("loud", "c"), ("loud", "d")]
    assert await store.claim_incoming(8, {"loud": 4}) == []
    # A backlog waits behind who has had no turn.
    for each in (*first, *more):
        await store.answered(each, "")
    await heard(opened, "loud", "new", 0)
    after = await store.claim_incoming(4)
    assert [each.thread.session_id for each in after] == ["e", "f", "new", "a"]


async def test_a_slow_answer_keeps_one_place_and_not_the_round() -> None:
    slow, asked = asyncio.Event(), list[str]()
    waiting = [Claimed("acme", str(number), None, "", 1) for number in range(3 * AT_ONCE)]  # type: ignore[arg-type]

    async def claim(most: int, busy: Mapping[str, int]) -> Sequence[Claimed]:
        assert busy.get("acme", 0) + most == AT_ONCE
        taken = waiting[:most]
        del waiting[:most]
        return taken

    async def work(claimed: Claimed) -> None:
        if claimed.id == "0":
            await slow.wait()
        asked.append(claimed.id)

    slots = Slots(claim, work)
    while await slots.fill():
        await asyncio.sleep(0)
    assert len(asked) == 3 * AT_ONCE - 1
    slow.set()
    await slots.idle()
    assert asked[-1] == "0"


async def test_messages_chats_and_streams_are_bounded(opened: Stores) -> None:
    desk, _ = office(opened, waiting_each=2, waiting=3, chats=2, watchers_each=1)
    chats = desk.channels.chats
    await keyed(opened, SHOP)
    first, second = [(await chats.open(SHOP, person, 60))[0] for person in ("ann", "bob")]
    with pytest.raises(QuotaExceeded):
        await chats.open(SHOP, "eve", 60)
    for number in range(2):
        assert await chats.say(first, f"m{number}", "Hello")
    with pytest.raises(RateLimited):
        await chats.say(first, "m2", "Hello")
    # What is here already is acknowledged again.
    assert not await chats.say(first, "m1", "Hello")
    assert await chats.say(second, "m0", "Hello")
    with pytest.raises(RateLimited):
        await chats.say(second, "m1", "Hello")
    await desk.channels.answer_waiting()
    assert await chats.say(first, "m2", "Hello")
    watching = chats.watch(first)
    await anext(watching)
    with pytest.raises(RateLimited):
        chats.check_watchers(first)
    chats.check_watchers(second)
    await watching.aclose()
    chats.check_watchers(first)


async def test_an_hour_has_so_many_messages(opened: Stores) -> None:
    desk, _ = office(opened, messages_an_hour=2)
    chats = desk.channels.chats
    await keyed(opened, SHOP)
    chat, _ = await chats.open(SHOP, "ann", 60)
    for number in range(2):
        await chats.say(chat, f"m{number}", "Hello")
        await desk.channels.answer_waiting()
    with pytest.raises(RateLimited):
        await chats.say(chat, "m2", "Hello")


async def test_a_stream_reads_a_conversation_only_when_it_has_changed(
    opened: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chats_module, "_LOOK_S", 0.0)
    desk, _ = office(opened)
    chats = desk.channels.chats
    await keyed(opened, SHOP)
    chat, _ = await chats.open(SHOP, "ann", 60)
    reads, looks = list[str](), list[str]()
    messages, mark = chats.messages, chats._mark

    async def read(found: chats_module.Chat) -> list[dict[str, object]]:
        reads.append(found.session_id)
        return await messages(found)

    async def look(found: chats_module.Chat) -> tuple[object, ...]:
        looks.append(found.session_id)
        if len(looks) == 10:
            turn = SessionTurn("acme", stored_name(SHOP, chat.session_id), (Message("user", "Hello"),), "t", 5.0)
            await opened.events.settle([], [turn])
        return await mark(found)

    monkeypatch.setattr(chats, "messages", read)
    monkeypatch.setattr(chats, "_mark", look)
    watching = chats.watch(chat)
    assert (await anext(watching))["data"] == []
    assert [each["text"] for each in (await anext(watching))["data"]] == ["Hello"]
    await watching.aclose()
    assert (len(looks), len(reads)) == (10, 2)
