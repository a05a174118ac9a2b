"""Mail as it comes in and goes out: RFC 5322 messages to what a customer said, and answers to messages."""

from __future__ import annotations

import codecs
import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header
from email.headerregistry import Address
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.policy import SMTP, compat32
from email.utils import getaddresses, make_msgid
from html.parser import HTMLParser
from typing import Any

from mailparser_reply import EmailReplyParser

from mainspring.core.errors import InvalidRequest
from mainspring.features.desk.channels import mail_limits

LOOP = "X-Mainspring-Desk"
"""Marks our own mail: what comes back with it is not answered."""
LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pl", "sv", "da")
_ID = re.compile(r"<[^<>\s]{1,500}>")
_MOST_IDS = 50
_NOBODY = re.compile(r"^(mailer-daemon|postmaster|no-?reply|do-?not-?reply|bounces?)([+@-]|$)", re.IGNORECASE)
_BLOCKS = frozenset(("p", "div", "br", "li", "tr", "h1", "h2", "h3", "blockquote"))
_SLOW = frozenset(("punycode", "idna", "undefined"))
"""Codecs that no mail uses; the first takes quadratic time."""
_LONG = "\ufffc"
"""Around the number of a line that stands elsewhere."""
_UNSEEN = frozenset(("script", "style", "head", "title"))


@dataclass(frozen=True, slots=True)
class Mail:
    """A message of a customer. ``references`` are the messages that it replies to, ``refused`` the names of its
    attachments, which are not taken. ``ignored`` says why nobody answers it (empty: somebody does)."""

    message_id: str
    sender: str
    subject: str
    text: str
    references: Sequence[str]
    refused: Sequence[str]
    ignored: str = ""


def read(data: bytes, own: str) -> Mail:
    """A message, without what it quotes. ``own`` is our address. Raises ``InvalidRequest`` for what is no mail."""
    try:
        return _read(data, own)
    except (
        MessageError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        AssertionError,
        RecursionError,
    ) as error:
        raise InvalidRequest(f"this is not a readable mail: {type(error).__name__}") from None


def _read(data: bytes, own: str) -> Mail:
    # The newer policy parses each header field as often as it is asked for, in quadratic time.
    found = BytesParser(policy=compat32).parsebytes(mail_limits.shortened(data))
    senders = [address for _, address in getaddresses([_header(found, "From")]) if "@" in address]
    subject = " ".join(_decoded(_header(found, "Subject")).split())
    ids = _ids(_header(found, "Message-ID"))
    references = _ids(f"{_header(found, 'References')} {_header(found, 'In-Reply-To')}")
    if not senders:
        raise InvalidRequest("this mail has no sender", remedy="Send a whole RFC 5322 message")
    sender = senders[0].lower()
    # Without an id of its own a message is known by what it is.
    message_id = ids[0] if ids else f"<{hashlib.sha256(data).hexdigest()}@no-id>"
    refused = [_name(part) for part in found.walk() if _is_attachment(part)]
    return Mail(message_id, sender, subject, _said(_body(found)), references, refused, _ignored(found, sender, own))


def told(mail: Mail, most: int) -> str:
    """What reaches the agent and people: the text, and that attachments were not taken."""
    text = mail.text[:most]
    if mail.refused:
        names = ", ".join(mail.refused[:10])
        text = f"{text}\n\n[Not taken, as attachments are not accepted here: {names}]"
    return text.strip()


def answer(
    text: str, *, sender: Address, to: str, address: Mapping[str, Any], automatic: bool, answer_id: str
) -> EmailMessage:
    """An answer within its thread. An automatic one says so, and asks for no automatic reply."""
    made = EmailMessage(policy=SMTP)
    subject = str(address.get("subject", "")).replace("\r", " ").replace("\n", " ")[:300]
    made["Subject"] = subject if subject.lower().startswith("re:") else f"Re: {subject or 'your message'}"
    made["From"] = sender
    made["To"] = to
    domain = sender.domain or "localhost"
    # The same after a restart, so a recipient can tell that a mail came twice.
    made["Message-ID"] = f"<{answer_id}@{domain}>" if answer_id else make_msgid(domain=domain)
    known = _ids(" ".join(str(each) for each in address.get("references", ())))[-20:]
    if known:
        made["In-Reply-To"] = known[-1]
        made["References"] = " ".join(known)
    made[LOOP] = "1"
    if automatic:
        made["Auto-Submitted"] = "auto-replied"
        made["X-Auto-Response-Suppress"] = "All"
    made.set_content(text)
    return made


def _ids(text: str) -> list[str]:
    return list(dict.fromkeys(_ID.findall(text)))[-_MOST_IDS:]


def _header(found: Message, name: str) -> str:
    value = next((str(value) for key, value in found.raw_items() if key.lower() == name.lower()), "")
    # The bytes beyond ASCII, which the parser keeps as surrogates, are UTF-8 (RFC 6532).
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip()


def _decoded(value: str) -> str:
    """With encoded words (RFC 2047) in plain text."""
    try:
        pieces = decode_header(value)
    except MessageError:
        return value
    return "".join(
        each if isinstance(each, str) else _text(each, name or "raw-unicode-escape") for each, name in pieces
    )


def _text(data: bytes, charset: str) -> str:
    try:
        known = codecs.lookup(charset).name
        return data.decode("utf-8" if known in _SLOW else known, "replace")
    except (LookupError, ValueError):
        # A character set that nobody knows, or that is none.
        return data.decode("utf-8", "replace")


def _ignored(found: Message, sender: str, own: str) -> str:
    automatic = (_header(found, "Auto-Submitted") or "no").split(";")[0].strip().lower()
    if _header(found, LOOP) or sender == own.lower():
        return "our own mail"
    if automatic != "no" or _header(found, "X-Autoreply") or _header(found, "X-Autorespond"):
        return "an automatic reply"
    if found.get_content_type() == "multipart/report" or _header(found, "Return-Path") == "<>":
        return "a report about delivery"
    if _header(found, "Precedence").lower() in ("bulk", "junk", "list") or _header(found, "List-Id"):
        return "mail to many"
    return "nobody reads that address" if _NOBODY.match(sender) else ""


def _is_attachment(part: Message) -> bool:
    if part.is_multipart():
        return False
    return part.get_content_disposition() == "attachment" or part.get_content_maintype() != "text"


def _name(part: Message) -> str:
    name = " ".join(_decoded(str(part.get_filename() or "unnamed")).split())[:80]
    return f"{name} ({part.get_content_type()})"


def _body(found: Message) -> str:
    """The first plain text, else the first HTML; that of a message within is another's."""
    texts: dict[str, Message] = {}
    waiting = [found]
    while waiting:
        part = waiting.pop()
        within = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(within, list):
            waiting += [each for each in reversed(within) if isinstance(each, Message)]
        elif not part.is_multipart() and not _is_attachment(part):
            texts.setdefault(part.get_content_subtype(), part)
    chosen = texts.get("plain") or texts.get("html")
    if chosen is None:
        return ""
    data = chosen.get_payload(decode=True)
    text = _text(data if isinstance(data, bytes) else b"", chosen.get_content_charset("utf-8"))
    return _plain(text) if chosen.get_content_subtype() == "html" else text


def _said(body: str) -> str:
    """Without quotations, and without the signature, unless nothing else is there."""
    body = body.strip()[: mail_limits.TEXT].replace("\r\n", "\n").replace(_LONG, "").strip()
    if not body:
        return ""
    lines = body.split("\n")
    # The parser takes quadratic time for a line. No line that begins a quotation is that long.
    looked = [each if len(each) <= mail_limits.LINE else f"{_LONG}{at}{_LONG}" for at, each in enumerate(lines)]
    found = EmailReplyParser(languages=list(LANGUAGES)).read(text="\n".join(looked))
    latest = found.replies[0] if found.replies else None
    text = (latest.body if latest is not None else "") or ""
    text = re.sub(f"{_LONG}([0-9]{{1,6}}){_LONG}", lambda each: lines[int(each[1])], text)
    return text.strip() or body


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self._unseen += tag in _UNSEEN
        if tag in _BLOCKS:
            self.pieces.append("\n> " if tag == "blockquote" else "\n")

    def handle_endtag(self, tag: str) -> None:
        self._unseen = max(0, self._unseen - (tag in _UNSEEN))

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.pieces.append(data)


def _plain(text: str) -> str:
    parser = _Text()
    parser.feed(text)
    lines = (" ".join(line.split()) for line in html.unescape("".join(parser.pieces)).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
