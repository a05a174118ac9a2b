"""What a parsed document is: one text, and where its pages and headings lie in it.

Offsets everywhere are character offsets into ``Parsed.text``: chunks, sentences and citations are spans of it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass


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
class Parsed:
    """A document's text and structure.

    ``kind`` is the format that its bytes have (``pdf``, ``docx``, ``html`` ...), ``parser`` what read it,
    ``warnings`` what was lost on the way (undecodable bytes, pages without text).
    """

    text: str
    pages: tuple[Page, ...] = ()
    headings: tuple[Heading, ...] = ()
    kind: str = "text"
    parser: str = ""
    warnings: tuple[str, ...] = ()

    def page_at(self, offset: int) -> int | None:
        """The page that holds ``offset``; None in a document without pages."""
        if not self.pages:
            return None
        index = bisect_right(self.pages, offset, key=lambda page: page.start) - 1
        return self.pages[max(0, index)].number


def heading_paths(headings: tuple[Heading, ...]) -> list[tuple[int, str]]:
    """(offset, path) in order: from ``offset`` on, text stands under ``path``, such as ``Leave > Sick leave``."""
    stack: list[Heading] = []
    paths: list[tuple[int, str]] = []
    for heading in headings:
        while stack and stack[-1].level >= heading.level:
            stack.pop()
        stack.append(heading)
        paths.append((heading.start, " > ".join(part.title for part in stack)))
    return paths
