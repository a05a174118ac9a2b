"""A page as boxes: runs of text, drawn lines and pictures, and how they group into rows.

Coordinates are in points with y growing upwards, as in PDF, on the page turned so that its text is upright.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from mainspring.rag.parse.parsed import Box


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text in one font, in its box. ``size`` is the font's in points (0: unknown).

    ``glued``: there is no space between it and the piece before. ``block`` is the number of a table or figure of the
    page that takes the place of text.
    """

    left: float
    bottom: float
    right: float
    top: float
    text: str
    size: float = 0.0
    glued: bool = False
    block: int = -1

    @property
    def middle(self) -> float:
        return (self.bottom + self.top) / 2

    @property
    def box(self) -> Box:
        return self.left, self.bottom, self.right, self.top


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


@dataclass(frozen=True, slots=True)
class Picture:
    """An image on the page, its text by OCR (empty: none, or not tried), and its packed size in bytes."""

    left: float
    bottom: float
    right: float
    top: float
    text: str = ""
    packed: int = 0

    @property
    def box(self) -> Box:
        return self.left, self.bottom, self.right, self.top


@dataclass(slots=True)
class Sheet:
    """One page: pieces in the order in which they are drawn, rules, pictures, and its size in points.

    ``asides`` are pieces in another direction than the rest (watermarks, stamps in the margin): (text, oblique).
    ``recognised``: read by OCR. ``turned``: its text was not upright, and its boxes were turned. ``reference`` is
    pdfium's text of the page, for checking the result; empty if there is none.
    """

    pieces: list[Piece]
    rules: list[Rule] = field(default_factory=list)
    height: float = 842.0
    width: float = 595.0
    pictures: list[Picture] = field(default_factory=list)
    asides: list[tuple[str, bool]] = field(default_factory=list)
    recognised: bool = False
    turned: bool = False
    reference: str = ""


def em(pieces: Iterable[Piece]) -> float:
    """The usual height of a line of ``pieces``; 10 without pieces."""
    heights = [piece.top - piece.bottom for piece in pieces if piece.block < 0 and piece.text.strip()]
    return median(heights) if heights else 10.0


def rows(pieces: Iterable[Piece]) -> list[list[Piece]]:
    """Pieces on one line together, from the top, each row from the left."""
    found: list[list[Piece]] = []
    bottom = top = 0.0
    for piece in sorted(pieces, key=lambda piece: -piece.middle):
        shared = min(top, piece.top) - max(bottom, piece.bottom)
        if found and shared > 0.5 * min(top - bottom, piece.top - piece.bottom):
            found[-1].append(piece)
            # The row stays as high as its first piece: a tall neighbour must not swallow the next line.
        else:
            found.append([piece])
            bottom, top = piece.bottom, piece.top
    return [sorted(row, key=lambda piece: piece.left) for row in found]


def bounds(pieces: Sequence[Piece]) -> Box:
    """The box around ``pieces``, at least one."""
    return (
        min(piece.left for piece in pieces),
        min(piece.bottom for piece in pieces),
        max(piece.right for piece in pieces),
        max(piece.top for piece in pieces),
    )


def within(piece: Piece, box: Box, slack: float = 1.0) -> bool:
    """Whether the middle of the piece's line, a little right of its start, is in ``box``."""
    left, bottom, right, top = box
    return left - slack <= piece.left + 1 <= right + slack and bottom <= piece.middle <= top
