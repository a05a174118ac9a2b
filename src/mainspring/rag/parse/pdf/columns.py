"""Reading order of a page with columns.

The page is cut along its gutters: a strip without ink that has lines on both sides. The part above the strip is read
first, then its left side, its right side, and the part below; each part is divided again in the same way. A title or a
table across the columns crosses the gutter and so ends it. This is the recursive X-Y cut (Nagy and Seth, 1984), with
the strips allowed to end inside the page.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mainspring.rag.parse.pdf import geometry
from mainspring.rag.parse.pdf.geometry import Piece

# A gutter is at least this many line heights wide, and has this many lines on each side.
_MIN_WIDTH = 0.7
_MIN_LINES = 3
# A side narrower than this is no column: bullets, line numbers.
_MIN_SIDE_EMS = 4.0
_MAX_DEPTH = 12


Prepare = Callable[[Sequence[Piece]], Sequence[Piece]]


@dataclass(frozen=True, slots=True)
class Gutter:
    """A strip without ink between ``left`` and ``right``; the text between ``bottom`` and ``top`` is beside it."""

    left: float
    right: float
    bottom: float
    top: float
    lines: int

    @property
    def rank(self) -> tuple[int, float]:
        """More lines beside it first, then more width."""
        return self.lines, self.right - self.left


def regions(pieces: Sequence[Piece], em: float, prepare: Prepare | None = None, depth: int = 0) -> list[list[Piece]]:
    """``pieces`` in groups, one a column, in reading order. ``em`` is the usual height of a line in points.

    ``prepare`` sees each part before it is divided, and may replace several pieces by one.
    """
    if not pieces:
        return []
    pieces = prepare(pieces) if prepare else pieces
    gutter = find(pieces, em) if depth < _MAX_DEPTH else None
    if gutter is None:
        return [list(pieces)]
    above = [piece for piece in pieces if piece.middle > gutter.top]
    below = [piece for piece in pieces if piece.middle < gutter.bottom]
    beside = [piece for piece in pieces if gutter.bottom <= piece.middle <= gutter.top]
    middle = (gutter.left + gutter.right) / 2
    left = [piece for piece in beside if piece.left < middle]
    right = [piece for piece in beside if piece.left >= middle]
    groups = (above, left, right, below)
    return [part for group in groups for part in regions(group, em, prepare, depth + 1)]


def find(pieces: Sequence[Piece], em: float) -> Gutter | None:
    """The gutter with the most lines beside it, or None in a single column."""
    best: Gutter | None = None
    ordered = sorted(pieces, key=lambda piece: -piece.middle)
    for position in _positions(ordered, em):
        for gutter in _strips(ordered, position, em, best.lines if best else 0):
            if best is None or gutter.rank > best.rank:
                best = gutter
    return best


def _positions(ordered: Sequence[Piece], em: float) -> list[float]:
    """Where gutters may run: the middles of gaps between neighbours on a line that recur."""
    gaps: list[float] = []
    for number, piece in enumerate(ordered):
        for other in ordered[number + 1 : number + 8]:
            if other.top <= piece.bottom:
                break
            first, second = (piece, other) if piece.left <= other.left else (other, piece)
            if second.left - first.right >= _MIN_WIDTH * em:
                gaps.extend((first.right + 1, second.left - 1))
    gaps.sort()
    # Gaps of ragged lines differ; their common part is near the narrowest, so both edges are tried.
    positions: list[float] = []
    for edge in gaps:
        if positions and edge - positions[-1] < 0.4 * em:
            continue
        if bisect_left(gaps, edge + 0.6 * em) - bisect_left(gaps, edge - 0.6 * em) >= _MIN_LINES:
            positions.append(edge)
    return positions


def _strips(ordered: Sequence[Piece], position: float, em: float, least: int) -> Iterator[Gutter]:
    """Gutters at ``position``: between one piece that crosses it and the next, if both sides have ``least`` lines or
    more."""
    left: list[Piece] = []
    right: list[Piece] = []
    for piece in (*ordered, None):
        if piece is None or piece.left < position < piece.right:
            if min(len(left), len(right)) >= max(least, _MIN_LINES):
                gutter = _gutter(left, right, em)
                if gutter:
                    yield gutter
            left, right = [], []
        elif piece.right <= position:
            left.append(piece)
        else:
            right.append(piece)


def _gutter(left: Sequence[Piece], right: Sequence[Piece], em: float) -> Gutter | None:
    if len(left) < _MIN_LINES or len(right) < _MIN_LINES:
        return None
    left, right = _common(left, right, em), _common(right, left, em)
    if not left or not right:
        return None
    lines = min(len(geometry.rows(left)), len(geometry.rows(right)))
    start, end = max(piece.right for piece in left), min(piece.left for piece in right)
    narrow = min(start - min(piece.left for piece in left), max(piece.right for piece in right) - end)
    if lines < _MIN_LINES or end - start < _MIN_WIDTH * em or narrow < _MIN_SIDE_EMS * em:
        return None
    together = [*left, *right]
    bottom, top = min(piece.middle for piece in together), max(piece.middle for piece in together)
    return Gutter(start, end, bottom, top, lines)


def _common(side: Sequence[Piece], other: Sequence[Piece], em: float) -> list[Piece]:
    """``side`` without the part below the other side's end: a heading of the text after both columns."""
    end = min(piece.bottom for piece in other)
    kept = sorted(side, key=lambda piece: -piece.middle)
    while len(kept) > 1 and kept[-1].top < end and kept[-2].bottom - kept[-1].top > 1.1 * em:
        kept.pop()
    return kept
