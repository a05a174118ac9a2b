"""Tables of a text: runs of lines that open with a pipe, and the header row that a divider marks."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_TABLE = re.compile(
    r"^[ \t]*(?P<header>\|[^\n]*)\n[ \t]*+(?:\|[ \t]*+)?:?-++:?[ \t]*+(?:\|[ \t]*+:?-*+:?[ \t]*+)*+\n"
    r"(?P<body>(?:[ \t]*\|[^\n]*(?:\n|\Z))+)",
    re.MULTILINE,
)
_ROW = re.compile(r"^[ \t]*\|[^\n]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class TableLines:
    """A table whose header row, ``text[start:...]``, names the columns of the rows in ``text[body:end]``."""

    start: int
    body: int
    end: int
    header: str


class Tables:
    """The tables of ``text`` and all its rows, in order."""

    def __init__(self, text: str) -> None:
        self.all = [
            TableLines(match.start("header"), match.start("body"), match.end("body"), match["header"].strip())
            for match in _TABLE.finditer(text)
        ]
        self.rows = [(match.start(), match.end()) for match in _ROW.finditer(text)]
        self._headers = {table.start for table in self.all}
        self._tokens: dict[str, int] = {}

    def is_header(self, offset: int) -> bool:
        """Whether a header row starts at ``offset``."""
        return offset in self._headers

    def header_at(self, offset: int) -> str:
        """The header row of the table whose rows hold ``offset``; empty elsewhere and in the header itself."""
        index = bisect_right(self.all, offset, key=lambda table: table.body) - 1
        return self.all[index].header if index >= 0 and offset < self.all[index].end else ""

    def within(self, start: int, end: int) -> list[tuple[int, int]]:
        """The rows that are completely in ``text[start:end]``."""
        first = bisect_left(self.rows, (start, 0))
        last = bisect_right(self.rows, end, lo=first, key=lambda row: row[1])
        return self.rows[first:last]

    def header_tokens(self, header: str, count: Callable[[Sequence[str]], list[int]]) -> int:
        """Tokens of a header row."""
        if header not in self._tokens:
            (self._tokens[header],) = count([header])
        return self._tokens[header]
