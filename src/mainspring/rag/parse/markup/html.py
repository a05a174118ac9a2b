"""HTML pages and e-mails: their main text without navigation and advertisements, tables with every cell in place."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from typing import Any

from mainspring.core.errors import MissingExtra, UnreadableDocument
from mainspring.rag.parse.compose import Composer
from mainspring.rag.parse.encoding import decode
from mainspring.rag.parse.markup import markdown
from mainspring.rag.parse.parsed import Parsed

_MARK = "zqtable{}zq"
_MARKED = re.compile(r"zqtable(\d+)zq")
_MAX_SPAN = 200
_MAX_CELLS = 1_000_000
_MAX_PARTS = 1000
_HEADERS = ("Subject", "From", "To", "Cc", "Date")


def read_html(data: bytes, name: str, kind: str) -> Parsed:
    """The main text of a page. Raises ``MissingExtra`` if trafilatura is not installed."""
    composer = Composer(name)
    write_html(data, composer)
    return composer.parsed(kind, "trafilatura")


def write_html(source: bytes | str, composer: Composer) -> None:
    """Append the main text of a page to ``composer``."""
    try:
        import trafilatura
        from lxml import html
    except ImportError:
        raise MissingExtra(
            "the extra `documents`, which reads HTML, is not installed", remedy="pip install 'mainspring[documents]'"
        ) from None
    if isinstance(source, bytes):
        # Bytes with an unreadable declaration make lxml guess; valid UTF-8 is decoded here.
        with contextlib.suppress(UnicodeDecodeError):
            source = source.decode()
    tree = trafilatura.load_html(source)
    if tree is None:
        return
    title = " ".join((tree.findtext(".//title") or "").split())
    tables = _take_tables(tree, html)
    options: dict[str, Any] = {"include_tables": True, "include_links": False, "include_comments": False}
    text = trafilatura.extract(tree, output_format="markdown", include_formatting=True, favor_recall=True, **options)
    if not text:
        text = trafilatura.html2txt(source)
    text = markdown.plain(text or "")
    if title and not markdown.headings(text):
        composer.add(f"# {title.lstrip('# ')}")
    at = 0
    for match in _MARKED.finditer(text):
        composer.markdown(text[at : match.start()])
        caption, cells = tables[int(match[1])]
        composer.table(cells, caption=caption)
        at = match.end()
    composer.markdown(text[at:])


def _take_tables(tree: Any, html: Any) -> list[tuple[str, list[list[str]]]]:
    """Put a mark in the place of each table of data; (caption, cells) of each. Tables for layout stay."""
    found: list[tuple[str, list[list[str]]]] = []
    for table in list(tree.iter("table")):
        if next(table.iterdescendants("table"), None) is not None or table.getparent() is None:
            continue
        cells = _grid(table)
        if len(cells) < 2 or max(len(row) for row in cells) < 2 or table.get("role") == "presentation":
            continue
        if next(table.iterancestors("table", "nav", "footer"), None) is not None:
            continue
        words = [len(cell.split()) for row in cells for cell in row]
        if sum(words) > 60 * len(words):
            continue
        caption = " ".join("".join(each.text_content() for each in table.iter("caption")).split())
        mark = html.Element("p")
        mark.text, mark.tail = _MARK.format(len(found)), table.tail
        table.getparent().replace(table, mark)
        found.append((caption, cells))
    return found


def _grid(table: Any) -> list[list[str]]:
    """Cells by row, those that span several places repeated in each."""
    rows: list[list[str]] = []
    waiting: dict[int, tuple[int, str]] = {}
    count = 0
    for row in table.iter("tr"):
        cells: list[str] = []

        def fill(cells: list[str] = cells) -> None:
            while len(cells) in waiting:
                left, text = waiting[len(cells)]
                waiting[len(cells)] = (left - 1, text)
                if left <= 1:
                    del waiting[len(cells)]
                cells.append(text)

        for cell in row.iter("td", "th"):
            fill()
            text = " ".join(cell.text_content().split())
            for _ in range(_span(cell.get("colspan"))):
                if _span(cell.get("rowspan")) > 1:
                    waiting[len(cells)] = (_span(cell.get("rowspan")) - 1, text)
                cells.append(text)
        fill()
        count += len(cells)
        if count > _MAX_CELLS:
            raise UnreadableDocument(f"it has a table of more than {_MAX_CELLS} cells", remedy="Split the file")
        rows.append(cells)
    width = max((len(row) for row in rows), default=0)
    return [[*row, *[""] * (width - len(row))] for row in rows if row]


def _span(value: str | None) -> int:
    return max(1, min(_MAX_SPAN, int(value))) if value and value.strip().isdecimal() else 1


# --- e-mail ---------------------------------------------------------------------------------------------------


def read_mail(data: bytes, name: str, kind: str) -> Parsed:
    """One message: its subject, sender and time, its text (of HTML mails the page's), names of its attachments."""
    message = message_from_bytes(data, policy=policy.default)
    composer = Composer(name)
    subject = _header(message, "Subject")
    composer.add(f"# {subject or 'No subject'}")
    composer.add("\n".join(f"{key}: {_header(message, key)}" for key in _HEADERS[1:] if _header(message, key)))
    body = message.get_body(("plain", "html"))
    if body is not None:
        text = _body(body, name)
        if body.get_content_type() == "text/html":
            write_html(text, composer)
        else:
            # A line of prose that begins with a mark of Markdown must not become a heading or a row.
            composer.add("\n".join(line.lstrip("#|") if line[:1] in "#|" else line for line in text.splitlines()))
    attached = list(_attached(message))
    if attached:
        composer.add("Attachments: " + ", ".join(attached))
    composer.warnings.extend(f"the message is malformed: {defect}" for defect in map(repr, message.defects[:3]))
    return composer.parsed(kind, "email")


def _header(message: EmailMessage, key: str) -> str:
    try:
        return " ".join(str(message.get(key, "")).split())
    except (ValueError, LookupError, AttributeError):
        # The standard library's header parser fails on some malformed addresses.
        return ""


def _body(part: MIMEPart, name: str) -> str:
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    charset = part.get_content_charset() or ""
    try:
        return raw.decode(charset) if charset else decode(raw, name)[0]
    except (LookupError, UnicodeDecodeError):
        return decode(raw, name)[0]


def _attached(message: EmailMessage) -> Iterator[str]:
    for number, part in enumerate(message.iter_attachments()):
        if number >= _MAX_PARTS:
            return
        payload = part.get_payload(decode=True)
        size = f", {len(payload)} bytes" if isinstance(payload, bytes) else ""
        yield f"{part.get_filename() or 'unnamed'} ({part.get_content_type()}{size})"
