"""The post office: mail fetched by IMAP or from a Maildir, and sent by SMTP, each in a thread of its own."""

from __future__ import annotations

import asyncio
import imaplib
import mailbox
import smtplib
import ssl
from collections.abc import Awaitable, Callable
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path

from mainspring.core.errors import InvalidRequest, UpstreamError
from mainspring.features.desk.channels import mail
from mainspring.features.desk.channels.settings import EmailChannel
from mainspring.features.desk.channels.store import Claimed

Receive = Callable[[bytes], Awaitable[bool]]
_TIMEOUT_S = 30.0
_AT_ONCE = 50
_LARGEST = 10 * 1024 * 1024


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
        box = await asyncio.to_thread(_opened, self._settings.maildir)
        count = 0
        for key in (await asyncio.to_thread(_new, box))[:_AT_ONCE]:
            await _given(receive, await asyncio.to_thread(box.get_bytes, key))
            await asyncio.to_thread(_seen, box, key)
            count += 1
        return count

    async def _from_imap(self, receive: Receive) -> int:
        count = 0
        client = await asyncio.to_thread(self._connected)
        try:
            numbers = await asyncio.to_thread(_unseen, client)
            for number in numbers[:_AT_ONCE]:
                await _given(receive, await asyncio.to_thread(_fetched, client, number))
                await asyncio.to_thread(client.store, number, "+FLAGS", "(\\Seen)")
                count += 1
        except imaplib.IMAP4.error as error:
            raise OSError(f"IMAP: {error}") from error
        finally:
            await asyncio.to_thread(_left, client)
        return count

    def _connected(self) -> imaplib.IMAP4:
        settings = self._settings
        try:
            client: imaplib.IMAP4
            if settings.imap_tls:
                context = ssl.create_default_context()
                client = imaplib.IMAP4_SSL(
                    settings.imap_host, settings.imap_port, ssl_context=context, timeout=_TIMEOUT_S
                )
            else:
                client = imaplib.IMAP4(settings.imap_host, settings.imap_port, timeout=_TIMEOUT_S)
            client.login(settings.imap_user, settings.imap_password)
            client.select(settings.imap_folder)
        except imaplib.IMAP4.error as error:
            raise OSError(f"IMAP: {error}") from error
        return client


async def _given(receive: Receive, data: bytes) -> None:
    if not data or len(data) > _LARGEST:
        return
    try:
        await receive(data)
    except InvalidRequest:
        # No mail: it would not become one.
        return


def _opened(place: str) -> mailbox.Maildir:
    return mailbox.Maildir(Path(place).expanduser(), None)


def _new(box: mailbox.Maildir) -> list[str]:
    return [key for key in box.iterkeys() if box.get_message(key).get_subdir() == "new"]


def _seen(box: mailbox.Maildir, key: str) -> None:
    message = box.get_message(key)
    message.set_subdir("cur")
    message.add_flag("S")
    box[key] = message


def _unseen(client: imaplib.IMAP4) -> list[str]:
    _, found = client.search(None, "UNSEEN")
    return [each.decode() for each in (found[0] or b"").split()]


def _fetched(client: imaplib.IMAP4, number: str) -> bytes:
    _, found = client.fetch(number, "(BODY.PEEK[])")
    return next((bytes(part[1]) for part in found if isinstance(part, tuple)), b"")


def _left(client: imaplib.IMAP4) -> None:
    try:
        client.logout()
    except (OSError, imaplib.IMAP4.error):
        return
