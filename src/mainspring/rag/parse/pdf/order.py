"""Checks whether the drawing order of a page is its reading order.

Most programs draw text in reading order, and no rule about positions is right as often. The drawing order is therefore
kept unless something contradicts it: lines of two columns of prose that are drawn alternately, a right column drawn
before the left one, or prose drawn after prose below it in the same column.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median

from mainspring.rag.parse.parsed import Box
from mainspring.rag.parse.pdf import geometry
from mainspring.rag.parse.pdf.geometry import Piece

# A line of prose has this many words; terms of a glossary, cells, labels and notes in the margin have fewer.
_PROSE_WORDS = 4
_MIN_LINES = 3
# More of a page's lines than this drawn above earlier ones of their column.
_BACKWARDS = 0.12
# Columns drawn in turns change at nearly every line; drawn one after the other, once.
_IN_TURNS = 0.5
_BINS = 12


def against(pieces: Sequence[Piece], regions: Sequence[Sequence[Piece]], em: float) -> bool:
    """Whether ``pieces`` (in drawing order) must be put in another order. ``regions`` are those of a cut by columns.

    ``em`` is the usual height of a line in points.
    """
    lines = _lines(pieces, regions)
    prose = [line for line in lines if _words(line) >= _PROSE_WORDS]
    if len(prose) < 2 * _MIN_LINES:
        return _jumps(pieces)
    return _upwards([geometry.bounds(line) for _, line in prose], em) or _beside(lines)


def torn(pieces: Sequence[Piece], box: Box) -> bool:
    """Whether the content of ``box`` is no table: prose from elsewhere is drawn between its pieces.

    The same applies to lines of two columns that happen to look like cells: the left column is drawn first, to its end.
    """
    inside = [place for place, piece in enumerate(pieces) if geometry.within(piece, box, 0.0)]
    if not inside:
        return False
    between = pieces[inside[0] : inside[-1]]
    prose = [piece for piece in between if len(piece.text.split()) >= _PROSE_WORDS]
    return sum(not geometry.within(piece, box, 0.0) for piece in prose) >= _MIN_LINES


_Drawn = tuple[int, list[Piece]]


def _lines(pieces: Iterable[Piece], regions: Sequence[Sequence[Piece]]) -> list[_Drawn]:
    """(region, pieces) of lines in drawing order. A line ends where its region does; tables are left out."""
    where = {id(piece): number for number, region in enumerate(regions) for piece in region}
    found: list[_Drawn] = []
    for piece in pieces:
        region = where.get(id(piece), -1)
        if region < 0 or not piece.text.strip():
            continue
        last = found[-1][1][-1] if found and found[-1][0] == region else None
        if last is not None:
            shared = min(last.top, piece.top) - max(last.bottom, piece.bottom)
            if shared > 0.3 * min(last.top - last.bottom, piece.top - piece.bottom) and piece.left >= last.right - 2:
                found[-1][1].append(piece)
                continue
        found.append((region, [piece]))
    return found


def _words(line: _Drawn) -> int:
    return sum(len(piece.text.split()) for piece in line[1])


def _upwards(boxes: Sequence[Box], em: float) -> bool:
    """Whether many lines are above one of their column that is drawn before them.

    Counted from both ends: a footer that is drawn first is one line out of order, and not all the others.
    """
    count = min(_displaced(boxes, em, 1), _displaced(list(reversed(boxes)), em, -1))
    return count >= _MIN_LINES and count > _BACKWARDS * len(boxes)


def _displaced(boxes: Sequence[Box], em: float, sign: int) -> int:
    """Lines above the lowest so far in the same place across the page (``sign`` -1: below the highest)."""
    start, end = min(box[0] for box in boxes), max(box[2] for box in boxes)
    step = max(1.0, (end - start) / _BINS)
    reached: dict[int, float] = {}
    count = 0
    for left, bottom, right, _ in boxes:
        height = sign * bottom
        bins = range(int((left - start) / step), int((right - start) / step) + 1)
        middle = bins[len(bins) // 2]
        count += height > reached.get(middle, float("inf")) + em
        for each in bins:
            reached[each] = min(height, reached.get(each, height))
    return count


def _beside(lines: Sequence[_Drawn]) -> bool:
    """Whether two columns of prose side by side are drawn in turns, or the right one before the left one."""
    members: dict[int, list[tuple[int, _Drawn]]] = defaultdict(list)
    for place, line in enumerate(lines):
        members[line[0]].append((place, line))
    columns = {
        region: geometry.bounds([piece for _, (_, line) in inside for piece in line])
        for region, inside in members.items()
        if len(inside) >= _MIN_LINES and median(_words(line) for _, line in inside) >= _PROSE_WORDS
    }
    ordered = sorted(columns)
    for number, left in enumerate(ordered):
        for right in ordered[number + 1 :]:
            if not _side_by_side(columns[left], columns[right]):
                continue
            drawn = [line[0] for line in lines if line[0] in (left, right)]
            changes = sum(one != other for one, other in pairwise(drawn))
            fewer = min(len(members[left]), len(members[right]))
            if changes >= _MIN_LINES and changes > _IN_TURNS * (2 * fewer - 1):
                return True
            if median(place for place, _ in members[right]) < median(place for place, _ in members[left]):
                return True
    return False


def _side_by_side(left: Box, right: Box) -> bool:
    shared = min(left[3], right[3]) - max(left[1], right[1])
    return left[2] <= right[0] and shared > 0.5 * min(left[3] - left[1], right[3] - right[1])


def _jumps(pieces: Sequence[Piece]) -> bool:
    """The same for a page with little prose: whether many pieces are drawn above the one before."""
    jumps = sum(below.bottom > above.top + 1 for above, below in pairwise(pieces))
    return jumps > max(2, _BACKWARDS * len(pieces))
