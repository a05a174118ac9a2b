"""Groups the boxes of pages into blocks of text in reading order: paragraphs, headings, items, tables and figures.

Two routes (guide section E.2, document parsing). ``rules`` trusts the drawing order of a page and finds lines,
paragraphs and drawn tables by fixed rules: right and fast for text in one column. ``layout`` uses positions: columns,
tables without rules, figures, and text whose drawing order is not its reading order. The choice is made once per
document, by the look of its pages; the order of the text once per page: as drawn, unless something contradicts it
(``order``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median

from mainspring.rag.parse.parsed import Box
from mainspring.rag.parse.pdf import columns, geometry, headings, order, tables
from mainspring.rag.parse.pdf.geometry import Picture, Piece, Sheet
from mainspring.rag.parse.pdf.headings import FIGURE_CAPTION, NUMBERED_TITLE, HeadingLevels
from mainspring.rag.parse.pdf.hyphens import Mender
from mainspring.rag.parse.reading_options import Route

_BULLET = re.compile(r"[•‣◦▪■●○➢❖–\-*·]\s*$|[•‣◦▪■●○➢❖✓□]\s")
_NUMBERED = re.compile(r"\(?(?:\d{1,2}|[a-z])[.)]\s+\S")
_TERMINAL = re.compile(r"[.!?:;…]['\"”’)\]]*$")
_RUNS_ON = re.compile(r"[\w,;)]$")
_CAPTION_DISTANCE = 48.0
# Regions of a layout model that are one block each, and those that no other block goes on with.
_WHOLE = {"title", "figure_caption", "table_caption"}
_APART = {*_WHOLE, "equation", "reference"}


@dataclass(slots=True)
class Block:
    """A paragraph, heading or item (``text``), or a table (``cells``), or a figure; with its caption and place."""

    text: str = ""
    cells: tables.Cells | None = None
    picture: Picture | None = None
    caption: str = ""
    box: Box = (0.0, 0.0, 0.0, 0.0)
    role: str = ""


@dataclass(slots=True)
class ArrangedPage:
    """A page cut up: its text in regions in reading order; pieces with ``block`` represent tables and figures.

    ``roles`` maps regions to the layout model's classes; then only the model decides what is a heading. ``as_drawn``:
    nothing speaks against the order in which the page is drawn. ``torn``: numbers of tables that are no tables, as the
    drawing order shows.
    """

    regions: list[list[Piece]]
    placed: list[tables.PlacedTable | Picture] = field(default_factory=list)
    reasons: tuple[str, ...] = ()
    roles: dict[int, str] = field(default_factory=dict)
    as_drawn: bool = False
    torn: frozenset[int] = frozenset()


@dataclass(slots=True)
class _Line:
    left: float
    bottom: float
    right: float
    top: float
    text: str
    size: float
    block: int = -1
    spaced: bool = False
    region: int = 0


def render(
    sheets: Sequence[Sheet], route: Route = "auto", arranged: Sequence[ArrangedPage] = ()
) -> tuple[list[list[Block]], str]:
    """(the blocks of each page, the route taken and why). Running headers must have been removed.

    ``arranged`` are the pages as a layout model cut them up.
    """
    arranged = arranged or [arrange(sheet) for sheet in sheets]
    reasons = Counter(reason for page in arranged for reason in page.reasons)
    chosen = route if route != "auto" else "layout" if reasons else "rules"
    pages = [_lines(sheet, page, route, chosen) for sheet, page in zip(sheets, arranged, strict=True)]
    levels = headings.levels([(line.text, line.size) for lines in pages for line in lines if line.block < 0])
    mender = Mender(line.text for lines in pages for line in lines)
    blocks = [
        _captioned(list(_blocks(lines, page, levels, mender))) for lines, page in zip(pages, arranged, strict=True)
    ]
    why = ", ".join(f"{reason} on {count} of {len(sheets)} pages" for reason, count in sorted(reasons.items()))
    asked = "" if route == "auto" else "; asked for"
    return blocks, f"{chosen}: {why or 'one column'}{asked}"


def arrange(sheet: Sheet) -> ArrangedPage:
    """Cut a page into regions, and report content that needs more than rules."""
    em = geometry.em(sheet.pieces)
    placed: list[tables.PlacedTable | Picture] = []
    pieces = sheet.pieces
    reasons: list[str] = []
    if len(sheet.rules) >= 5:
        pieces = tables.place(pieces, tables.ruled(pieces, sheet.rules), placed)
    if sheet.pictures:
        reasons.append("figures")
        pieces = tables.place(pieces, sheet.pictures, placed)
    regions = [pieces]
    ruled = len(placed)
    if _side_by_side(pieces, em):

        def with_tables(part: Sequence[Piece]) -> Sequence[Piece]:
            for least in (3, 2):
                part = tables.place(part, tables.unruled(part, em, least=least), placed)
            return part

        regions = columns.regions(pieces, em, with_tables)
        if len(regions) > 1:
            reasons.append("columns")
    as_drawn = not sheet.recognised and not order.against(sheet.pieces, regions, em)
    open_tables = range(ruled, len(placed))
    torn = [n for n in open_tables if as_drawn and order.torn(sheet.pieces, placed[n].box)]
    if len(open_tables) > len(torn):
        reasons.append("tables without rules")
    if sheet.recognised:
        reasons.append("text read from images")
    elif not as_drawn:
        reasons.append("text drawn out of order")
    return ArrangedPage(regions, placed, tuple(reasons), as_drawn=as_drawn, torn=frozenset(torn))


def _side_by_side(pieces: Sequence[Piece], em: float) -> bool:
    """Whether at least three lines have text in two places with a gap between: else there is nothing to look for."""
    found = 0
    ordered = sorted(pieces, key=lambda piece: -piece.middle)
    for piece, other in pairwise(ordered):
        gap = max(piece.left, other.left) - min(piece.right, other.right)
        if (
            gap > 0.7 * em
            and other.top > piece.bottom + 0.2 * em
            and not _BULLET.match(min(piece, other, key=lambda each: each.left).text)
        ):
            found += 1
            if found >= 3:
                return True
    return False


# --- lines ----------------------------------------------------------------------------------------------------


def _lines(sheet: Sheet, page: ArrangedPage, route: Route, chosen: str) -> list[_Line]:
    """The lines of a page in the order of the route that was asked for, and chosen."""
    if chosen == "rules":
        grids = [n for n, each in enumerate(page.placed) if isinstance(each, tables.PlacedTable) and each.ruled]
        return _as_drawn(sheet, page, grids, [])
    if route == "auto" and page.as_drawn:
        shown = [n for n in range(len(page.placed)) if n not in page.torn]
        return _as_drawn(sheet, page, shown, page.regions)
    return _by_layout(page)


def _by_layout(page: ArrangedPage) -> list[_Line]:
    lines: list[_Line] = []
    for number, region in enumerate(page.regions):
        for row in geometry.rows(region):
            start = len(lines)
            for piece in row:
                _append(lines, piece, number, start)
    return lines


def _as_drawn(
    sheet: Sheet, page: ArrangedPage, shown: Sequence[int], regions: Sequence[Sequence[Piece]]
) -> list[_Line]:
    """In drawing order. The tables and figures with numbers in ``shown``: tables at the place of their first cell,
    figures before the first thing drawn below them."""
    tabled = [number for number in shown if isinstance(page.placed[number], tables.PlacedTable)]
    waiting = [number for number in shown if number not in tabled]
    where = {id(piece): number for number, region in enumerate(regions) for piece in region}
    lines: list[_Line] = []
    written: set[int] = set()
    for piece in sheet.pieces:
        for number in [each for each in waiting if _is_below(piece, page.placed[each].box)]:
            waiting.remove(number)
            lines.append(_Line(*page.placed[number].box, "", 0.0, number))
        inside = next((each for each in tabled if geometry.within(piece, page.placed[each].box, 0.0)), None)
        if inside is None:
            _append(lines, piece, where.get(id(piece), 0), 0)
        elif inside not in written:
            written.add(inside)
            lines.append(_Line(*page.placed[inside].box, "", 0.0, inside))
    return [*lines, *(_Line(*page.placed[number].box, "", 0.0, number) for number in waiting)]


def _is_below(piece: Piece, box: Box) -> bool:
    return piece.middle < box[1] and piece.left < box[2] and piece.right > box[0]


def _append(lines: list[_Line], piece: Piece, region: int, start: int) -> None:
    """Add a piece to the last line (not before line ``start``), or as a new one."""
    text = " ".join(piece.text.split())
    if piece.block >= 0:
        lines.append(_Line(piece.left, piece.bottom, piece.right, piece.top, "", 0.0, piece.block, region=region))
        return
    if not text:
        return
    spaced = piece.text[-1].isspace()
    if len(lines) > start and lines[-1].block < 0:
        last = lines[-1]
        shared = min(last.top, piece.top) - max(last.bottom, piece.bottom)
        lower = min(last.top - last.bottom, piece.top - piece.bottom)
        if shared > 0.5 * lower and piece.left >= last.right - 2:
            if len(text) > len(last.text):
                # A bullet or a number may be set larger than the text that it opens.
                last.size = piece.size
            touching = piece.left - last.right < 0.5 and not piece.text[0].isspace() and not last.spaced
            last.text = f"{last.text}{'' if piece.glued or touching else ' '}{text}"
            last.right, last.top = max(last.right, piece.right), max(last.top, piece.top)
            last.bottom, last.spaced = min(last.bottom, piece.bottom), spaced
            return
    lines.append(_Line(piece.left, piece.bottom, piece.right, piece.top, text, piece.size, -1, spaced, region))


# --- headings and paragraphs ----------------------------------------------------------------------------------


def _blocks(
    lines: Sequence[_Line],
    page: ArrangedPage,
    levels: HeadingLevels,
    mender: Mender,
) -> Iterator[Block]:
    step = _line_step(lines)
    edges: dict[int, float] = {}
    for line in lines:
        edges[line.region] = max(edges.get(line.region, 0.0), line.right)
    group: list[_Line] = []
    for line in lines:
        if group and (line.block >= 0 or not _joins(group[-1], line, step, edges, page.roles)):
            yield _text(group, levels, mender, page.roles)
            group = []
        if line.block >= 0:
            each = page.placed[line.block]
            if isinstance(each, Picture):
                yield Block(picture=each, box=each.box)
            else:
                yield Block(cells=each.cells, box=each.box)
        else:
            group.append(line)
    if group:
        yield _text(group, levels, mender, page.roles)


def _line_step(lines: Sequence[_Line]) -> float:
    """The usual distance from one line to the next."""
    gaps = [above.bottom - below.bottom for above, below in pairwise(lines)]
    plausible = [gap for gap in gaps if 2 < gap < 60]
    return median(plausible) if plausible else 14.0


def _joins(above: _Line, below: _Line, step: float, edges: Mapping[int, float], roles: Mapping[int, str]) -> bool:
    """Whether ``below`` continues the block of ``above``: never from one kind of region to another."""
    role, other = roles.get(above.region, ""), roles.get(below.region, "")
    if above.region == below.region and role in _WHOLE:
        return role != "title" or not NUMBERED_TITLE.match(below.text)
    if role != other and {role, other} & _APART:
        return False
    return _continues(above, below, step, edges[above.region])


def _continues(above: _Line, below: _Line, step: float, right: float) -> bool:
    """Whether ``below`` continues the paragraph of ``above``."""
    if abs(above.size - below.size) > 0.5 or _BULLET.match(below.text) or _NUMBERED.match(below.text):
        return False
    if above.region != below.region:
        # From the end of one column to the head of the next.
        return below.text[:1].islower() and not _TERMINAL.search(above.text)
    gap = above.bottom - below.bottom
    if gap > 1.3 * step or gap < -0.5 * step:
        return False
    # A line that ends early ends its paragraph, unless its sentence continues.
    missing = (right - above.right) / max(1.0, right - above.left)
    if below.text[:1].islower():
        return True
    return not (missing > 0.25 or (missing > 0.08 and _TERMINAL.search(above.text)))


def _text(lines: Sequence[_Line], levels: HeadingLevels, mender: Mender, roles: Mapping[int, str]) -> Block:
    box = (
        min(line.left for line in lines),
        min(line.bottom for line in lines),
        max(line.right for line in lines),
        max(line.top for line in lines),
    )
    text = lines[0].text
    for line in lines[1:]:
        text = mender.join(text, line.text)
    role = roles.get(lines[0].region, "")
    level = levels.of(text, lines[0].size, len(lines), role if roles else None)
    if level:
        return Block(f"{'#' * level} {text}", box=box, role=role)
    if _BULLET.match(text):
        return Block("- " + text.lstrip("•‣◦▪■●○➢❖✓–-*· "), box=box)
    # A line of prose that begins with a mark of Markdown must not become a heading or a row.
    return Block(text.lstrip("|# ") if text.startswith(("|", "#")) else text, box=box, role=role)


def _captioned(blocks: list[Block]) -> list[Block]:
    """``blocks`` with the captions of tables and figures in their records too; a figure's caption right after it."""
    for block in [each for each in blocks if each.cells is not None or each.picture is not None]:
        pattern = FIGURE_CAPTION.match if block.picture else tables.is_caption
        role = "figure_caption" if block.picture else "table_caption"
        near = [
            each
            for each in blocks
            if each.text
            and _distance(block.box, each.box) < _CAPTION_DISTANCE
            and (pattern(each.text) or each.role == role)
        ]
        if not near:
            continue
        caption = min(near, key=lambda each: _distance(block.box, each.box))
        block.caption = caption.text.lstrip("# ")
        if block.picture:
            blocks.pop(next(number for number, each in enumerate(blocks) if each is caption))
    return _behind(blocks)


def _behind(blocks: list[Block]) -> list[Block]:
    """``blocks`` with tables and figures from inside a paragraph moved behind its end."""
    found: list[Block] = []
    for block in blocks:
        above = next((number for number in range(len(found) - 1, -1, -1) if found[number].text), -1)
        broken = 0 <= above < len(found) - 1 and _goes_on(found[above].text, block.text)
        if broken:
            found[above] = replace(found[above], text=f"{found[above].text} {block.text}")
        else:
            found.append(block)
    return found


def _goes_on(above: str, below: str) -> bool:
    if not below[:1].islower() or above.startswith(("#", "- ")):
        return False
    return _RUNS_ON.search(above) is not None and not tables.is_caption(above) and not FIGURE_CAPTION.match(above)


def _distance(one: Box, other: Box) -> float:
    """The distance between two boxes, up or down; infinite if neither is above the other."""
    if one[0] > other[2] or other[0] > one[2]:
        return float("inf")
    return max(one[1] - other[3], other[1] - one[3], 0.0)
