"""Chats on pages: what their tokens can do, and how much of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mainspring import stores
from mainspring.core.errors import Unauthenticated
from mainspring.core.settings import Settings
from mainspring.core.types import Principal
from mainspring.features.desk.store.cases import Wanted
from mainspring.stores import Stores
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
    assert [each.body for each in await desk.store.queue(ADA, Wanted(), 5)] == ["Are you there?"]


async def test_who_has_no_key_opens_no_chat(opened: Stores) -> None:
    desk, _ = office(opened)
    with pytest.raises(Unauthenticated):
        await desk.channels.chats.open(Principal("acme", "key_gone", frozenset({"chat"})), "ann", 3600)
