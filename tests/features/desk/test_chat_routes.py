"""The routes of chats: their requests count for the tenant of the chat, and wrong tokens are told of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from mainspring import stores
from mainspring.core.settings import GatewaySettings, Settings
from mainspring.core.types import TOKEN, Principal, TraceParent
from mainspring.features.desk.channels.chat_routes import router
from mainspring.gateway.edge.app import create_app
from mainspring.http.access import access_to
from mainspring.http.loop_fairness import LoopTime, Pace
from mainspring.stores import Stores
from tests.features.desk.desk_world import SHOP, keyed
from tests.features.desk.test_channels import office
from tests.gateway.asgi import ask


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


class Turns(Pace):
    """Notes whose requests asked for a turn."""

    def __init__(self) -> None:
        super().__init__(0.0)
        self.asked: list[str] = []

    async def turn(self, name: str, spent: LoopTime) -> None:
        self.asked.append(name)
        await super().turn(name, spent)


class Bearers:
    """Any secret is a key of the shop; one that begins with ``token`` is a token of an identity provider."""

    async def authenticate(self, secret: str) -> Principal:
        return Principal("acme", f"{TOKEN}ann", SHOP.scopes) if secret.startswith("token") else SHOP


async def test_requests_with_a_chats_token_take_the_turn_of_its_tenant(opened: Stores) -> None:
    desk, _ = office(opened)
    await keyed(opened, SHOP)
    pace, refused, settings = Turns(), list[str](), GatewaySettings()
    access = access_to(Bearers(), 30.0, refused=lambda error, *_: refused.append(error.code), pace=pace)
    app = create_app([router(desk.channels.chats, access)], settings, lambda _: TraceParent.new(), pace=pace)
    chat = await ask(app, "POST", "/v1/desk/chats", {"user": "ann"})
    assert (chat.status, pace.asked) == (201, ["acme"])
    mine = {"authorization": f"Bearer {chat.json['token']}"}
    said = await ask(app, "POST", "/v1/desk/chats/messages", {"id": "m1", "text": "Hello"}, headers=mine)
    read = await ask(app, "GET", "/v1/desk/chats/messages", headers=mine)
    assert (said.status, read.status, pace.asked) == (202, 200, ["acme"] * 3)
    wrong = await ask(app, "GET", "/v1/desk/chats/messages", headers={"authorization": "Bearer chat_other"})
    assert (wrong.status, refused, len(pace.asked)) == (401, ["invalid_api_key"], 3)


async def test_what_ends_before_a_chat_opens_none(opened: Stores) -> None:
    desk, _ = office(opened)
    await keyed(opened, SHOP)
    access = access_to(Bearers(), 30.0)
    app = create_app([router(desk.channels.chats, access)], GatewaySettings(), lambda _: TraceParent.new())
    for headers, status in (({"authorization": "Bearer token"}, 403), ({"x-region": "eu"}, 400)):
        assert (await ask(app, "POST", "/v1/desk/chats", {}, headers=headers)).status == status
