"""Pages cut up by a layout model: the AI-based route of guide section E.2, document parsing.

The model classifies the regions of a page's picture. The text of the regions is the PDF's own (or OCR's if the PDF has
none). The model writes no text: it only groups existing text. Regions are read in Breuel's order (High performance
document layout analysis, 2003): above before below if they share a column, left before right if nothing lies across
both. Footnotes are read at the end of their page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.core.errors import ModelError
from mainspring.rag.parse.parsed import Box, Dropped
from mainspring.rag.parse.pdf import geometry, layout, tables
from mainspring.rag.parse.pdf.geometry import Picture, Piece, Sheet

if TYPE_CHECKING:
    from mainspring.engines.encode import picodet
    from mainspring.engines.encode.picodet import Detector

_MARGIN = 0.11
_FURNITURE = ("header", "footer")
_FURNITURE_SCORE = 0.5
# A region that another, better one covers to this share is the same thing seen twice.
_COVERED = 0.6
# A piece belongs to the region that covers most of it, if it covers at least this share.
_BELONGS = 0.35
# A figure with more words in its lines than this is text that looks like one: listings, forms, boxes.
_FIGURE_WORDS = 5.0
_MANY_WORDS = 30
_MAX_REGIONS = 300


@dataclass(frozen=True, slots=True)
class Region:
    """Part of a page in points, y upwards; ``label`` is a class of the layout model."""

    label: str
    score: float
    box: Box


@dataclass(slots=True)
class _Group:
    """A region with its pieces; ``first`` is the place of its first piece in the order of drawing."""

    label: str
    box: Box
    pieces: list[Piece] = field(default_factory=list)


def load(graph: str) -> Detector:
    """The detector of a pulled layout model; the process keeps it. Raises ``ModelError``."""
    if not graph:
        raise ModelError("rag.parser is layout-model, and no layout model was given", remedy="Set rag.parser to auto")
    return _loaded(graph)


@lru_cache(maxsize=1)
def _loaded(graph: str) -> Detector:
    from mainspring.engines.encode.picodet import Detector

    return Detector(Path(graph))


def regions(found: Sequence[picodet.Region], sheet: Sheet) -> list[Region]:
    """The detections of a ``Detector`` in the page's picture, in the sheet's coordinates, without duplicates."""
    kept: list[Region] = []
    for each in found:
        box = (
            each.left * sheet.width,
            (1 - each.bottom) * sheet.height,
            each.right * sheet.width,
            (1 - each.top) * sheet.height,
        )
        if not any(_share(box, other.box) > _COVERED or _share(other.box, box) > _COVERED for other in kept):
            kept.append(Region(each.label, each.score, box))
        if len(kept) >= _MAX_REGIONS:
            break
    return kept


def arrange(sheet: Sheet, found: Sequence[Region], page: int) -> tuple[layout.ArrangedPage, list[Dropped]]:
    """Cut ``sheet`` into ``found``, like ``layout.arrange`` without a model; also returns the removed furniture."""
    em = geometry.em(sheet.pieces)
    pieces, dropped = _without_furniture(sheet, found, page)
    placed: list[tables.PlacedTable | Picture] = []
    standing: list[_Group] = []
    if len(sheet.rules) >= 5:
        for grid in tables.ruled(pieces, sheet.rules):
            pieces = [piece for piece in pieces if not geometry.within(piece, grid.box)]
            standing.append(_stand_in(grid, placed))
    inside = [region for region in found if not any(_share(region.box, each.box) > _COVERED for each in standing)]
    groups, loose = _grouped(pieces, [region for region in inside if region.label not in _FURNITURE])
    pictures = list(sheet.pictures)
    for group in groups:
        if group.label == "figure" and not _reads_like_text(group.pieces):
            pictures, figure = _figure(group, pictures)
            standing.append(_stand_in(figure, placed))
        elif group.label == "table" and (table := tables.inside(group.pieces, em)):
            standing.append(_stand_in(table, placed))
        elif group.pieces:
            standing.append(replace(group, box=geometry.bounds(group.pieces)))
    standing += [_stand_in(picture, placed) for picture in pictures]
    standing += _loose(loose, em)
    ordered = _in_order(standing)
    notes = [group for group in ordered if _is_note(group, ordered)]
    ordered = [group for group in ordered if not any(group is note for note in notes)] + notes
    roles = {number: group.label for number, group in enumerate(ordered)}
    return layout.ArrangedPage(
        [group.pieces for group in ordered], placed, ("read by the layout model",), roles
    ), dropped


def _share(one: Box, other: Box) -> float:
    """The share of ``one`` inside ``other``."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    up = min(one[3], other[3]) - max(one[1], other[1])
    area = max((one[2] - one[0]) * (one[3] - one[1]), 1e-6)
    return max(0.0, across) * max(0.0, up) / area


def _without_furniture(sheet: Sheet, found: Sequence[Region], page: int) -> tuple[list[Piece], list[Dropped]]:
    margin = _MARGIN * sheet.height
    kept = list(sheet.pieces)
    dropped = []
    for region in found:
        outside = region.box[1] > sheet.height - margin or region.box[3] < margin
        if region.label not in _FURNITURE or region.score < _FURNITURE_SCORE or not outside:
            continue
        inside = [piece for piece in kept if _share(piece.box, region.box) > 0.5]
        words = " ".join(tables.line(row) for row in geometry.rows(inside))
        if words and len(geometry.rows(inside)) <= 2:
            kept = [piece for piece in kept if not any(piece is each for each in inside)]
            reason = "page number" if re.fullmatch(r"\W*(?:\d{1,4}|[ivxlc]{1,6})\W*", words) else region.label
            dropped.append(Dropped(reason, words, page))
    return kept, dropped


def _grouped(pieces: Sequence[Piece], found: Sequence[Region]) -> tuple[list[_Group], list[Piece]]:
    """(each region with its pieces, the pieces that belong to none)."""
    groups = [_Group(region.label, region.box) for region in found]
    loose = []
    for piece in pieces:
        if not piece.text.strip():
            continue
        shares = [(_share(piece.box, group.box), -_area(group.box), number) for number, group in enumerate(groups)]
        share, _, number = max(shares, default=(0.0, 0.0, -1))
        if share >= _BELONGS:
            groups[number].pieces.append(piece)
        else:
            loose.append(piece)
    return groups, loose


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _stand_in(each: tables.PlacedTable | Picture, placed: list[tables.PlacedTable | Picture]) -> _Group:
    """A group of one piece that represents a table or a figure, which goes to the end of ``placed``."""
    label = "figure" if isinstance(each, Picture) else "table"
    group = _Group(label, each.box, [Piece(*each.box, "", block=len(placed))])
    placed.append(each)
    return group


def _reads_like_text(pieces: Sequence[Piece]) -> bool:
    lines = [tables.line(row).split() for row in geometry.rows(pieces)]
    words = sum(map(len, lines))
    return words >= _MANY_WORDS and words / len(lines) > _FIGURE_WORDS


def _figure(group: _Group, pictures: Sequence[Picture]) -> tuple[list[Picture], Picture]:
    """(the pictures outside of the figure, the figure with its contents)."""
    parts = [picture for picture in pictures if _share(picture.box, group.box) > 0.5]
    rest = [picture for picture in pictures if not any(picture is part for part in parts)]
    lines = [tables.line(row) for row in geometry.rows(group.pieces)]
    text = "\n".join([*(part.text for part in parts if part.text), *lines])
    return rest, Picture(*group.box, text, sum(part.packed for part in parts))


def _loose(pieces: Sequence[Piece], em: float) -> list[_Group]:
    """Pieces outside of the model's regions, in groups of lines that are close under each other."""
    groups: list[_Group] = []
    for piece in sorted(pieces, key=lambda piece: (-piece.middle, piece.left)):
        for group in groups:
            left, bottom, right, top = group.box
            beside = piece.left - right < 1.5 * em and left - piece.right < 1.5 * em
            if beside and bottom - piece.top < 0.8 * em and piece.bottom < top:
                group.pieces.append(piece)
                group.box = geometry.bounds(group.pieces)
                break
        else:
            groups.append(_Group("", piece.box, [piece]))
    return groups


def _is_note(group: _Group, groups: Sequence[_Group]) -> bool:
    """Whether a group is a footnote: marked as reference, and below everything else of its column."""
    if group.label != "reference":
        return False
    left, bottom, right, _ = group.box
    others = [each for each in groups if each is not group and each.label != "reference"]
    column = [each for each in others if min(right, each.box[2]) - max(left, each.box[0]) > 0]
    return bool(column) and all(each.box[1] >= bottom for each in column)


def _in_order(groups: Sequence[_Group]) -> list[_Group]:
    """Groups in reading order: before a group come all that must be read before it."""
    waiting = sorted(groups, key=lambda group: (-group.box[3], group.box[0]))
    before = {
        id(group): [other for other in waiting if other is not group and _before(other, group, waiting)]
        for group in waiting
    }
    ordered: list[_Group] = []
    state: dict[int, int] = {}

    def visit(group: _Group) -> None:
        if id(group) in state:
            return
        state[id(group)] = 1
        for other in before[id(group)]:
            visit(other)
        ordered.append(group)

    for group in waiting:
        visit(group)
    return ordered


def _before(one: _Group, other: _Group, groups: Sequence[_Group]) -> bool:
    if _over(one.box, other.box):
        return (one.box[1] + one.box[3]) > (other.box[1] + other.box[3])
    if one.box[2] > other.box[0] + 0.3 * (other.box[2] - other.box[0]):
        return False
    low = min((one.box[1] + one.box[3]) / 2, (other.box[1] + other.box[3]) / 2)
    high = max((one.box[1] + one.box[3]) / 2, (other.box[1] + other.box[3]) / 2)
    return not any(
        low < (each.box[1] + each.box[3]) / 2 < high and _over(each.box, one.box) and _over(each.box, other.box)
        for each in groups
        if each is not one and each is not other
    )


def _over(one: Box, other: Box) -> bool:
    """Whether two boxes share part of a column: more than a tenth of the narrower."""
    shared = min(one[2], other[2]) - max(one[0], other[0])
    return shared > 0.1 * min(one[2] - one[0], other[2] - other[0])
