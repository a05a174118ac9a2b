"""One hostile mail ends no channel, and costs little."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from mailbox import Maildir
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mainspring import stores
from mainspring.core.errors import InvalidRequest, StoreError
from mainspring.core.settings import Settings
from mainspring.features.desk.channels import service
from mainspring.features.desk.channels.post import Post
from mainspring.features.desk.channels.settings import EmailChannel
from mainspring.features.desk.service import SupportDesk
from mainspring.stores import Stores
from tests.features.desk.desk_world import made

OURS = "help@shop.example"
GOOD = b"From: ann@home.example\nSubject: My order\nMessage-ID: <1@ann>\n\nWhere is it?\n"
_START = b"From: ann@home.example\nMIME-Version: 1.0\n"


def nested_messages(depth: int) -> bytes:
    return _START + b"Content-Type: message/rfc822\n\n" * depth + b"Hi\n"


def nested_parts(depth: int) -> bytes:
    levels = [b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (each, each) for each in range(depth)]
    return _START + b"".join(levels) + b"\nHi\n"


HOSTILE = {
    "messages in messages": nested_messages(2000),
    "parts in parts": nested_parts(1500),
    "comments in comments": b"From: " + b"(" * 5000 + b" ann@home.example\n\nHi\n",
}


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


def office(opened: Stores, **email: Any) -> SupportDesk:
    return made(opened, channels={"tenant": "acme", "email": {"enabled": True, "address": OURS, **email}})


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_is_nested_without_end_is_refused(opened: Stores, name: str) -> None:
    with pytest.raises(InvalidRequest):
        await office(opened).channels.receive_mail(HOSTILE[name])


async def test_hostile_mail_is_set_aside_and_what_is_behind_it_is_taken(opened: Stores, tmp_path: Path) -> None:
    box = Maildir(tmp_path / "mail")
    for data in (*HOSTILE.values(), GOOD):
        box.add(data)
    channels = office(opened, maildir=str(tmp_path / "mail")).channels
    assert await channels._post.poll(channels.receive_mail) == 4
    assert await channels._post.poll(channels.receive_mail) == 0
    assert [each.text for each in await channels.store.claim_incoming()] == ["My order\n\nWhere is it?"]
    flags = sorted(each.name.partition(":2,")[2] for each in (tmp_path / "mail" / "cur").iterdir())
    assert flags == ["FS", "FS", "FS", "S"]


async def test_mail_waits_while_it_cannot_be_kept_and_is_set_aside_if_it_is_at_fault(tmp_path: Path) -> None:
    box = Maildir(tmp_path / "mail")
    box.add(GOOD)
    post = Post(EmailChannel(maildir=str(tmp_path / "mail")))
    errors: list[Exception] = [StoreError("the disk is full"), RuntimeError("a fault")]

    async def receive(_: bytes) -> bool:
        raise errors.pop(0)

    with pytest.raises(StoreError):
        await post.poll(receive)
    assert await post.poll(receive) == 1
    assert await post.poll(receive) == 0


async def test_a_fault_in_one_round_ends_no_channel(opened: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_LOOK_S", 0.001)
    channels = office(opened, maildir="unused", poll_s=0.2).channels
    rounds = {"answer": 0, "send": 0, "mail": 0}
    again = asyncio.Event()

    def failing(name: str) -> Any:
        async def work(*_: Any) -> int:
            rounds[name] += 1
            if min(rounds.values()) > 1:
                again.set()
            raise RecursionError

        return work

    monkeypatch.setattr(channels, "answer_waiting", failing("answer"))
    monkeypatch.setattr(channels, "send_waiting", failing("send"))
    monkeypatch.setattr(channels._post, "poll", failing("mail"))
    working = asyncio.create_task(channels.work())
    waiting = asyncio.create_task(again.wait())
    await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED, timeout=30)
    assert waiting.done()
    assert not working.done()
    for each in (working, waiting):
        each.cancel()
    await asyncio.wait((working, waiting))
