"""Markdown as it is parsed here: headings found, tables rewritten so that each row is self-contained.

A table row becomes one line, ``| Zone: 3 | Express: 23.95 |``: every cell with the name of its column, so that a
row can be found, shown and cited without the rest of its table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mainspring.rag.parse.markup import table_header
from mainspring.rag.parse.parsed import Heading

_HEADING = re.compile(r"(#{1,6})[ \t]++(.+)$")
_FENCE = re.compile(r"^[ \t]{0,3}(`{3,}|~{3,})")
_CAPITALS = re.compile(r"(?:\d{1,2}(?:\.\d{1,2})*[.)]?\s+)?[A-Z][A-Z0-9 ,:&'’()/–-]{2,80}")
_DIVIDER = re.compile(r"^[ \t]*(?:\|[ \t]*)?:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*(?:\|[ \t]*)?$")
_CELL = re.compile(r"(?<!\\)\|")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|~<>$&])")
_EMPHASIS = re.compile(r"(\*{1,3}|__)(?=\S)(.+?)(?<=\S)\1")
_SIGNS = frozenset("$£€¥")
# A title across a table opens each of its rows if it has at most this many words.
_TITLE_WORDS = 10
# Minimum share of cells in a form's key columns that end with a colon; its value columns may not have a larger share.
_KEYS = 0.8


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: its ``cells``, its text with one line a row, whether the first row of ``cells`` names the columns,
    and the caption that opens each line. ``unnamed``: its author left the names of its columns empty."""

    cells: list[list[str]]
    lines: list[str]
    header: bool
    caption: str = ""
    unnamed: bool = False


def grid(cells: Sequence[Sequence[str]], caption: str = "", *, unnamed: bool = False) -> Grid:
    """A table as lines, one a row. Its first row names the columns unless it holds numbers or gaps.

    Rows of merged cells and those below them name the columns together (``table_header``). A form,
    whose keys and values are side by side, has a line for each pair; so has a table of two columns that is ``unnamed``.
    """
    table = [[_flat(cell) for cell in row] for row in cells]
    table = _with_signs([row for row in table if any(row)])
    if not table:
        return Grid([], [], False, caption)
    if unnamed:
        keyed = all(len(row) == 2 for row in table)
        return Grid(table, _pairs(table, caption) if keyed else _lines(table, [], caption), False, caption, True)
    if _is_form(table):
        return Grid(table, _pairs(table, caption), False, caption)
    above: list[str] = []
    while title := table_header.title(table):
        table = table[1:]
        if len(title.split()) <= _TITLE_WORDS:
            caption = f"{caption} | {title}" if caption else title
        else:
            above.append(f"| {title} |")
    names, levels = table_header.named(table)
    body = table[levels:]
    return Grid([names, *body] if levels else table, [*above, *_lines(body, names, caption)], levels > 0, caption)


def _with_signs(table: list[list[str]]) -> list[list[str]]:
    """``table`` with each sign of a currency in the cell of its amount, where statements of accounts give signs a
    column of their own or leave them behind the amount before: ``$ | 412 $ | 307`` becomes ``$ 412 | $ 307``."""
    alone = {number for row in table for number, cell in enumerate(row) if cell in _SIGNS}
    named = {number for number, cell in enumerate(table[0]) if cell and cell not in _SIGNS} if table else set()
    if not alone or alone & named:
        return table
    found = []
    for row in table:
        cells, sign = [], ""
        for cell in row:
            own = cell in _SIGNS or (cell[-2:-1] == " " and cell[-1:] in _SIGNS)
            amount = cell[:-1].rstrip() if own else cell
            cells.append(f"{sign} {amount}" if sign and amount else amount)
            sign = cell[-1] if own else "" if amount else sign
        found.append(cells if not sign else row)
    width = max(map(len, found))
    kept = [number for number in range(width) if any(number < len(row) and row[number] for row in found)]
    return [[row[number] for number in kept if number < len(row)] for row in found]


def _lines(body: Sequence[Sequence[str]], names: Sequence[str], caption: str) -> list[str]:
    """One line per row; before them the column names if one of them has only empty cells."""
    lines = [_line(row, names, caption) for row in body]
    told = {number for row in body for number, cell in enumerate(row) if cell}
    unused = any(name and number not in told for number, name in enumerate(names))
    return [_line(names, (), caption), *lines] if unused else lines


def _is_form(table: Sequence[Sequence[str]]) -> bool:
    """Whether every second column has keys, which end with a colon, and the one behind it their values."""
    if len(table) < 2 or any(len(row) % 2 for row in table):
        return False
    keys = [cell.endswith(":") for row in table for cell in row[::2] if cell]
    values = [cell.endswith(":") for row in table for cell in row[1::2] if cell]
    if not keys or not values:
        return False
    return sum(keys) >= _KEYS * len(keys) and sum(values) <= (1 - _KEYS) * len(values)


def _pairs(table: Sequence[Sequence[str]], caption: str) -> list[str]:
    """A line a pair of a form; keys without a value are kept, and say so by having none."""
    pairs = [pair for row in table for pair in zip(row[::2], row[1::2], strict=True) if any(pair)]
    told = [f"{key.removesuffix(':').rstrip()}: {value}".strip() if key else value for key, value in pairs]
    return [f"| {caption} | {text} |" if caption else f"| {text} |" for text in told]


def parts(text: str, *, prefixed: bool = False) -> Iterator[str | Grid]:
    """``text`` cut at its pipe tables. ``prefixed``: each row of a table opens with the heading above it."""
    lines = text.split("\n")
    out: list[str] = []
    fence, caption = "", ""
    index = 0
    while index < len(lines):
        line = lines[index]
        mark = _FENCE.match(line)
        if mark:
            fence = "" if fence and mark[1].startswith(fence) else fence or mark[1][:3]
        heading = None if fence else _HEADING.match(line)
        if heading:
            caption = _flat(_unmarked(heading[2]))
        following = lines[index + 1] if index + 1 < len(lines) else ""
        if not fence and "|" in line and _divides(following, line):
            end = index + 2
            while end < len(lines) and "|" in lines[end] and lines[end].strip():
                end += 1
            yield "\n".join(out)
            out = []
            rows = [_cells(line), *(_cells(row) for row in lines[index + 2 : end])]
            if (title := _only_column(rows)) and not prefixed:
                yield grid(rows[1:], title)
            else:
                yield grid(rows, caption if prefixed else "", unnamed=not any(cell.strip() for cell in rows[0]))
            index = end
            continue
        out.append(line)
        index += 1
    yield "\n".join(out)


def _only_column(rows: Sequence[Sequence[str]]) -> str:
    """The name of the only column of ``rows``, which says what each of them is about; empty: they have several, or
    none."""
    name = _flat(rows[0][0])
    single = len(rows) > 1 and all(len(row) == 1 for row in rows)
    return name if single and len(name.split()) <= _TITLE_WORDS else ""


def _divides(line: str, header: str) -> bool:
    """Whether ``line`` is the one below the ``header`` of a table; of single dashes only if it has as many cells."""
    return bool(_DIVIDER.match(line)) and ("--" in line or len(_cells(line)) == len(_cells(header)))


def plain(text: str) -> str:
    """``text``, written by a converter, without its escapes and emphasis."""
    return _EMPHASIS.sub(r"\2", _ESCAPED.sub(r"\1", text))


def headings(text: str) -> tuple[Heading, ...]:
    """The ``#`` and underlined headings of ``text``, code fences left out."""
    found: list[Heading] = []
    fence, offset = "", 0
    before, before_offset = "", 0
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if mark:
            fence = "" if fence and mark[1].startswith(fence) else fence or mark[1][:3]
        elif not fence:
            match = _HEADING.match(line)
            underline = re.fullmatch(r"(={3,}|-{3,})[ \t]*", line)
            if match:
                found.append(Heading(len(match[1]), _flat(plain(_unmarked(match[2]))), offset, offset + len(line)))
            elif underline and _is_title(before):
                level = 1 if line.startswith("=") else 2
                found.append(Heading(level, _flat(plain(before)), before_offset, offset - 1))
        before, before_offset = line, offset
        offset += len(line) + 1
    return tuple(found)


def capitals(text: str) -> tuple[Heading, ...]:
    """Headings of plain text: lines in capitals between blank lines; one in the first line is the title."""
    found: list[Heading] = []
    offset, blank = 0, True
    lines = text.split("\n")
    for number, line in enumerate(lines):
        title = line.strip()
        alone = blank and (number == 0 or number + 1 >= len(lines) or not lines[number + 1].strip())
        if alone and _CAPITALS.fullmatch(title):
            found.append(Heading(1 if offset == 0 else 2, _flat(title), offset, offset + len(line)))
        blank = not title
        offset += len(line) + 1
    return tuple(found)


def _unmarked(heading: str) -> str:
    """A heading without the marks behind it, as in "# Title #"."""
    said = heading.rstrip(" \t")
    return said.rstrip("#").rstrip(" \t") or said[:1]


def _is_title(line: str) -> bool:
    return bool(line.strip()) and len(line) <= 120 and not line.lstrip().startswith(("|", "-", "*", ">", "#"))


def has_figures(table: Sequence[Sequence[str]], periods: int) -> bool:
    """Whether each row of ``table`` has a name and ``periods`` figures, and none names the columns."""
    full = periods > 1 and all(len(row) == periods + 1 and row[0] for row in table)
    figures = full and all(
        table_header.NUMERIC.match(cell) or cell.strip(" -–—") == "" for row in table for cell in row[1:]
    )
    return (
        figures
        and bool(table)
        and not any(table_header.NUMERIC.match(row[0]) for row in table)
        and not table_header.is_header(table[0])
    )


def _line(row: Sequence[str], names: Sequence[str], caption: str) -> str:
    cells = []
    for number, cell in enumerate(row):
        name = names[number] if number < len(names) else ""
        if cell:
            cells.append(f"{name}: {cell}" if name else cell)
    if caption:
        cells.insert(0, caption)
    return f"| {' | '.join(cells)} |"


def _cells(line: str) -> list[str]:
    inner = line.strip()
    inner = inner.removeprefix("|")
    if inner.endswith("|") and not inner.endswith("\\|"):
        inner = inner[:-1]
    return [plain(cell) for cell in _CELL.split(inner)]


def _flat(text: str) -> str:
    return " ".join(text.replace("|", "/").replace("<br>", " ").split())
