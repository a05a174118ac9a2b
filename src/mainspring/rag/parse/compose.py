"""Putting a document's text together, with the places of its pages, tables and figures in it.

Every reader writes through a ``Composer``, so that offsets are right by construction: an added table or figure is
exactly ``text[start:end]`` of the result.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from mainspring.core.errors import UnreadableDocument
from mainspring.rag.parse.markup import markdown
from mainspring.rag.parse.parsed import Box, Dropped, Figure, Heading, Page, Parsed, Table

MAX_CHARACTERS = 50_000_000
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ufeff\ufffe\ufdd0-\ufdef\ud800-\udfff]")
_PERIODS = re.compile(r"(?:FY ?)?(?:19|20)\d\d(?:[ \t]+(?:FY ?)?(?:19|20)\d\d){1,9}")
_RUNS_ON = re.compile(r"[\w,;-]$")
Headings = Literal["markdown", "capitals", "none"]


def clean(text: str) -> str:
    """Without characters that no text has, with one kind of line end; length may change, offsets come later."""
    return _UNPRINTABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n"))


class Composer:
    """The text so far. ``name`` is the document's name in errors.

    Its methods raise ``UnreadableDocument`` when the text grows beyond 50 million characters.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._parts: list[str] = []
        self._length = 0
        self._last = ""
        self._pages: list[Page] = []
        self._page: int | None = None
        self._fresh = False
        self._tables: list[Table] = []
        self._figures: list[Figure] = []
        # Years that stand in a line of their own, over tables whose figures they name.
        self._periods: list[str] = []
        self.dropped: list[Dropped] = []
        self.warnings: list[str] = []

    def add(self, text: str, *, close: bool = False) -> tuple[int, int]:
        """Append a block, after a blank line or (``close``) on a new line; its span. An empty text adds nothing."""
        text = clean(text).strip("\n")
        if not text.strip():
            return self._length, self._length
        if self._last:
            # A sentence that runs over a page's end stays one sentence.
            runs_on = self._fresh and text[:1].islower() and _RUNS_ON.search(self._last)
            self._append(" " if runs_on else "\n" if close else "\n\n")
        if _PERIODS.fullmatch(text):
            self._periods = text.split()
        if self._fresh:
            self._pages[-1] = Page(self._pages[-1].number, self._length, self._length)
            self._fresh = False
        return self._append(text)

    def page(self, number: int) -> None:
        """The following text is on page ``number``."""
        self._end_page()
        self._page, self._fresh = number, True
        self._periods = []
        self._pages.append(Page(number, self._length, self._length))

    def table(
        self, cells: Sequence[Sequence[str]], *, caption: str = "", prefix: str = "", unnamed: bool = False
    ) -> None:
        """Append a table, a line a row. ``caption`` is kept in its record; ``prefix`` opens each row's line;
        ``unnamed``: its columns have no names."""
        cleaned = [[clean(cell) for cell in row] for row in cells]
        if markdown.has_figures(cleaned, len(self._periods)):
            cleaned.insert(0, ["", *self._periods])
        grid = markdown.grid(cleaned, prefix, unnamed=unnamed)
        if not grid.lines:
            return
        text = "\n".join(grid.lines)
        start, end = self.add(text)
        rows = tuple(tuple(row) for row in grid.cells)
        self._tables.append(Table(start, end, rows, grid.header, caption or prefix, self._page))

    def figure(self, *, caption: str = "", text: str = "", box: Box | None = None) -> None:
        """Append the text in a picture and its caption; without either, only mark its place."""
        caption, text = clean(caption).strip(), clean(text).strip()
        start, end = self.add("\n\n".join(part for part in (text, caption) if part))
        self._figures.append(Figure(start, end, self._page, box, caption, text))

    def markdown(self, text: str, *, prefixed: bool = False) -> None:
        """Append Markdown with its tables rewritten as rows. ``prefixed``: each row opens with the heading above."""
        for part in markdown.parts(clean(text), prefixed=prefixed):
            if isinstance(part, str):
                self.add(part)
            else:
                self.table(part.cells, prefix=part.caption, unnamed=part.unnamed)

    def parsed(self, kind: str, parser: str, *, route: str = "rules", headings: Headings = "markdown") -> Parsed:
        """The document."""
        self._end_page()
        text = "".join(self._parts)
        found: tuple[Heading, ...] = ()
        if headings == "markdown":
            found = markdown.headings(text)
        elif headings == "capitals":
            found = markdown.capitals(text)
        return Parsed(
            text,
            tuple(self._pages),
            found,
            kind,
            parser,
            tuple(warning for warning in self.warnings if warning),
            route,
            tuple(self._tables),
            tuple(self._figures),
            tuple(self.dropped),
        )

    def _append(self, text: str) -> tuple[int, int]:
        start = self._length
        self._parts.append(text)
        self._length += len(text)
        self._last = text
        if self._length > MAX_CHARACTERS:
            raise UnreadableDocument(
                f"{self._name} has more than {MAX_CHARACTERS} characters of text", remedy="Split it into several files"
            )
        return start, self._length

    def _end_page(self) -> None:
        if self._pages:
            last = self._pages[-1]
            self._pages[-1] = Page(last.number, last.start, self._length)
