"""One hostile mail ends no channel, and costs little."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from email.message import EmailMessage, Message
from email.parser import BytesParser
from mailbox import Maildir
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mailparser_reply import EmailReplyParser

from mainspring import stores
from mainspring.core.errors import InvalidRequest, StoreError
from mainspring.core.settings import Settings
from mainspring.features.desk.channels import mail, mail_limits, service
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
    "a long subject": _START + b"Subject: " + b"=?" * 140_000 + b"\n\nHi\n",
    "a long parameter": _START + b"Content-Type: text/plain" + b"; a=b" * 1000 + b"\n\nHi\n",
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
    assert await channels._post.poll(channels.receive_mail) == len(HOSTILE) + 1
    assert await channels._post.poll(channels.receive_mail) == 0
    assert [each.text for each in await channels.store.claim_incoming()] == ["My order\n\nWhere is it?"]
    flags = sorted(each.name.partition(":2,")[2] for each in (tmp_path / "mail" / "cur").iterdir())
    assert flags == ["FS"] * len(HOSTILE) + ["S"]


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

    monkeypatch.setattr(channels._slots, "fill", failing("answer"))
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


@pytest.mark.parametrize(
    "data",
    [
        _START + b"\n" + b"Hello there, all of you.\n" * 360_000,
        _START + b"\n" + b"On " * 100_000,
        _START + b"\n" + b"\n" * 1_000_000,
        _START + b'Content-Type: multipart/mixed; boundary="x"\n\n' + b"--x\n\n" * 400_000,
        b"\r".join([*_START.split(b"\n"), *[b"a"] * 100_000]),
        b"a: b\n" * 100_000 + GOOD,
    ],
    ids=["long", "one line", "empty lines", "empty parts", "carriage returns", "headers"],
)
def test_what_is_parsed_of_a_mail_has_a_bound(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[tuple[bytes, Message]] = []
    looked: list[str] = []

    class Parser(BytesParser):
        def parsebytes(self, text: Any, headersonly: bool = False) -> Any:
            parsed.append((text, super().parsebytes(text, headersonly)))
            return parsed[-1][1]

    class Replies(EmailReplyParser):  # type: ignore[misc]
        def read(self, text: str) -> Any:
            looked.append(text)
            return super().read(text)

    monkeypatch.setattr(mail, "BytesParser", Parser)
    monkeypatch.setattr(mail, "EmailReplyParser", Replies)
    with contextlib.suppress(InvalidRequest):
        mail.read(data, OURS)
    [(text, found)] = parsed
    assert len(text) <= 1024 * 1024
    assert len(text.splitlines()) <= 20_000
    assert len(list(found.walk())) <= 1001
    for each in looked:
        assert len(each) <= 50_000
        assert max(map(len, each.split("\n"))) <= 200


async def test_mail_is_parsed_off_the_loop_and_one_at_a_time(opened: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    channels = office(opened).channels
    threads: list[int] = []
    inside = [0]
    read = mail.read

    def watched(data: bytes, own: str) -> mail.Mail:
        threads.append(threading.get_ident())
        inside[0] += 1
        assert inside[0] == 1
        found = read(data, own)
        inside[0] -= 1
        return found

    monkeypatch.setattr(mail, "read", watched)
    taken = await asyncio.gather(*(channels.receive_mail(GOOD.replace(b"<1@", b"<%d@" % each)) for each in range(8)))
    assert taken == [True] * 8
    assert threading.get_ident() not in threads


def test_attachments_behind_a_large_one_are_named() -> None:
    made = EmailMessage()
    made["From"], made["Subject"] = "Änne <ann@home.example>", "Größe der Lampe für €5, " + "lang " * 20
    made.set_content("Grüße € und Bilder.", charset="iso-8859-15")
    for name in ("größe.gif", "b.gif"):
        made.add_attachment(b"x" * 600_000, maintype="image", subtype="gif", filename=name)
    inner = EmailMessage()
    inner["From"], inner["Subject"] = "bob@home.example", "Inner"
    inner.set_content("Not hers.")
    made.add_attachment(inner)
    found = mail.read(made.as_bytes(), OURS)
    assert found.sender == "ann@home.example"
    assert found.subject == ("Größe der Lampe für €5, " + "lang " * 20).strip()
    assert found.text == "Grüße € und Bilder."
    assert list(found.refused) == ["größe.gif (image/gif)", "b.gif (image/gif)"]


def test_long_lines_and_subjects_of_other_programs_are_read() -> None:
    paragraph = "My order has not come. " * 40
    data = f"From: ann@home.example\nSubject: Größe\n\n{paragraph}\n\nOn Monday, Shop <{OURS}> wrote:\n> Hello\n"
    found = mail.read(data.encode(), OURS)
    assert (found.subject, found.text) == ("Größe", paragraph.strip())
    for charset in ("punycode", "nobody-knows", "undefined", "zlib"):
        named = _START + f"Content-Type: text/plain; charset={charset}\n\nHello there".encode()
        assert mail.read(named, OURS).text == "Hello there"


def test_the_beginning_of_a_mail_is_cut_no_further_than_said() -> None:
    assert mail_limits.shortened(GOOD) == GOOD
    assert mail_limits.shortened(GOOD.replace(b"\n", b"\r\n")) == GOOD
    dashes = GOOD + b"-- \nAnn\n--\n\n---\n"
    assert mail_limits.shortened(dashes) == dashes
