"""Tables on a page: drawn grids, and aligned columns of short cells.

A cell that covers several places of a grid is repeated in each, so that every row can be read by itself.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from mainspring.rag.parse.parsed import Box
from mainspring.rag.parse.pdf import geometry
from mainspring.rag.parse.pdf.geometry import Picture, Piece, Rule

Cells = list[list[str]]
_SLACK = 2.5
_MAX_GRID_LINES = 400
# Cells of an unruled table are short; lines of text columns are not.
_CELL_WORDS = 5.0
# For a known table: boxes of prose look like tables to a model.
_KNOWN_CELL_WORDS = 9
_MIN_GAP = 0.7
_WRAP = 0.45
_CODE = re.compile(
    r"^\s*(?:from [\w.]+ import\b|import [\w.]+|def \w|class \w+[(:]|return\b|>>> |#include|\$ \w)"
    r"|\w\([^()]*(?:\)|,|$)\s*[;{:]?$|^\s*[\w.]+\s*=\s*[\w\"'\[({]|[;{}]\s*$"
)
_CAPTION = re.compile(r"(?:table|tab\.|tabelle|tableau|exhibit)\s*[\dA-Z]+(?:[.\-]\d+)*\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PlacedTable:
    """A table, its cells by row from the top, and its place."""

    box: Box
    cells: Cells
    ruled: bool


def is_caption(text: str) -> bool:
    """Whether a line opens as captions of tables do: ``Table 3: ...``."""
    return _CAPTION.match(text) is not None


def place(
    pieces: Sequence[Piece],
    found: Sequence[PlacedTable] | Sequence[Picture],
    placed: list[PlacedTable | Picture],
) -> list[Piece]:
    """``pieces`` with one piece in the place of those inside each of ``found``, which go to the end of ``placed``."""
    for each in found:
        left, bottom, right, top = each.box
        stand_in = Piece(left, bottom, right, top, "", block=len(placed))
        placed.append(each)
        kept: list[Piece] = []
        waiting = True
        for piece in pieces:
            inside = isinstance(each, PlacedTable) and piece.block < 0 and geometry.within(piece, each.box)
            if inside and waiting:
                kept.append(stand_in)
                waiting = False
            if not inside:
                kept.append(piece)
        if waiting:
            kept.append(stand_in)
        pieces = kept
    return list(pieces)


# --- ruled ----------------------------------------------------------------------------------------------------


def ruled(pieces: Sequence[Piece], rules: Sequence[Rule]) -> list[PlacedTable]:
    """Grids of at least two rows and two columns that touching rules draw and that hold text."""
    found = []
    for group in _groups(_merged(rules)):
        xs = _distinct([rule.left for rule in group if not rule.horizontal])
        ys = _distinct([rule.bottom for rule in group if rule.horizontal])
        if len(xs) < 3 or len(ys) < 3 or len(xs) * len(ys) > _MAX_GRID_LINES**2:
            continue
        box = (xs[0], ys[0], xs[-1], ys[-1])
        inside = [piece for piece in pieces if geometry.within(piece, box)]
        filled = {(_slot(xs, piece.left + 1), _slot(ys, piece.middle)) for piece in inside}
        if len(filled) >= 3 and _tabular(cells := _cells(inside, group, xs, ys)):
            found.append(PlacedTable(box, cells, ruled=True))
    return found


def _tabular(cells: Cells) -> bool:
    """Whether two rows or more have different texts side by side: else it is a frame around text."""
    return sum(len({cell for cell in row if cell}) >= 2 for row in cells) >= 2


def _merged(rules: Sequence[Rule]) -> list[Rule]:
    """Rules that continue each other as one."""
    merged: list[Rule] = []
    for horizontal in (True, False):
        lines: dict[int, list[tuple[float, float]]] = {}
        for rule in rules:
            if rule.horizontal == horizontal:
                place, start, end = (
                    (rule.bottom + rule.top, rule.left, rule.right)
                    if horizontal
                    else (rule.left + rule.right, rule.bottom, rule.top)
                )
                key = round(place / 2)
                key = key - 1 if key - 1 in lines else key + 1 if key + 1 in lines else key
                lines.setdefault(key, []).append((start, end))
        for key, spans in lines.items():
            spans.sort()
            start, end = spans[0]
            for low, high in [*spans[1:], (float("inf"), 0.0)]:
                if low > end + 1.5:
                    merged.append(Rule(start, key, end, key) if horizontal else Rule(key, start, key, end))
                    start, end = low, high
                end = max(end, high)
    return merged


def _groups(rules: Sequence[Rule]) -> list[list[Rule]]:
    """Rules that touch, directly or through others."""
    groups: list[list[Rule]] = []
    for rule in rules:
        touching = [group for group in groups if any(_touch(rule, other) for other in group)]
        joined = [rule, *(other for group in touching for other in group)]
        groups = [group for group in groups if not any(group is each for each in touching)] + [joined]
    return groups


def _touch(one: Rule, other: Rule, slack: float = 2.0) -> bool:
    return (
        one.left <= other.right + slack
        and other.left <= one.right + slack
        and one.bottom <= other.top + slack
        and other.bottom <= one.top + slack
    )


def _distinct(values: Sequence[float]) -> tuple[float, ...]:
    found: list[float] = []
    for value in sorted(values):
        if not found or value - found[-1] > _SLACK:
            found.append(value)
    return tuple(found)


def _slot(edges: Sequence[float], value: float) -> int:
    return max(0, min(bisect_right(edges, value) - 1, len(edges) - 2))


def _cells(pieces: Sequence[Piece], rules: Sequence[Rule], xs: Sequence[float], ys: Sequence[float]) -> Cells:
    width, height = len(xs) - 1, len(ys) - 1
    # Rows count from the top; a place's owner is the first place of the merged cell that it belongs to.
    owner = _owners(rules, xs, ys)
    texts: dict[int, list[Piece]] = {}
    for piece in pieces:
        row = height - 1 - _slot(ys, piece.middle)
        texts.setdefault(owner[row * width + _slot(xs, piece.left + 1)], []).append(piece)
    joined = {place: " ".join(line(row) for row in geometry.rows(group)) for place, group in texts.items()}
    return [[joined.get(owner[row * width + column], "") for column in range(width)] for row in range(height)]


def _owners(rules: Sequence[Rule], xs: Sequence[float], ys: Sequence[float]) -> list[int]:
    width, height = len(xs) - 1, len(ys) - 1
    owner = list(range(width * height))

    def root(place: int) -> int:
        while owner[place] != place:
            place = owner[place]
        return place

    across = [rule for rule in rules if rule.horizontal]
    down = [rule for rule in rules if not rule.horizontal]
    for row in range(height):
        low, high = ys[height - 1 - row], ys[height - row]
        for column in range(width):
            place = row * width + column
            middle_y, middle_x = (low + high) / 2, (xs[column] + xs[column + 1]) / 2
            if column + 1 < width and not _drawn(down, xs[column + 1], middle_y):
                owner[root(place + 1)] = root(place)
            if row + 1 < height and not _drawn(across, middle_x, low):
                owner[root(place + width)] = root(place)
    return [root(place) for place in range(width * height)]


def _drawn(rules: Sequence[Rule], x: float, y: float) -> bool:
    return any(
        rule.left - _SLACK <= x <= rule.right + _SLACK and rule.bottom - _SLACK <= y <= rule.top + _SLACK
        for rule in rules
    )


def line(pieces: Sequence[Piece]) -> str:
    """The text of pieces on one line, from the left."""
    text = ""
    for piece in pieces:
        words = " ".join(piece.text.split())
        text += words if piece.glued or not text or not words else f" {words}"
    return text


# --- unruled --------------------------------------------------------------------------------------------------


def unruled(pieces: Sequence[Piece], em: float, *, least: int) -> list[PlacedTable]:
    """Runs of at least three lines whose cells are in ``least`` or more columns.

    ``em`` is the usual height of a line. Cells that wrap are joined to the row that they belong to.
    """
    lines = geometry.rows(pieces)
    parts = [_split(row, em) for row in lines]
    found: list[PlacedTable] = []
    index = 0
    while index < len(lines):
        if not _cell_like(parts[index], least):
            index += 1
            continue
        end = _run_end(parts, index, least, em)
        outside = [*parts[:index], *parts[end:]]
        table = None if _in_column(parts[index:end], outside) else _unruled(parts[index:end], em, least)
        if table:
            found.append(table)
            index = end
        else:
            index += 1
    return found


def inside(pieces: Sequence[Piece], em: float) -> PlacedTable | None:
    """The table formed by ``pieces``, which are known to be one; None if they do not form two columns or more."""
    table = _unruled([_split(row, em) for row in geometry.rows(pieces)], em, 2, known=True)
    if table is None or not _tabular(table.cells):
        return None
    words = [len(cell.split()) for row in table.cells for cell in dict.fromkeys(row) if cell]
    return table if median(words) <= _KNOWN_CELL_WORDS else None


def _in_column(inside: Sequence[Sequence[Sequence[Piece]]], outside: Sequence[Sequence[Sequence[Piece]]]) -> bool:
    """Whether long cells right of the first column are on the left edge of text above or below: a column of text."""
    edges = [cell[0].left for cells in inside for cell in cells[1:] if _words(cell) >= 4]
    others = [cell[0].left for cells in outside for cell in cells if _words(cell) >= 4]
    if len(edges) < 2:
        return False
    edge = median(edges)
    return sum(abs(other - edge) < 2 for other in others) >= 3


def _words(cell: Sequence[Piece]) -> int:
    return sum(len(piece.text.split()) for piece in cell)


def _split(row: Sequence[Piece], em: float) -> list[list[Piece]]:
    """A line as cells: pieces with less than a gap between them are one."""
    cells: list[list[Piece]] = []
    for piece in row:
        if cells and piece.left - cells[-1][-1].right < _MIN_GAP * em:
            cells[-1].append(piece)
        else:
            cells.append([piece])
    return cells


def _cell_like(cells: Sequence[Sequence[Piece]], least: int) -> bool:
    if len(cells) < least or any(piece.block >= 0 for cell in cells for piece in cell):
        return False
    words = [sum(len(piece.text.split()) for piece in cell) for cell in cells]
    return median(words) <= _CELL_WORDS and not _marker(cells[0], len(cells))


def _marker(cell: Sequence[Piece], count: int) -> bool:
    """A bullet or a number before the text of a list item."""
    return count == 2 and re.fullmatch(r"[•‣◦▪■●○➢❖–\-*·]|\(?[\da-zA-Z]{1,2}[.)]", cell[0].text.strip()) is not None


def _run_end(parts: Sequence[Sequence[Sequence[Piece]]], start: int, least: int, em: float) -> int:
    """The first line after ``start`` that no longer belongs to the table."""
    left = min(cell[0].left for cell in parts[start])
    right = max(cell[-1].right for cell in parts[start])
    end = start + 1
    last_full = start
    for index in range(start + 1, len(parts)):
        cells = parts[index]
        above = parts[index - 1]
        gap = min(piece.bottom for cell in above for piece in cell) - max(piece.top for cell in cells for piece in cell)
        if gap > 2.2 * em or any(piece.block >= 0 for cell in cells for piece in cell):
            break
        if _cell_like(cells, least):
            left = min(left, cells[0][0].left)
            right = max(right, cells[-1][-1].right)
            last_full, end = index, index + 1
            continue
        # A line in fewer columns is the rest of a wrapping cell if it is close and not a full line.
        spread = cells[-1][-1].right - cells[0][0].left
        if index - last_full > 3 or gap > _WRAP * em or spread > 0.75 * (right - left):
            break
        end = index + 1
    while end > start and not _cell_like(parts[end - 1], least) and not _wraps(parts[end - 1], parts[end - 2], em):
        end -= 1
    return end


def _wraps(cells: Sequence[Sequence[Piece]], above: Sequence[Sequence[Piece]], em: float) -> bool:
    """Whether a line continues cells of the line above: it is close to that line, and each part starts under one of its
    cells."""
    gap = min(piece.bottom for cell in above for piece in cell) - max(piece.top for cell in cells for piece in cell)
    return gap <= _WRAP * em and all(any(abs(cell[0].left - other[0].left) < em for other in above) for cell in cells)


def _unruled(
    parts: Sequence[Sequence[Sequence[Piece]]], em: float, least: int, *, known: bool = False
) -> PlacedTable | None:
    """``known``: it is a table, whatever its cells look like."""
    full = [cells for cells in parts if len(cells) >= least]
    if len(full) < (2 if known else 3) or (not known and _beside_prose(full)):
        return None
    columns = _columns([cell for cells in full for cell in cells], em)
    if len(columns) < least:
        return None
    wide = [cells for cells in full if len(cells) >= max(least, len(columns) - 1)]
    # Columns that most lines leave empty are words of a text that happen to be above each other.
    if not known and len(wide) < 0.6 * len(full):
        return None
    table: Cells = []
    previous: Sequence[Sequence[Piece]] = ()
    for cells in parts:
        texts = [""] * len(columns)
        for cell in cells:
            first, last = _covered(columns, cell)
            words = line(cell)
            for column in range(first, last + 1):
                texts[column] = f"{texts[column]} {words}".strip()
        if table and previous and _is_rest(texts, cells, previous, em):
            table[-1] = [f"{above} {rest}".strip() for above, rest in zip(table[-1], texts, strict=True)]
        else:
            table.append(texts)
        previous = cells
    prose = any(_is_prose([row[column] for row in table if row[column]]) for column in range(len(columns)))
    if not known and (prose or _is_code(table)):
        return None
    pieces = [piece for cells in parts for cell in cells for piece in cell]
    return PlacedTable(geometry.bounds(pieces), table, ruled=False)


def _beside_prose(lines: Sequence[Sequence[Sequence[Piece]]]) -> bool:
    """Whether these lines contain a text column: long lines, most of which start inside a sentence."""
    long = [line(cell) for cells in lines for cell in cells if sum(len(piece.text.split()) for piece in cell) >= 4]
    return len(long) >= 2 and sum(text[:1].islower() for text in long) > 0.35 * len(long)


def _is_prose(cells: Sequence[str]) -> bool:
    """Whether a column's cells are lines of running text: they go on in small letters where cells begin afresh."""
    words = sum(len(cell.split()) for cell in cells)
    small = sum(cell[0].islower() for cell in cells)
    return words >= 2.8 * len(cells) and small > 0.4 * len(cells)


def _is_code(table: Cells) -> bool:
    """Whether most rows are lines of a program, whose words happen to be above each other."""
    lines = [" ".join(filter(None, row)) for row in table]
    return 2 * sum(_CODE.search(each) is not None for each in lines) > len(lines)


def _is_rest(
    texts: Sequence[str], cells: Sequence[Sequence[Piece]], above: Sequence[Sequence[Piece]], em: float
) -> bool:
    """Whether a line only continues cells of the row above: it is close, and its first column is empty."""
    gap = min(piece.bottom for cell in above for piece in cell) - max(piece.top for cell in cells for piece in cell)
    return gap <= _WRAP * em and not texts[0] and sum(bool(text) for text in texts) < max(2, len(texts) - 1)


def _columns(cells: Sequence[Sequence[Piece]], em: float) -> list[tuple[float, float]]:
    """(left, right) of each column: extents of cells that overlap, those that span several left out at first."""
    spans = sorted((cell[0].left, cell[-1].right) for cell in cells)
    widths = median(right - left for left, right in spans)
    narrow = [span for span in spans if span[1] - span[0] <= 3 * widths] or spans
    columns: list[tuple[float, float]] = []
    for left, right in narrow:
        if columns and left < columns[-1][1] - 0.1 * em:
            columns[-1] = (columns[-1][0], max(columns[-1][1], right))
        else:
            columns.append((left, right))
    return columns


def _covered(columns: Sequence[tuple[float, float]], cell: Sequence[Piece]) -> tuple[int, int]:
    """The first and last column that a cell covers; the nearest if it covers none."""
    left, right = cell[0].left, cell[-1].right
    over = [
        n
        for n, (start, end) in enumerate(columns)
        if min(right, end) - max(left, start) > 0.3 * min(right - left, end - start)
    ]
    if over:
        return over[0], over[-1]
    middle = (left + right) / 2
    nearest = min(range(len(columns)), key=lambda n: abs(sum(columns[n]) / 2 - middle))
    return nearest, nearest
