"""HTML pages and e-mails: their main text without navigation and advertisements, tables with every cell in place."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from typing import Any
from urllib.parse import unquote

from mainspring.core.errors import MissingExtra, UnreadableDocument
from mainspring.rag.parse.compose import Composer
from mainspring.rag.parse.encoding import decode
from mainspring.rag.parse.markup import markdown, table_header
from mainspring.rag.parse.parsed import Parsed

_MARK = "zqtable{}zq"
_MARKED = re.compile(r"zqtable(\d+)zq")
_SPACE = re.compile(r"(?<![ \t\r\n])[ \t\r\n]*\n[ \t\r\n]*")
# A whole page, and not a part of one.
_PAGE = re.compile(r"<(?:html|body)\b", re.IGNORECASE)
_UNSEEN = ("script", "style", "noscript", "template", "nav", "iframe", "svg", "head")
_AROUND = frozenset((*_UNSEEN, "footer", "aside", "form"))
# A page of this many words is read whole where less than this share of them was found to be its main text.
_LONG_PAGE, _MOST = 300, 0.5
_BRACE = re.compile(r"[{}]")
_DISPLAY_NONE = re.compile(r"\bdisplay\s*:\s*none\b")
_BY_NAME, _BY_CLASS = re.compile(r"[a-z][a-z0-9-]*"), re.compile(r"\.[\w-]+")
_MAX_STYLE = 100_000
_PICTURE = re.compile(r"!\[[^\[\]\n]{0,300}\]\([^()\n]{0,2000}\)")
_LINK = re.compile(r"\[([^\[\]\n]{0,300})\]\((?:[^()\s]|\([^()\s]{0,200}\)){0,2000}(?: \"[^\"\n]{0,300}\")?\)")
_ADDRESS = re.compile(r"(?:tel|sms):|mailto:(?P<mail>[^?@]{1,64}@[^?,]{1,255})?", re.IGNORECASE)
# 10 to the power of 6 is no 106, and a note's mark is no part of a word; "m2" is a unit.
_RAISED_AFTER = re.compile(r"\d$|[^\W\d_]{3}$")
_TITLES = ("h1", "h2", "h3", "h4", "h5", "h6")
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
    tree = _loaded(source, trafilatura.load_html)
    if tree is None:
        return
    title = " ".join((tree.findtext(".//title") or "").split())
    _unfold(tree)
    _unmark(tree)
    tables = _take_tables(tree, html)
    _as_blocks(tree)
    _flow(tree)
    part = _PAGE.search(source if isinstance(source, str) else source.decode("latin-1")) is None
    text = _everything(tree, html) if part else ""
    if not text:
        options: dict[str, Any] = {"include_tables": True, "include_links": False, "include_comments": False}
        options |= {"output_format": "markdown", "include_formatting": True, "favor_recall": True}
        text = trafilatura.extract(tree, **options) or trafilatura.html2txt(tree) or ""
        if _lacks_most(tree, text):
            text = _everything(tree, html) or text
    text = markdown.plain(text)
    if title and not markdown.headings(text):
        composer.add(f"# {title.lstrip('# ')}")
    at = 0
    for match in _MARKED.finditer(text):
        composer.markdown(text[at : match.start()])
        caption, cells, unnamed = tables[int(match[1])]
        composer.table(cells, caption=caption, unnamed=unnamed)
        at = match.end()
    composer.markdown(text[at:])


def _loaded(source: bytes | str, load: Callable[[bytes | str], Any]) -> Any:
    """The tree of a page, or of a part of one: a file of a site's generator often begins within the body. None if it is
    empty."""
    tree = load(source)
    if tree is not None:
        return tree
    # ``load`` refuses what names no document at its beginning and has one element at its top.
    text = source if isinstance(source, str) else decode(source, "")[0]
    return load(f"<!DOCTYPE html>\n<html><body>{text}</body></html>") if text.strip() else None


def _lacks_most(tree: Any, text: str) -> bool:
    """Whether ``text``, what was taken for the main text of a page, has less than half of the words that are outside of
    its menus and links: of a manual of one page, it may be one chapter."""
    words = 0
    waiting = [tree]
    while waiting:
        each = waiting.pop()
        if each.tag in _AROUND:
            continue
        words += len((each.text or "").split())
        for child in each:
            words += len((child.tail or "").split())
            if isinstance(child.tag, str) and child.tag != "a":
                waiting.append(child)
    return words >= _LONG_PAGE and len(text.split()) < _MOST * words


def _everything(tree: Any, html: Any) -> str:
    """A page or a part of one as Markdown, whole: no menus stand around a part, and what looks for the main text of a
    page drops headings and paragraphs of it. Empty if it cannot be converted."""
    try:
        import kreuzberg
    except ImportError:
        return ""
    hidden = _hidden_by_style(tree)
    for each in list(tree.iter(*_UNSEEN)):
        each.drop_tree()
    for each in [*hidden, *tree.xpath("//*[@hidden or contains(translate(@style, ' ', ''), 'display:none')]")]:
        if each.getparent() is not None:
            each.drop_tree()
    _define(tree, html)
    settings: dict[str, Any] = {"output_format": "markdown", "use_cache": False, "disable_ocr": True}
    config = kreuzberg.ExtractionConfig(**settings)
    try:
        found = kreuzberg.extract_bytes_sync(html.tostring(tree, encoding="utf-8"), "text/html", config=config)
    except Exception:
        return ""
    return _LINK.sub(r"\1", _PICTURE.sub("", str(found.content)))


def _define(tree: Any, html: Any) -> None:
    """Make each definition an item, "term: meaning", as in other formats; otherwise both would run together."""
    for listed in tree.iter("dl"):
        listed.tag = "ul"
        item: Any = None
        for child in list(listed):
            if child.tag == "dt":
                item = html.Element("li")
                item.text = " ".join(child.text_content().split())
                listed.replace(child, item)
            elif child.tag == "dd" and item is not None:
                first = child[0] if len(child) and child[0].tag == "p" and not (child.text or "").strip() else None
                told = child if first is None else first
                item.text = f"{item.text}: {(told.text or '').lstrip()}"
                item.extend(list(told))
                if first is not None:
                    child.remove(first)
                    item.extend(list(child))
                listed.remove(child)
                item = None
            elif child.tag == "dd":
                child.tag = "li"


def _hidden_by_style(tree: Any) -> list[Any]:
    """The elements that a page's own style hides by their name or class, whatever shows it."""
    found: list[Any] = []
    for style in tree.iter("style"):
        for selectors, body in _rules(style.text or ""):
            if not _DISPLAY_NONE.search(body):
                continue
            for selector in (each.strip() for each in selectors.split(",")):
                if _BY_NAME.fullmatch(selector):
                    found += tree.iter(selector)
                elif _BY_CLASS.fullmatch(selector):
                    found += tree.find_class(selector[1:])
    return found


def _rules(style: str) -> Iterator[tuple[str, str]]:
    """(selectors, declarations) of each rule of a style; those for one medium (at-rules) say nothing of others."""
    first, *others = style[:_MAX_STYLE].split("/*")
    text = "".join([first, *(part.partition("*/")[2] for part in others)])
    depth = start = opened = 0
    for brace in _BRACE.finditer(text):
        if brace.group() == "{":
            opened = opened if depth else brace.start()
            depth += 1
        elif depth:
            depth -= 1
            if not depth:
                selectors = text[start:opened].rpartition(";")[2].strip()
                if not selectors.startswith("@"):
                    yield selectors, text[opened + 1 : brace.start()]
                start = brace.end()


def _unfold(tree: Any) -> None:
    """Let a heading that opens what is folded below it be a heading: what is in a button is left out elsewhere, and the
    answers of a page of questions would stand without them."""
    for button in list(tree.iter("button")):
        if next(button.iterancestors(*_TITLES, "summary"), None) is not None:
            button.drop_tag()


def _unmark(tree: Any) -> None:
    """Make text of what would be written as tags (underlined, raised and lowered text), and of addresses: a line that
    has only a link passes for a menu elsewhere, and a page of contacts would lose its addresses."""
    for each in list(tree.iter("u", "sub", "sup", "a")):
        address = _ADDRESS.match(each.get("href") or "") if each.tag == "a" else None
        if each.tag == "a" and address is None:
            continue
        if address and address["mail"] and "@" not in each.text_content() and each.text_content().strip():
            each.tail = f" ({unquote(address['mail'])}){each.tail or ''}"
        elif each.tag == "sup" and each.text_content().strip().isdigit() and _RAISED_AFTER.search(_before(each)[-3:]):
            each.text = f"^{(each.text or '').lstrip()}"
        each.drop_tag()


def _before(each: Any) -> str:
    """The text right before an element, within its parent."""
    previous = each.getprevious()
    if previous is not None:
        return str(previous.tail or "")
    parent = each.getparent()
    return str(parent.text or "") if parent is not None else ""


def _as_blocks(tree: Any) -> None:
    """Make the cells of what is left of tables, which only lay out a page, blocks of their own: as cells of a row,
    headings, paragraphs and lists would run into one line."""
    for table in list(tree.iter("table")):
        for each in list(table.iter("thead", "tbody", "tfoot", "colgroup", "col", "tr", "td", "th", "caption")):
            each.tag = "div"
            each.attrib.clear()
        table.tag = "div"
        table.attrib.clear()


def _flow(tree: Any) -> None:
    """Let lines flow as a browser does: where its source was wrapped, a text has a space."""
    kept = {each for pre in tree.iter("pre", "textarea", "code") for each in pre.iter()}
    for each in tree.iter():
        if each.text and each not in kept:
            each.text = _SPACE.sub(" ", each.text)
        parent = each.getparent()
        if each.tail and parent not in kept:
            each.tail = _SPACE.sub(" ", each.tail)


def _take_tables(tree: Any, html: Any) -> list[tuple[str, list[list[str]], bool]]:
    """Put a mark in the place of each table of data; (caption, cells, whether each row is a key and its value) of each.
    Tables for layout stay."""
    found: list[tuple[str, list[list[str]], bool]] = []
    for table in list(tree.iter("table")):
        if next(table.iterdescendants("table"), None) is not None or table.getparent() is None:
            continue
        cells = _told(_grid(table))
        if len(cells) < 2 or max(len(row) for row in cells) < 2 or table.get("role") == "presentation":
            continue
        # A table around others lays out the page; those within are data as they are elsewhere.
        if next(table.iterancestors("nav", "footer"), None) is not None or _lays_out(table):
            continue
        words = [len(cell.split()) for row in cells for cell in row]
        if sum(words) > 60 * len(words):
            continue
        caption = " ".join("".join(each.text_content() for each in table.iter("caption")).split())
        mark = html.Element("p")
        mark.text, mark.tail = _MARK.format(len(found)), table.tail
        table.getparent().replace(table, mark)
        found.append((caption, cells, _are_pairs(table, cells)))
    return found


def _lays_out(table: Any) -> bool:
    """Whether a cell of ``table`` has a heading over other text: it is a part of the page."""
    titles = (title for title in table.iter(*_TITLES) if title.text_content().strip())
    for title in titles:
        cell = next(title.iterancestors("td", "th"), None)
        if cell is not None and len(cell.text_content().split()) > len(title.text_content().split()):
            return True
    return False


def _are_pairs(table: Any, cells: Sequence[Sequence[str]]) -> bool:
    """Whether each row of ``table``, of two columns, is a key and its value: no cell of the first row's second column
    is marked as a header, or stands over figures."""
    rows = [row for row in (list(row.iter("td", "th")) for row in table.iter("tr")) if row]
    if any(len(row) != 2 for row in rows) or any(len(row) != 2 for row in cells):
        return False
    second = rows[0][1]
    marked = second.tag == "th" or next(second.iter("b", "strong"), None) is not None
    return not (marked or table.find("thead") is not None or table_header.heads_figures([row[1] for row in cells]))


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
            text = _said(cell)
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


def _said(cell: Any) -> str:
    """The text of a cell; its lines and paragraphs do not run together."""
    for each in cell.iter("br", "p", "div", "li", *_TITLES):
        if each.tag != "br":
            each.text = f" {each.text or ''}"
        each.tail = f" {each.tail or ''}"
    return " ".join(cell.text_content().split())


def _told(cells: list[list[str]]) -> list[list[str]]:
    """``cells`` without the columns that say nothing, such as one of pictures: their first row would pass for names."""
    kept = [number for number in range(len(cells[0]) if cells else 0) if any(row[number] for row in cells)]
    return [[row[number] for number in kept] for row in cells]


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
