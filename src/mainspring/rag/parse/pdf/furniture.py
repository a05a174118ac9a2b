"""Finds text that repeats on pages and is not content: running headers and footers, page numbers, watermarks.

A line in the margin is furniture if it is at the same height on several pages and is the same there, except for a
number that grows with the page. A title in a large font must be the same to the letter.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from mainspring.rag.parse.parsed import Dropped
from mainspring.rag.parse.pdf import geometry
from mainspring.rag.parse.pdf.geometry import Piece, Sheet
from mainspring.rag.parse.pdf.tables import line

# Lines in these parts of a page's height, from its edges, may be furniture.
_MARGIN = 0.12
_SAME_HEIGHT = 4.0
_MIN_SHARE = 0.4
_MIN_LINE_NUMBERS = 4
_MIN_COLUMNS = 3
_NUMBERS = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(
    r"[-–—|\[(]?\s*(?:(?:page|seite|p\.)\s*)?(?:\d{1,4}|[ivxlc]{1,6})(?:\s*(?:/|of|von|\|)\s*\d{1,4})?\s*[-–—|\])]?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Line:
    page: int
    text: str
    height: float
    """Distance from the page's lower edge; from its upper edge, counted downwards from 0, in the upper margin."""
    upper: bool
    size: float
    pieces: tuple[Piece, ...]

    @property
    def pattern(self) -> str:
        return _NUMBERS.sub("#", self.text)


def remove(sheets: Sequence[Sheet]) -> list[Dropped]:
    """Remove furniture from ``sheets``; returns it in page order."""
    lines = [each for page, sheet in enumerate(sheets) for each in _margin_lines(page, sheet)]
    sizes = [piece.size for sheet in sheets for piece in sheet.pieces if piece.size]
    body = median(sizes) if sizes else 0.0
    groups: dict[tuple[str, bool], list[_Line]] = defaultdict(list)
    for each in lines:
        groups[each.pattern, each.upper].append(each)
    dropped: dict[int, set[int]] = defaultdict(set)
    found: list[Dropped] = []
    for group in groups.values():
        for same in _at_same_height(group):
            if _repeats(same, len(sheets), body):
                for each in same:
                    dropped[each.page].update(id(piece) for piece in each.pieces)
                    found.append(Dropped(_reason(each), each.text, each.page + 1))
    found.extend(_lone_numbers(lines, dropped, len(sheets)))
    for page, gone in dropped.items():
        sheets[page].pieces = [piece for piece in sheets[page].pieces if id(piece) not in gone]
    found.extend(_watermarks(sheets))
    found.extend(each for page, sheet in enumerate(sheets) for each in _line_numbers(page, sheet))
    return sorted(found, key=lambda each: each.page or 0)


def _line_numbers(page: int, sheet: Sheet) -> list[Dropped]:
    """Take numbers of lines out of a page: 5, 10, 15 under each other with no other text above or below them."""
    numbers = [piece for piece in sheet.pieces if piece.text.strip().isdecimal()]
    found: list[Dropped] = []
    for edge in ("left", "right"):
        column = [each for each in numbers if abs(getattr(each, edge) - _margin_of(numbers, edge)) < _SAME_HEIGHT]
        column.sort(key=lambda each: -each.middle)
        values = [int(each.text) for each in column]
        steps = {later - earlier for earlier, later in pairwise(values)}
        # Rows and items are numbered one by one too, but rarely this many without a word above or below.
        least = _MIN_LINE_NUMBERS if steps & {5, 10} else 5 * _MIN_LINE_NUMBERS
        if len(column) < least or len(steps) != 1 or not steps & {1, 5, 10}:
            continue
        left, right = min(each.left for each in column), max(each.right for each in column)
        # As boxes of OCR touch, a little may be shared.
        others = [
            each
            for each in sheet.pieces
            if each.text.strip() and each.left < right - 1 and each.right > left + 1 and each not in column
        ]
        if not others and _outside(sheet, left, right):
            gone = {id(each) for each in column}
            sheet.pieces = [each for each in sheet.pieces if id(each) not in gone]
            return [Dropped("line number", each.text.strip(), page + 1) for each in column]
    return found


def _margin_of(numbers: Sequence[Piece], edge: str) -> float:
    """Where most of ``numbers`` have their ``edge``."""
    counts = Counter(round(getattr(each, edge)) for each in numbers)
    return float(counts.most_common(1)[0][0]) if counts else 0.0


def _outside(sheet: Sheet, left: float, right: float) -> bool:
    """Whether all other text is on one side of the strip."""
    rest = [
        each for each in sheet.pieces if each.text.strip() and not (each.left >= left - 1 and each.right <= right + 1)
    ]
    return bool(rest) and (all(each.left >= right for each in rest) or all(each.right <= left for each in rest))


def _margin_lines(page: int, sheet: Sheet) -> list[_Line]:
    low, high = sheet.height * _MARGIN, sheet.height * (1 - _MARGIN)
    margin = [piece for piece in sheet.pieces if piece.text.strip() and (piece.top < low or piece.bottom > high)]
    lines = []
    for row in geometry.rows(margin):
        upper = row[0].bottom > high
        if upper and _heads_a_table(row, sheet):
            continue
        height = sheet.height - row[0].middle if upper else row[0].middle
        size = max(piece.size for piece in row)
        lines.append(_Line(page, line(row), height, upper, size, tuple(row)))
    return lines


def _heads_a_table(row: Sequence[Piece], sheet: Sheet) -> bool:
    """Whether a row holds column names: the cells of the next line, as many or more, are under them. A table that
    continues has them on each of its pages."""
    if len(row) < _MIN_COLUMNS:
        return False
    _, bottom, _, top = geometry.bounds(row)
    height = top - bottom
    below = [piece for piece in sheet.pieces if piece.text.strip() and bottom - 2.5 * height < piece.middle < bottom]
    first = next(iter(geometry.rows(below)), [])
    under = sum(any(piece.left < cell.right and cell.left < piece.right for piece in first) for cell in row)
    return len(first) >= _MIN_COLUMNS and under >= len(row) - 1


def _at_same_height(group: Sequence[_Line]) -> list[list[_Line]]:
    found: list[list[_Line]] = []
    for each in sorted(group, key=lambda each: each.height):
        if found and each.height - found[-1][-1].height <= _SAME_HEIGHT:
            found[-1].append(each)
        else:
            found.append([each])
    return [sorted(same, key=lambda each: each.page) for same in found]


def _repeats(same: Sequence[_Line], pages: int, body: float) -> bool:
    seen = {each.page for each in same}
    # A chapter's running title is on a few pages in a row, or on every other page.
    runs = len(seen) >= 3 and max(seen) - min(seen) <= 2 * len(seen)
    if len(seen) < 2 or not (len(seen) >= _MIN_SHARE * pages or runs):
        return False
    if len({each.text for each in same}) == 1:
        return True
    if body and same[0].size > 1.3 * body:
        return False
    numbers = [[int(number) for number in _NUMBERS.findall(each.text)] for each in same]
    columns = list(zip(*numbers, strict=True))
    counting = [column for column in columns if len(set(column)) > 1]
    return all(
        Counter(number - each.page for number, each in zip(column, same, strict=True)).most_common(1)[0][1]
        >= 0.7 * len(same)
        for column in counting
    )


def _lone_numbers(lines: Sequence[_Line], dropped: dict[int, set[int]], pages: int) -> list[Dropped]:
    """Page numbers alone in the margin: at other heights than the rest, or in Roman numerals."""
    found = []
    alone = [
        each
        for each in lines
        if _PAGE_NUMBER.fullmatch(each.text.strip())
        and not any(id(piece) in dropped[each.page] for piece in each.pieces)
    ]
    if len({each.page for each in alone}) >= max(2, 0.3 * pages):
        for each in alone:
            dropped[each.page].update(id(piece) for piece in each.pieces)
            found.append(Dropped("page number", each.text, each.page + 1))
    return found


def _reason(each: _Line) -> str:
    if _PAGE_NUMBER.fullmatch(each.text.strip()):
        return "page number"
    return "header" if each.upper else "footer"


def _watermarks(sheets: Sequence[Sheet]) -> list[Dropped]:
    """Oblique text, and text in another direction that repeats; the rest stays in ``asides``."""
    counts = Counter(text for sheet in sheets for text in {text for text, _ in sheet.asides})
    found = []
    for page, sheet in enumerate(sheets):
        kept: list[tuple[str, bool]] = []
        for text, oblique in sheet.asides:
            if oblique or counts[text] >= max(2, _MIN_SHARE * len(sheets)):
                found.append(Dropped("watermark", text, page + 1))
            else:
                kept.append((text, oblique))
        sheet.asides = kept
    return found
