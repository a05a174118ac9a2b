"""Mail: messages and attachments out of a real mbox, a maildir and a folder."""

from __future__ import annotations

import mailbox
from email.message import EmailMessage
from pathlib import Path

import pytest

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.rag.connect.base import SyncState
from mainspring.rag.connect.mail import Mail
from mainspring.rag.parse import kinds
from tests.rag.conftest import Room
from tests.rag.connect.test_sql import sync as follow


def message(number: int, body: str, *attachments: tuple[str, str]) -> EmailMessage:
    made = EmailMessage()
    made["Subject"] = f"Delivery {number}"
    made["From"] = "Ann Example <ann@example.org>"
    made["To"] = "bob@example.org"
    made["Date"] = "Mon, 01 Jan 2024 00:00:00 +0000"
    made["Message-ID"] = f"<m{number}@example.org>"
    made.set_content(body)
    for name, text in attachments:
        made.add_attachment(text, filename=name)
    return made


def fill(path: Path, *messages: EmailMessage) -> None:
    path.unlink(missing_ok=True)
    box = mailbox.mbox(path)
    for each in messages:
        box.add(each)
    box.close()


async def test_messages_and_attachments_are_followed(room: Room, tmp_path: Path) -> None:
    path = tmp_path / "box.mbox"
    first = message(1, "The apples arrived.", ("../invoice.txt", "Ten apples cost one pound."))
    fill(path, first, message(2, "The pears are late."))
    report, cursor = await follow(room, Mail("mbox", path))  # type: ignore[arg-type]
    assert (sorted(report.added), report.failed) == (
        ["Delivery 1.eml", "Delivery 1/invoice.txt", "Delivery 2.eml"],
        [],
    )
    documents = {each.name: each for each in await room.stores.collections.documents(room.collection, None)}
    attached = documents["Delivery 1/invoice.txt"]
    assert attached.attributes["subject"] == "Delivery 1"
    assert attached.attributes["attachment"] is True
    assert attached.modified_at == 1704067200.0
    text = await room.stores.collections.text(documents["Delivery 1.eml"])
    assert "Ann Example" in text
    assert "The apples arrived." in text
    assert "one pound" not in text

    report, cursor = await follow(room, Mail("mbox", path), cursor)  # type: ignore[arg-type]
    assert (report.added, report.unchanged) == ([], [])

    fill(path, message(2, "The pears are late."), message(3, "The plums came early."))
    report, _ = await follow(room, Mail("mbox", path), cursor)  # type: ignore[arg-type]
    assert report.added == ["Delivery 3.eml"]
    assert sorted(report.removed) == ["Delivery 1.eml", "Delivery 1/invoice.txt"]


async def test_maildirs_and_folders_are_read_too(tmp_path: Path) -> None:
    mailbox.Maildir(tmp_path / "dir").add(message(1, "Apples."))
    (tmp_path / "eml" / "deep").mkdir(parents=True)
    (tmp_path / "eml" / "deep" / "x.eml").write_bytes(message(2, "Pears.").as_bytes())
    for form, name in (("maildir", "dir"), ("eml", "eml")):
        found = [each async for batch in Mail(form, tmp_path / name).changes(SyncState()) for each in batch.sources]
        assert len(found) == 1


async def test_one_message_is_a_source_and_one_that_is_too_large_is_reported(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one.eml"
    path.write_bytes(message(1, "Apples.").as_bytes())
    report, _ = await follow(room, Mail("eml", path))  # type: ignore[arg-type]
    assert report.added == ["Delivery 1.eml"]
    monkeypatch.setattr(kinds, "MAX_BYTES", 10)
    report, _ = await follow(room, Mail("eml", path))  # type: ignore[arg-type]
    assert [(each.name, "more than 10" in each.error) for each in report.failed] == [("one.eml", True)]
    assert report.removed == []


async def test_damaged_messages_are_still_messages(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"Subject: =?utf-8?q?broken\nDate: never\nFrom: <<>>,;\n\nText\xff\xfe.")
    (tmp_path / "b.eml").write_bytes(b"\x00\x01 no headers at all")
    found = [each async for batch in Mail("eml", tmp_path).changes(SyncState()) for each in batch.sources]
    assert len(found) == 2
    assert {each.modified_at for each in found} == {None}


async def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"absent\.mbox"):
        await anext(Mail("mbox", tmp_path / "absent.mbox").changes(SyncState()))
    with pytest.raises(InvalidRequest, match="pst"):
        Mail("pst", tmp_path)
