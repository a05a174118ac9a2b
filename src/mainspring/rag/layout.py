"""From pieces of text with boxes (a PDF's, or what OCR read) to paragraphs, headings and table rows.

Coordinates are in points with y growing upwards, as in PDF. The order of the pieces is the reading order and is
kept; what is decided here is which pieces are one line, which lines one paragraph, and what is a table or page
furniture.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from mainspring.rag import markdown

_BULLET = re.compile(r"[•‣◦▪■●○–\-*·]\s*$|[•‣◦▪■●○]\s")
_NUMBERED = re.compile(r"\(?(?:\d{1,2}|[a-z])[.)]\s+\S")
_TERMINAL = re.compile(r"[.!?:;…]['\"”’)\]]*$")
_DIGITS = re.compile(r"\d+")
_HEADING_RATIO = 1.12
_HEADING_LENGTH = 120
# Lines this close to the upper or lower edge may be headers and footers.
_MARGIN = 0.09


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text in one font, in its box. ``size`` is the font's in points (0: unknown)."""

    left: float
    bottom: float
    right: float
    top: float
    text: str
    size: float = 0.0


@dataclass(frozen=True, slots=True)
class Rule:
    """A straight line drawn on the page, horizontal or vertical."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def horizontal(self) -> bool:
        return self.right - self.left > self.top - self.bottom


@dataclass(slots=True)
class Sheet:
    """One page: its pieces in reading order, its rules and its height in points."""

    pieces: list[Piece]
    rules: list[Rule] = field(default_factory=list)
    height: float = 842.0


@dataclass(slots=True)
class _Line:
    left: float
    bottom: float
    right: float
    top: float
    text: str
    size: float
    row: bool = False


def render(sheets: Sequence[Sheet]) -> list[str]:
    """The text of each page as Markdown: ``#`` headings, ``-`` items, ``|`` table rows, blank lines between."""
    pages = [_lines(sheet) for sheet in sheets]
    furniture = _furniture(pages, [sheet.height for sheet in sheets])
    levels = _heading_levels(pages)
    return [
        "\n\n".join(_blocks([line for line in lines if _masked(line.text) not in furniture], levels)) for lines in pages
    ]


# --- lines ----------------------------------------------------------------------------------------------------


def _lines(sheet: Sheet) -> list[_Line]:
    tables = _tables(sheet.rules)
    lines: list[_Line] = []
    written: set[int] = set()
    for piece in sheet.pieces:
        table = next((number for number, table in enumerate(tables) if table.holds(piece)), None)
        if table is None:
            _append(lines, piece)
        elif table not in written:
            written.add(table)
            inside = [each for each in sheet.pieces if tables[table].holds(each)]
            grid = tables[table]
            texts = markdown.rows(grid.cells(inside))
            lines.extend(_Line(grid.left, grid.bottom, grid.right, grid.top, text, 0.0, row=True) for text in texts)
    return lines


def _append(lines: list[_Line], piece: Piece) -> None:
    text = " ".join(piece.text.split())
    if not text:
        return
    if lines and not lines[-1].row:
        last = lines[-1]
        shared = min(last.top, piece.top) - max(last.bottom, piece.bottom)
        lower = min(last.top - last.bottom, piece.top - piece.bottom)
        if shared > 0.5 * lower and piece.left >= last.right - 2:
            if len(text) > len(last.text):
                # A bullet or a number may be set larger than the text that it opens.
                last.size = piece.size
            glued = piece.left - last.right < 0.5 and not piece.text[0].isspace() and not last.text.endswith(" ")
            last.text = f"{last.text}{'' if glued else ' '}{text}"
            last.right, last.top = max(last.right, piece.right), max(last.top, piece.top)
            last.bottom = min(last.bottom, piece.bottom)
            return
    lines.append(_Line(piece.left, piece.bottom, piece.right, piece.top, text, piece.size))


def _masked(text: str) -> str:
    return _DIGITS.sub("#", text)


def _furniture(pages: Sequence[Sequence[_Line]], heights: Sequence[float]) -> set[str]:
    """Lines (digits masked) that stand in the margin of most pages."""
    if len(pages) < 2:
        return set()
    counts: Counter[str] = Counter()
    for lines, height in zip(pages, heights, strict=True):
        low, high = height * _MARGIN, height * (1 - _MARGIN)
        counts.update({_masked(line.text) for line in lines if line.top < low or line.bottom > high})
    return {text for text, count in counts.items() if count >= max(2, len(pages) * 0.5)}


# --- headings and paragraphs ----------------------------------------------------------------------------------


def _heading_levels(pages: Sequence[Sequence[_Line]]) -> dict[float, int]:
    """The level of each font size that is clearly larger than the body's."""
    weights: Counter[float] = Counter()
    for lines in pages:
        for line in lines:
            if not line.row:
                weights[round(line.size, 1)] += len(line.text)
    if not weights or max(weights) == 0:
        return {}
    body = max(weights, key=lambda size: weights[size])
    larger = sorted((size for size in weights if size >= body * _HEADING_RATIO), reverse=True)
    return {size: min(level, 6) for level, size in enumerate(larger, 1)}


def _blocks(lines: Sequence[_Line], levels: dict[float, int]) -> Iterator[str]:
    step = _line_step(lines)
    right = max((line.right for line in lines), default=0.0)
    block: list[_Line] = []
    for line in lines:
        if block and not _continues(block[-1], line, step, right):
            yield _block(block, levels)
            block = []
        block.append(line)
    if block:
        yield _block(block, levels)


def _line_step(lines: Sequence[_Line]) -> float:
    """The usual distance from one line to the next."""
    gaps = [above.bottom - below.bottom for above, below in pairwise(lines)]
    plausible = [gap for gap in gaps if 2 < gap < 60]
    return median(plausible) if plausible else 14.0


def _continues(above: _Line, below: _Line, step: float, right: float) -> bool:
    """Whether ``below`` goes on with the paragraph of ``above``."""
    if above.row or below.row:
        return False
    if abs(above.size - below.size) > 0.5 or _BULLET.match(below.text) or _NUMBERED.match(below.text):
        return False
    gap = above.bottom - below.bottom
    if gap > 1.3 * step or gap < -0.5 * step:
        return False
    # A line that ends early ends its paragraph, unless its sentence goes on.
    missing = (right - above.right) / max(1.0, right - above.left)
    if below.text[:1].islower():
        return True
    return not (missing > 0.25 or (missing > 0.08 and _TERMINAL.search(above.text)))


def _block(lines: Sequence[_Line], levels: dict[float, int]) -> str:
    text = lines[0].text
    for line in lines[1:]:
        joined = text.endswith(("-", "\u2010")) and line.text[:1].islower()
        text = f"{text}{line.text}" if joined else f"{text} {line.text}"
    if lines[0].row:
        return text
    level = levels.get(round(lines[0].size, 1))
    if level and len(text) <= _HEADING_LENGTH:
        return f"{'#' * level} {text}"
    if _BULLET.match(text):
        return "- " + text.lstrip("•‣◦▪■●○–-*· ")
    # A line of prose that begins with a mark of Markdown must not become a heading or a row.
    return text.lstrip("|# ") if text.startswith(("|", "#")) else text


# --- tables with drawn rules ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Grid:
    xs: tuple[float, ...]
    ys: tuple[float, ...]

    @property
    def left(self) -> float:
        return self.xs[0]

    @property
    def right(self) -> float:
        return self.xs[-1]

    @property
    def bottom(self) -> float:
        return self.ys[0]

    @property
    def top(self) -> float:
        return self.ys[-1]

    def holds(self, piece: Piece) -> bool:
        x, y = piece.left + 1, (piece.bottom + piece.top) / 2
        return self.left <= x <= self.right and self.bottom <= y <= self.top

    def cells(self, pieces: Sequence[Piece]) -> list[list[str]]:
        """Texts by row (from the top) and column."""
        table = [["" for _ in self.xs[1:]] for _ in self.ys[1:]]
        for piece in pieces:
            column = min(bisect_right(self.xs, piece.left + 1) - 1, len(self.xs) - 2)
            row = min(bisect_right(self.ys, (piece.bottom + piece.top) / 2) - 1, len(self.ys) - 2)
            line = table[len(self.ys) - 2 - row]
            line[column] = f"{line[column]} {piece.text}".strip()
        return table


def _tables(rules: Sequence[Rule]) -> list[_Grid]:
    """Grids of at least two rows and two columns that touching rules draw."""
    groups: list[list[Rule]] = []
    for rule in rules:
        touching = [group for group in groups if any(_touch(rule, other) for other in group)]
        merged = [rule, *(other for group in touching for other in group)]
        groups = [group for group in groups if group not in touching] + [merged]
    grids: list[_Grid] = []
    for group in groups:
        xs = _distinct([rule.left for rule in group if not rule.horizontal])
        ys = _distinct([rule.bottom for rule in group if rule.horizontal])
        if len(xs) == 2 or (len(ys) >= 3 and len(xs) < 2):
            continue
        if len(xs) >= 3 and len(ys) >= 3:
            grids.append(_Grid(xs, ys))
    return grids


def _touch(one: Rule, other: Rule, slack: float = 2.0) -> bool:
    return (
        one.left <= other.right + slack
        and other.left <= one.right + slack
        and one.bottom <= other.top + slack
        and other.bottom <= one.top + slack
    )


def _distinct(values: Sequence[float], slack: float = 2.5) -> tuple[float, ...]:
    found: list[float] = []
    for value in sorted(values):
        if not found or value - found[-1] > slack:
            found.append(value)
    return tuple(found)
