"""Mail: an mbox file, a maildir, an ``.eml`` file or a folder of those. A message is a document, and so is each
attachment.

A message's document is the message itself, which the parser reads: subject, from, date and body.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import mailbox
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path

import mainspring.stores.sql.rows as rows
from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.rag.connect.base import Batch, Source, SyncState, split
from mainspring.rag.parse import kinds
from mainspring.stores.documents.records import Attributes

FORMS = ("mbox", "maildir", "eml")
_BATCH_MESSAGES = 64
_MAX_NAME = 100


class Mail:
    """The messages at ``path``, in one of ``FORMS``. Raises ``InvalidRequest`` for another form."""

    kind = "mail"

    def __init__(self, form: str, path: Path) -> None:
        if form not in FORMS:
            raise InvalidRequest(f"{form} is not a form of mail", remedy=f"Use {', '.join(FORMS)}", param="source")
        self._form = form
        self.path = path.expanduser().resolve()

    @property
    def location(self) -> str:
        return f"{self._form}:{self.path}"

    def owns(self, key: str) -> bool:
        return key.startswith(f"{self.location}#")

    async def changes(self, seen: SyncState) -> AsyncIterator[Batch]:
        """Batches of new messages with their attachments, then removed ones. No batch if an mbox is unchanged. Where a
        file is too large to be read nothing is gone, for its message may be known. Raises ``NotFound``."""
        if not self.path.exists():
            raise NotFound(f"there is no {self.path}", remedy="Give mail that exists", param="source")
        cursor = await asyncio.to_thread(self._cursor)
        if cursor and cursor == seen.cursor:
            return
        there: set[str] = set()
        large: list[tuple[str, str]] = []
        messages = self._messages(large)
        while found := await asyncio.to_thread(self._some, messages):
            new = [source for source in found if source.key not in there]
            there |= {source.key for source in new}
            changed = [source for source in new if seen.marks.get(source.key) != source.mark]
            yield Batch(changed, kept=[source.key for source in new if seen.marks.get(source.key) == source.mark])
        yield Batch(gone=[] if large else split(seen.marks, there), cursor=cursor, problems=large)

    def _cursor(self) -> str:
        if self._form != "mbox":
            return ""
        status = self.path.stat()
        return f"{status.st_mtime_ns}:{status.st_size}:{status.st_ino}"

    def _messages(self, large: list[tuple[str, str]]) -> Iterator[bytes]:
        if self._form == "eml":
            alone = self.path.is_file()
            for path in [self.path] if alone else sorted(self.path.rglob("*.eml")):
                if not path.is_file():
                    continue
                if path.stat().st_size > kinds.MAX_BYTES:
                    name = path.name if alone else path.relative_to(self.path).as_posix()
                    large.append((name, f"it has {path.stat().st_size} bytes, more than {kinds.MAX_BYTES}"))
                    continue
                yield path.read_bytes()
            return
        box: mailbox.Mailbox[mailbox.Message]
        if self._form == "mbox":
            box = mailbox.mbox(self.path, create=False)
        else:
            box = mailbox.Maildir(self.path, create=False)
        try:
            for key in box.keys():  # noqa: SIM118 - iterating a mailbox yields messages
                yield box.get_bytes(key)
        finally:
            box.close()

    def _some(self, messages: Iterator[bytes]) -> list[Source]:
        found: list[Source] = []
        for number, data in enumerate(messages, 1):
            found.extend(self._sources(data))
            if number == _BATCH_MESSAGES:
                break
        return found

    def _sources(self, data: bytes) -> Iterator[Source]:
        message = email.message_from_bytes(data, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        subject = _header(message, "subject")
        identity = _header(message, "message-id").strip("<> ") or _digest(data)
        key = f"{self.location}#{identity}"
        at = _time(_header(message, "date"))
        attributes: Attributes = {
            name: value
            for name, value in (
                ("subject", subject),
                ("from", _header(message, "from")),
                ("to", _header(message, "to")),
                ("message_id", identity),
            )
            if value
        }
        name = " ".join(subject.replace("/", " ").split())[:_MAX_NAME] or identity
        yield Source(
            key, f"{name}.eml", partial(bytes, data), attributes=attributes, modified_at=at, mark=_digest(data)
        )
        for number, part in enumerate(message.iter_attachments(), 1):
            content = _content(part)
            # Pictures within the text have no name; empty parts say nothing.
            filename = part.get_filename() or ""
            if content and filename:
                yield Source(
                    f"{key}#{number}",
                    f"{name}/{Path(filename.replace(chr(92), '/')).name[:_MAX_NAME]}",
                    partial(bytes, content),
                    attributes={**attributes, "attachment": True},
                    modified_at=at,
                    mark=_digest(content),
                )


def _content(part: EmailMessage) -> bytes:
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload(0)
        return inner.as_bytes() if isinstance(inner, EmailMessage) else b""
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _header(message: EmailMessage, name: str) -> str:
    try:
        return " ".join(str(message.get(name, "")).split())
    except (ValueError, IndexError, AttributeError):
        # The standard library stumbles over some malformed headers; a message without one is still a message.
        return ""


def _time(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None


def _digest(data: bytes) -> str:
    return rows.digest(data.decode("latin-1"))[:32]
