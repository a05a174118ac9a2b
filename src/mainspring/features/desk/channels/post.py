"""The post office: mail fetched by IMAP or from a Maildir, and sent by SMTP, each in a thread of its own."""

from __future__ import annotations

import asyncio
import base64
import imaplib
import logging
import os
import re
import smtplib
import ssl
from collections.abc import Awaitable, Callable
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from mainspring.core.errors import InvalidRequest, MainspringError, Unsupported, UpstreamError
from mainspring.features.desk.channels import mail
from mainspring.features.desk.channels.settings import EmailChannel
from mainspring.features.desk.channels.store import Claimed

Receive = Callable[[bytes], Awaitable[bool]]
_TIMEOUT_S = 30.0
_AT_ONCE = 50
_LARGEST = 10 * 1024 * 1024
_log = logging.getLogger(__name__)


class Post:
    """Fetches and sends mail."""

    def __init__(self, settings: EmailChannel) -> None:
        self._settings = settings

    @property
    def polls(self) -> bool:
        """Whether there is a place to look for mail."""
        return bool(self._settings.imap_host or self._settings.maildir)

    async def poll(self, receive: Receive) -> int:
        """Hand new mail to ``receive``, and mark it as seen once that has kept it; how many. Raises ``OSError``."""
        count = 0
        if self._settings.maildir:
            count += await self._from_maildir(receive)
        if self._settings.imap_host:
            count += await self._from_imap(receive)
        return count

    async def send(self, claimed: Claimed) -> str:
        """Send an answer; its Message-ID. Raises ``OSError``, ``UpstreamError``."""
        settings = self._settings
        if not settings.smtp_host:
            raise UpstreamError("no channels.email.smtp_host is set, so answers wait")
        sender = Address(settings.name, addr_spec=settings.address)
        thread = claimed.thread
        made = mail.answer(
            claimed.text,
            sender=sender,
            to=thread.person,
            address=thread.address,
            automatic=claimed.automatic,
            answer_id=claimed.id,
        )
        try:
            await asyncio.to_thread(self._submit, made)
        except smtplib.SMTPException as error:
            raise OSError(f"the mail server refused: {type(error).__name__}") from error
        return str(made["Message-ID"])

    def _submit(self, made: EmailMessage) -> None:
        settings = self._settings
        context = ssl.create_default_context()
        at_once = settings.smtp_tls and settings.smtp_port == smtplib.SMTP_SSL_PORT
        server: smtplib.SMTP
        if at_once:
            server = smtplib.SMTP_SSL(settings.smtp_host, settings.smtp_port, timeout=_TIMEOUT_S, context=context)
        else:
            server = smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=_TIMEOUT_S)
        with server:
            if settings.smtp_tls and not at_once:
                server.starttls(context=context)
            if settings.smtp_user:
                server.login(settings.smtp_user, settings.smtp_password)
            server.send_message(made)

    async def _from_maildir(self, receive: Receive) -> int:
        count = 0
        for path in await asyncio.to_thread(_new, self._settings.maildir):
            kept = await _given(receive, await asyncio.to_thread(_start, path))
            await asyncio.to_thread(_seen, path, kept=kept)
            count += 1
        return count

    async def _from_imap(self, receive: Receive) -> int:
        count = 0
        client = await asyncio.to_thread(self._connected)
        try:
            numbers = await asyncio.to_thread(_unseen, client)
            for number in numbers[:_AT_ONCE]:
                data = await asyncio.to_thread(_fetched, client, number)
                if data is None:
                    continue
                kept = await _given(receive, data)
                await asyncio.to_thread(_marked, client, number, kept=kept)
                count += 1
        except imaplib.IMAP4.error as error:
            raise OSError(f"IMAP: {error}") from error
        finally:
            await asyncio.to_thread(_left, client)
        return count

    def _connected(self) -> imaplib.IMAP4:
        settings = self._settings
        host, port = settings.imap_host, settings.imap_port
        try:
            client: imaplib.IMAP4
            if settings.imap_tls:
                context = ssl.create_default_context()
                client = imaplib.IMAP4_SSL(host, port, ssl_context=context, timeout=_TIMEOUT_S)
            else:
                client = imaplib.IMAP4(host, port, timeout=_TIMEOUT_S)
        except imaplib.IMAP4.error as error:
            raise OSError(f"IMAP: {error}") from error
        try:
            _log_in(client, settings.imap_user, settings.imap_password)
            _done(client.select(_folder(settings.imap_folder)), f"the folder {settings.imap_folder!r} does not open")
        except (OSError, imaplib.IMAP4.error) as error:
            _left(client)
            raise OSError(f"IMAP: {error}") from error
        return client


async def _given(receive: Receive, data: bytes) -> bool:
    """Whether a mail was taken. One that cannot be read is set aside: it would stop those behind it for ever. Raises
    ``OSError`` and errors of ours that are not of the mail: then it stays as it is, for the next time."""
    if not data:
        return True
    if len(data) > _LARGEST:
        _log.warning("a mail of more than %d bytes is set aside, flagged", _LARGEST)
        return False
    try:
        await receive(data)
    except Unsupported:
        raise
    except InvalidRequest as error:
        _log.warning("a mail is set aside, flagged: %s", error)
        return False
    except (OSError, MainspringError):
        raise
    except Exception as error:
        _log.warning("a mail is set aside, flagged: %s", type(error).__name__, exc_info=error)
        return False
    return True


def _new(place: str) -> list[Path]:
    """The oldest new messages of a Maildir, which is made where it is missing. Nothing of them is parsed."""
    box = Path(place).expanduser()
    for name in ("new", "cur", "tmp"):
        (box / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.scandir(box / "new") as entries:
        found = [each for each in entries if each.is_file() and not each.name.startswith(".")]
    found.sort(key=lambda each: (each.stat().st_mtime_ns, each.name))
    return [Path(each.path) for each in found[:_AT_ONCE]]


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LARGEST + 1)


def _seen(path: Path, *, kept: bool) -> None:
    flags = "S" if kept else "FS"
    path.rename(path.parent.parent / "cur" / f"{path.name.partition(':')[0]}:2,{flags}")


def _log_in(client: imaplib.IMAP4, user: str, password: str) -> None:
    if user.isascii() and password.isascii():
        client.login(user, password)
    else:
        # LOGIN has no other letters.
        client.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())


def _folder(name: str) -> str:
    """The name of a folder as it is sent: quoted, and other letters than ASCII in modified UTF-7 (RFC 3501, 5.1.3)."""
    encoded = re.sub("[^ -~]+", _in_utf7, name.replace("&", "&-"))
    return '"' + encoded.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _in_utf7(found: re.Match[str]) -> str:
    return "&" + base64.b64encode(found[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"


def _done(answer: tuple[str, list[Any]], problem: str) -> list[Any]:
    """What a server answered. Raises ``OSError`` if it did not do what it was asked: nothing is marked as read then."""
    status, found = answer
    if status != "OK":
        said = found[0].decode("utf-8", "replace") if found and isinstance(found[0], bytes) else status
        raise OSError(f"{problem}: {said[:200]}")
    return found


def _unseen(client: imaplib.IMAP4) -> list[str]:
    found = _done(client.search(None, "UNSEEN"), "IMAP: the folder cannot be searched")
    return [each.decode() for each in (found[0] or b"").split()]


def _fetched(client: imaplib.IMAP4, number: str) -> bytes | None:
    """A mail; None: somebody else has taken it away."""
    wanted = f"(BODY.PEEK[]<0.{_LARGEST + 1}>)"
    found = _done(client.fetch(number, wanted), f"IMAP: the mail {number} cannot be read")
    return next((bytes(part[1]) for part in found if isinstance(part, tuple)), None)


def _marked(client: imaplib.IMAP4, number: str, *, kept: bool) -> None:
    flags = "(\\Seen)" if kept else "(\\Seen \\Flagged)"
    _done(client.store(number, "+FLAGS", flags), f"IMAP: the mail {number} cannot be marked as read")


def _left(client: imaplib.IMAP4) -> None:
    try:
        client.logout()
    except (OSError, imaplib.IMAP4.error):
        return
