"""What is handed in over HTTP: whose mail it is, how much of it is held, and how many senders are answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from mainspring import stores
from mainspring.core.errors import Forbidden, InvalidRequest, TooLarge, Unauthenticated
from mainspring.core.settings import Settings
from mainspring.core.types import Context, Principal
from mainspring.features.desk.channels.routes import router
from mainspring.features.desk.channels.service import Channels
from mainspring.features.desk.store.cases import CaseFilter
from mainspring.stores import Stores
from tests.features.desk.desk_world import ADA, made
from tests.features.desk.test_channels import OURS, SECRET, Agent, letter, signed


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


def channels(opened: Stores, around: Any = None, **more: Any) -> Any:
    email = {"enabled": True, "address": OURS, **more}
    return made(opened, around, channels={"tenant": "acme", "email": email, "webhooks": {"app": {"secret": SECRET}}})


def client(wanted: Channels, tenant: str = "acme") -> AsyncClient:
    def access(scope: str) -> Any:
        async def caller() -> Context:
            return Context(Principal(tenant, "key_mx", frozenset({scope})))

        return caller

    app = FastAPI()
    app.include_router(router(wanted, cast(Any, access)))
    return AsyncClient(transport=ASGITransport(app), base_url="http://desk")


async def test_mail_is_handed_in_by_keys_of_its_tenant_alone(opened: Stores) -> None:
    desk = channels(opened)
    async with client(desk.channels, "other") as other:
        with pytest.raises(Forbidden):
            await other.post("/v1/desk/mail", content=letter())
    assert await desk.channels.store.claim_incoming() == []
    async with client(desk.channels) as own:
        assert (await own.post("/v1/desk/mail", content=letter())).json()["taken"]


class Counted:
    """A body without a stated length, in pieces of 64 KB; ``given`` is how many were taken."""

    given = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(160):
            self.given += 1
            yield b"[" * 65_536


async def test_little_is_held_of_a_message_whose_sender_nobody_knows(opened: Stores) -> None:
    desk = channels(opened)
    async with client(desk.channels) as http:
        unsigned, long = Counted(), Counted()
        with pytest.raises(Unauthenticated):
            await http.post("/v1/desk/webhooks/app", content=unsigned)
        with pytest.raises(TooLarge):
            await http.post("/v1/desk/webhooks/app", content=long, headers=signed(b""))
        with pytest.raises(TooLarge):
            await http.post("/v1/desk/webhooks/app", content=b"x" * 300_000, headers=signed(b""))
    assert (unsigned.given, long.given <= 5) == (0, True)


async def test_the_structure_of_a_message_is_counted_before_it_is_parsed(opened: Stores) -> None:
    desk = channels(opened)
    for body in (b"[" * 100_000, b"[" + b"1," * 120_000 + b"1]"):
        with pytest.raises((InvalidRequest, TooLarge), match=r"(?i)nest|deep|values|level"):
            await desk.channels.receive_signed("app", signed(body), body)


async def test_an_unknown_webhook_is_refused_in_the_words_of_a_wrong_signature(opened: Stores) -> None:
    desk = channels(opened)
    told = []
    for name, secret in (("app", "another secret of this length"), ("unknown", SECRET)):
        with pytest.raises(Unauthenticated) as refused:
            await desk.channels.receive_signed(name, signed(b"{}", secret=secret), b"{}")
        told.append(refused.value.args)
    assert told[0] == told[1]


async def test_a_flood_of_forged_senders_is_not_answered_to_others(opened: Stores) -> None:
    agent = Agent(opened)
    desk = channels(opened, agent, all_answers_an_hour=2)
    agent.desk = desk
    sent = 0
    for number in range(6):
        await desk.channels.receive_mail(letter("Hello", f"<{number}@x>", From=f"p{number}@home.example"))
        await desk.channels.answer_waiting()
        for each in await desk.channels.store.claim_outgoing():
            sent += 1
            await desk.channels.store.sent(each)
    assert (len(agent.asked), sent) == (2, 2)
    waiting = await desk.store.queue(ADA, CaseFilter(), 10)
    assert sorted(each.person for each in waiting) == [f"p{number}@home.example" for number in range(2, 6)]
