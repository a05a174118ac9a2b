"""Word documents: paragraphs, headings, lists, tables, text boxes and footnotes, in the order in which they are read.

Running headers and footers, comments and deleted text are no part of the text; they are recorded as dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from mainspring.core.errors import UnreadableDocument
from mainspring.rag.parse.compose import Composer
from mainspring.rag.parse.office.opc import Package, local
from mainspring.rag.parse.parsed import Dropped, Parsed

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_HEADING = re.compile(r"(?:heading|überschrift|titre|titolo)\s*([1-9])$", re.IGNORECASE)
_MAX_COLUMNS = 500
_HIDDEN = frozenset(("del", "moveFrom", "instrText", "delText", "Fallback", "rPr", "pPr", "sectPr"))


@dataclass(slots=True)
class _Styles:
    """Which styles are headings (by id: level), titles and lists."""

    headings: dict[str, int] = field(default_factory=dict)
    titles: set[str] = field(default_factory=set)
    lists: set[str] = field(default_factory=set)


def read(data: bytes, name: str) -> Parsed:
    """Parse a DOCX. Raises ``UnreadableDocument``."""
    composer = Composer(name)
    with Package(data, name) as package:
        main = next((path for _, kind, path in package.relations("") if kind == "officeDocument"), "word/document.xml")
        body = package.xml(main).find(f"{_W}body")
        if body is None:
            raise UnreadableDocument(
                f"{name} is damaged: it has no body", remedy="Open it in its program and save it again"
            )
        related = {row[0]: row[1:] for row in package.relations(main)}
        paths = dict(related.values())
        styles = _styles(package, paths.get("styles", ""))
        if any(_value(each) in styles.titles for each in body.iter(f"{_W}pStyle")):
            # Under a title of its own, the first headings are second-level.
            below = {key: min(6, level + (key not in styles.titles)) for key, level in styles.headings.items()}
            styles.headings = below
        writer = _Writer(composer, styles)
        writer.notes = _notes(package, paths)
        writer.blocks(body)
        writer.finish()
        _record_dropped(package, related, composer)
    return composer.parsed("docx", "docx")


class _Writer:
    def __init__(self, composer: Composer, styles: _Styles) -> None:
        self._composer = composer
        self._styles = styles
        self.notes: dict[tuple[str, str], str] = {}
        self._noted: list[str] = []
        self._in_list = False
        self._caption = ""

    def blocks(self, parent: Element) -> None:
        """Write the paragraphs and tables below ``parent``."""
        for element in parent:
            tag = local(element.tag)
            if tag == "p":
                self._paragraph(element)
            elif tag == "tbl":
                self._table(element)
            elif tag in ("sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag"):
                self.blocks(element)

    def finish(self) -> None:
        """Write the notes that the text referred to."""
        for note in self._noted:
            self._composer.add(note)

    def _paragraph(self, element: Element) -> None:
        text = " ".join(self._text(element).split())
        if text:
            level, item = self._role(element)
            if level and len(text) <= 300:
                self._composer.add(f"{'#' * level} {text}")
            elif item >= 0:
                self._composer.add(f"{'  ' * item}- {text}", close=self._in_list)
            else:
                self._composer.add(text.lstrip("#|") if text[0] in "#|" else text)
            self._in_list = item >= 0 and not level
            self._caption = text if self._is_caption(element) else ""
        for box in _text_boxes(element):
            self.blocks(box)

    def _role(self, element: Element) -> tuple[int, int]:
        """(heading level or 0, depth in a list or -1)."""
        properties = element.find(f"{_W}pPr")
        if properties is None:
            return 0, -1
        style = _value(properties.find(f"{_W}pStyle"))
        outline = _value(properties.find(f"{_W}outlineLvl"))
        level = self._styles.headings.get(style, 0)
        if not level and outline.isdecimal() and int(outline) < 6:
            level = int(outline) + 1
        numbering = properties.find(f"{_W}numPr")
        if numbering is not None and _value(numbering.find(f"{_W}numId")) != "0":
            depth = _value(numbering.find(f"{_W}ilvl"))
            return level, min(8, int(depth)) if depth.isdecimal() else 0
        if style in self._styles.lists:
            depth = style[-1:]
            return level, int(depth) - 1 if depth.isdecimal() and depth != "0" else 0
        return level, -1

    def _is_caption(self, element: Element) -> bool:
        return "caption" in _value(element.find(f"{_W}pPr/{_W}pStyle")).lower()

    def _text(self, element: Element) -> str:
        parts: list[str] = []
        for each in element:
            tag = local(each.tag)
            if tag in _HIDDEN or tag == "txbxContent":
                continue
            if tag == "t":
                parts.append(each.text or "")
            elif tag in ("tab", "br", "cr", "ptab"):
                parts.append(" ")
            elif tag == "noBreakHyphen":
                parts.append("-")
            elif tag in ("footnoteReference", "endnoteReference"):
                parts.append(self._reference(tag[:-9], each.get(f"{_W}id", "")))
            else:
                parts.append(self._text(each))
        return "".join(parts)

    def _reference(self, kind: str, number: str) -> str:
        note = self.notes.get((kind, number))
        if not note:
            return ""
        mark = f"[{len(self._noted) + 1}]"
        self._noted.append(f"{mark} {note}")
        return mark

    def _table(self, element: Element) -> None:
        rows: list[list[str]] = []
        for row in _rows(element):
            cells: list[str] = []
            before = _number(row.find(f"{_W}trPr/{_W}gridBefore"))
            cells.extend([""] * before)
            for cell in _cells(row):
                properties = cell.find(f"{_W}tcPr")
                merge = properties.find(f"{_W}vMerge") if properties is not None else None
                span = max(1, _number(properties.find(f"{_W}gridSpan"))) if properties is not None else 1
                continued = merge is not None and _value(merge) != "restart"
                above = rows[-1][len(cells)] if continued and rows and len(cells) < len(rows[-1]) else None
                text = above if above is not None else self._cell(cell)
                cells.extend([text] * min(span, _MAX_COLUMNS - len(cells)))
            rows.append(cells)
        self._in_list = False
        if len(rows) == 1 and len(rows[0]) == 1:
            # A frame around a paragraph, not a table.
            self._composer.add(rows[0][0])
        else:
            self._composer.table(rows, caption=self._caption)
        self._caption = ""

    def _cell(self, cell: Element) -> str:
        parts = [" ".join(self._text(each).split()) for each in cell.iter(f"{_W}p")]
        return " ".join(part for part in parts if part)


def _rows(table: Element) -> Iterator[Element]:
    for each in table:
        if local(each.tag) == "tr":
            yield each
        elif local(each.tag) in ("sdt", "sdtContent", "ins", "customXml"):
            yield from _rows(each)


def _cells(row: Element) -> Iterator[Element]:
    for each in row:
        if local(each.tag) == "tc":
            yield each
        elif local(each.tag) in ("sdt", "sdtContent", "customXml"):
            yield from _cells(each)


def _text_boxes(element: Element) -> Iterator[Element]:
    """The contents of text boxes below ``element``, each once: old and new drawings of one box are side by side."""
    for each in element:
        tag = local(each.tag)
        if tag == "Fallback":
            continue
        if tag == "txbxContent":
            yield each
        else:
            yield from _text_boxes(each)


def _value(element: Element | None) -> str:
    return element.get(f"{_W}val", "") if element is not None else ""


def _number(element: Element | None) -> int:
    value = _value(element)
    return min(_MAX_COLUMNS, int(value)) if value.isdecimal() else 0


def _styles(package: Package, path: str) -> _Styles:
    found = _Styles()
    root = package.optional(path)
    for style in root.iter(f"{_W}style") if root is not None else ():
        identity = style.get(f"{_W}styleId", "")
        name = _value(style.find(f"{_W}name"))
        match = _HEADING.match(name)
        outline = _value(style.find(f"{_W}pPr/{_W}outlineLvl"))
        if name.lower() == "title":
            found.headings[identity] = 1
            found.titles.add(identity)
        elif match:
            found.headings[identity] = min(6, int(match[1]))
        elif outline.isdecimal() and int(outline) < 6:
            found.headings[identity] = int(outline) + 1
        if name.lower().startswith(("list bullet", "list number")) or style.find(f"{_W}pPr/{_W}numPr") is not None:
            found.lists.add(identity)
    return found


def _notes(package: Package, paths: dict[str, str]) -> dict[tuple[str, str], str]:
    notes: dict[tuple[str, str], str] = {}
    for kind in ("footnote", "endnote"):
        root = package.optional(paths.get(f"{kind}s", ""))
        for note in root.iter(f"{_W}{kind}") if root is not None else ():
            if note.get(f"{_W}type") in (None, "normal"):
                notes[kind, note.get(f"{_W}id", "")] = _plain(note)
    return notes


def _plain(element: Element) -> str:
    paragraphs = ("".join(each.text or "" for each in part.iter(f"{_W}t")) for part in element.iter(f"{_W}p"))
    return " ".join(" ".join(paragraphs).split())


def _record_dropped(package: Package, related: dict[str, tuple[str, str]], composer: Composer) -> None:
    for kind, path in related.values():
        if kind in ("header", "footer", "comments"):
            root = package.optional(path)
            if root is None:
                continue
            for each in list(root) if kind == "comments" else [root]:
                text = _plain(each)
                if text:
                    composer.dropped.append(Dropped("comment" if kind == "comments" else kind, text))
