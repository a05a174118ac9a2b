"""A parsed document: one text, and the positions of its pages, headings, tables and figures.

All offsets are character offsets into ``Parsed.text``: chunks, sentences and citations are spans of it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

Box = tuple[float, float, float, float]
"""Left, bottom, right and top in points, as PDF counts: from the lower left corner of the upright page."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page, counted from 1, covers ``text[start:end]``. Sheets and slides have headings, not pages."""

    number: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of ``level`` 1 (title) to 6, whose line covers ``text[start:end]``."""

    level: int
    title: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose row lines cover ``text[start:end]``.

    Each row in the text is self-contained, with the names of its columns (``| Zone: 3 | Express: 23.95 |``), so that it
    can be found and cited by itself. ``rows`` are the original cells, the header first if ``header`` is set; a merged
    cell is repeated in each place that it covers.
    """

    start: int
    end: int
    rows: tuple[tuple[str, ...], ...]
    header: bool = True
    caption: str = ""
    page: int | None = None

    def markdown(self) -> str:
        """The whole table as Markdown draws tables."""
        width = max((len(row) for row in self.rows), default=0)
        lines = [[*row, *[""] * (width - len(row))] for row in self.rows]
        if not self.header:
            lines.insert(0, [""] * width)
        drawn = [f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines]
        return "\n".join([*drawn[:1], f"|{' --- |' * width}", *drawn[1:]])


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture: its caption and what could be read in it (``text``), which cover ``text[start:end]`` of the document.

    ``start == end`` marks the place of a picture without text. ``box`` is its place on the page, ``image`` a PNG of it
    if requested.
    """

    start: int
    end: int
    page: int | None = None
    box: Box | None = None
    caption: str = ""
    text: str = ""
    image: bytes = b""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Text that was left out on purpose. ``reason`` is ``header``, ``footer``, ``page number``, ``line number``,
    ``watermark``, ``boilerplate`` or ``comment``."""

    reason: str
    text: str
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document's text and structure.

    ``kind`` is the format that its bytes have (``pdf``, ``docx``, ``html`` ...), ``parser`` what read it. ``route`` is
    how, and why so: ``rules: one column`` or ``layout: columns on 3 of 4 pages`` (guide section E.2, document parsing).
    ``warnings`` lists losses (undecodable bytes, pages without text).
    """

    text: str
    pages: tuple[Page, ...] = ()
    headings: tuple[Heading, ...] = ()
    kind: str = "text"
    parser: str = ""
    warnings: tuple[str, ...] = ()
    route: str = ""
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    dropped: tuple[Dropped, ...] = ()

    def page_at(self, offset: int) -> int | None:
        """The page that holds ``offset``; None in a document without pages."""
        if not self.pages:
            return None
        index = bisect_right(self.pages, offset, key=lambda page: page.start) - 1
        return self.pages[max(0, index)].number

    def table_at(self, offset: int) -> Table | None:
        """The table whose rows hold ``offset``."""
        index = bisect_right(self.tables, offset, key=lambda table: table.start) - 1
        return self.tables[index] if index >= 0 and offset < self.tables[index].end else None


def heading_paths(headings: tuple[Heading, ...]) -> list[tuple[int, str]]:
    """(offset, path) in order: from ``offset`` on, the text is under ``path``, such as ``Leave > Sick leave``."""
    stack: list[Heading] = []
    paths: list[tuple[int, str]] = []
    for heading in headings:
        while stack and stack[-1].level >= heading.level:
            stack.pop()
        stack.append(heading)
        paths.append((heading.start, " > ".join(part.title for part in stack)))
    return paths


# Limits of a page's picture: pixels, bytes, the characters of the marked text; and the start of a PNG.
MAX_PIXELS, MAX_PICTURE_BYTES, MAX_QUOTE = 1_500_000, 8 * 2**20, 4000
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class PagePicture:
    """A PNG of a page of a document of ``pages``; ``marked`` lines of it show the passage."""

    png: bytes
    width: int
    height: int
    pages: int
    marked: int
