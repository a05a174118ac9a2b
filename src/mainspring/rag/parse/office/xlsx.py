"""Spreadsheets: each sheet under its name, each run of filled rows a table, values as they are shown.

A row opens with the name of its sheet and has the column's name at each value. Formulas appear as their last result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from mainspring.core.errors import UnreadableDocument
from mainspring.rag.parse.compose import Composer
from mainspring.rag.parse.markup import table_header
from mainspring.rag.parse.office import number_format, sheet_layout
from mainspring.rag.parse.office.opc import Package
from mainspring.rag.parse.parsed import Parsed

_S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_CELL = re.compile(r"([A-Z]{1,3})(\d{1,7})$")
_MAX_CELLS = 5_000_000
_MAX_MERGED = 100_000


@dataclass(slots=True)
class _Book:
    shared: list[str] = field(default_factory=list)
    formats: list[str] = field(default_factory=list)
    since_1904: bool = False
    cells: int = 0
    uncomputed: int = 0


def read(data: bytes, name: str) -> Parsed:
    """Parse an XLSX. Raises ``UnreadableDocument``, also for more than five million cells."""
    composer = Composer(name)
    with Package(data, name) as package:
        main = next((path for _, kind, path in package.relations("") if kind == "officeDocument"), "xl/workbook.xml")
        root = package.xml(main)
        relations = list(package.relations(main))
        paths = {identity: path for identity, kind, path in relations if kind == "worksheet"}
        others = {kind: path for _, kind, path in relations}
        properties = root.find(f"{_S}workbookPr")
        book = _Book(
            _shared(package.optional(others.get("sharedStrings", ""))),
            _formats(package.optional(others.get("styles", ""))),
            properties is not None and properties.get("date1904") in ("1", "true"),
        )
        for sheet in root.iter(f"{_S}sheet"):
            path = paths.get(sheet.get(f"{_R}id", ""))
            if path:
                title = " ".join(sheet.get("name", "").split()) or "Sheet"
                hidden = sheet.get("state", "visible") != "visible"
                _sheet(package.xml(path), f"{title} (hidden)" if hidden else title, book, composer)
    if book.uncomputed:
        composer.warnings.append(f"{book.uncomputed} formulas have no result: open and save the file to compute them")
    return composer.parsed("xlsx", "xlsx")


def _sheet(root: Element, title: str, book: _Book, composer: Composer) -> None:
    rows: dict[int, dict[int, str]] = {}
    for number, cells in _rows(root, book):
        rows[number] = cells
    if not rows:
        return
    _merge(root, rows)
    composer.add(f"## {title}")
    known: dict[int, str] = {}
    for block in _blocks(rows):
        columns = sorted({column for row in block for column in row})
        table = [[row.get(column, "") for column in columns] for row in block]
        above, table = sheet_layout.titles(table)
        table, below = sheet_layout.notes(table)
        if len(table) == 1 and len(columns) == 2 and not known:
            # A fact such as "Last update | 14 February", by itself.
            above, table = [*above, *table], []
        for row in above:
            _line(row, title, composer)
        names, levels = table_header.named(table)
        if levels and len(set(names)) > 1:
            known = dict(zip(columns, names, strict=True))
            table = [names, *table[levels:]]
        elif table and not levels and len(columns) > 1 and set(columns) <= set(known):
            # Rows that continue after an empty one have the same column names.
            table.insert(0, [known[column] for column in columns])
            levels = 1
        for section, part in sheet_layout.sections(table, levels > 0):
            if section:
                composer.add(section)
            composer.table(part, prefix=f"{title} | {section}" if section else title)
        for row in below:
            _line(row, title, composer)


def _line(row: Sequence[str], title: str, composer: Composer) -> None:
    """A title or a note, perhaps merged across the columns; two cells are a name and its value."""
    filled = [cell for cell in row if cell]
    once = list(dict.fromkeys(filled))
    if len(once) == 2:
        composer.table([once], prefix=title, unnamed=True)
    else:
        composer.add(" ".join(once))


def _rows(root: Element, book: _Book) -> Iterator[tuple[int, dict[int, str]]]:
    number = 0
    for row in root.iter(f"{_S}row"):
        given = row.get("r", "")
        number = int(given) if given.isdecimal() else number + 1
        cells: dict[int, str] = {}
        column = -1
        for cell in row.iter(f"{_S}c"):
            match = _CELL.match(cell.get("r", ""))
            column = _column(match[1]) if match else column + 1
            book.cells += 1
            if book.cells > _MAX_CELLS:
                raise UnreadableDocument(f"it has more than {_MAX_CELLS} cells", remedy="Split it into several files")
            text = _cell(cell, book)
            if text:
                cells[column] = text
        if cells:
            yield number, cells


def _cell(cell: Element, book: _Book) -> str:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        inline = cell.find(f"{_S}is")
        return _string(inline) if inline is not None else ""
    value = cell.findtext(f"{_S}v", "")
    if not value:
        book.uncomputed += cell.find(f"{_S}f") is not None
        return ""
    if kind == "s":
        return book.shared[int(value)] if value.isdecimal() and int(value) < len(book.shared) else ""
    if kind == "b":
        return "TRUE" if value == "1" else "FALSE"
    if kind == "d":
        return value.replace("T00:00:00", "").replace("T", " ")
    if kind != "n":
        return " ".join(value.split())
    try:
        number = float(value)
    except ValueError:
        return value
    style = cell.get("s", "0")
    index = int(style) if style.isdecimal() else 0
    code = book.formats[index] if index < len(book.formats) else "General"
    if code in ("General", "@", ""):
        return number_format.plain(number)
    return number_format.show(number, code, since_1904=book.since_1904)


def _merge(root: Element, rows: dict[int, dict[int, str]]) -> None:
    """Repeat merged cells in each place that they cover."""
    places = 0
    for each in root.iter(f"{_S}mergeCell"):
        first, _, last = each.get("ref", "").partition(":")
        start, end = _CELL.match(first), _CELL.match(last)
        if not start or not end:
            continue
        top, left = int(start[2]), _column(start[1])
        text = rows.get(top, {}).get(left, "")
        bottom, right = int(end[2]), _column(end[1])
        places += (bottom - top + 1) * (right - left + 1)
        if not text or places > _MAX_MERGED:
            continue
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                rows.setdefault(row, {})[column] = text


def _blocks(rows: dict[int, dict[int, str]]) -> Iterator[list[dict[int, str]]]:
    """Runs of rows without an empty one between."""
    block: list[dict[int, str]] = []
    before = -1
    for number in sorted(rows):
        if block and number != before + 1:
            yield block
            block = []
        block.append(rows[number])
        before = number
    if block:
        yield block


def _shared(root: Element | None) -> list[str]:
    return [_string(each) for each in root.iter(f"{_S}si")] if root is not None else []


def _string(element: Element) -> str:
    """Its runs, without the readings above Japanese text."""
    parts = [element.findtext(f"{_S}t", "")]
    parts += [run.findtext(f"{_S}t", "") for run in element.findall(f"{_S}r")]
    return " ".join("".join(parts).split())


def _formats(root: Element | None) -> list[str]:
    """The format code of each cell style."""
    if root is None:
        return []
    codes = dict(number_format.BUILTIN)
    for each in root.iter(f"{_S}numFmt"):
        identity = each.get("numFmtId", "")
        if identity.isdecimal():
            codes[int(identity)] = each.get("formatCode", "General")
    styles = root.find(f"{_S}cellXfs")
    found = []
    for each in styles if styles is not None else ():
        identity = each.get("numFmtId", "0")
        found.append(codes.get(int(identity) if identity.isdecimal() else 0, "General"))
    return found


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1
