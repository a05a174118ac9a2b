"""The place of a completion: what stands before and after the cursor, and how far a completion goes there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from mainspring.features.code.syntax import trees

Reach = Literal["line", "statement", "block"]
"""How far a completion goes: to the end of the line, of the statement that the line begins, or of the block."""
_CLOSERS = re.compile(r"[\s)\]}>\"'`;,:]*")
OPEN, CLOSE = "([{", ")]}"
_TAB = 4


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor between two texts of a file in the language ``suffix`` (the ending of its files; empty: unknown)."""

    before: str
    after: str
    suffix: str = ""
    path: str = ""

    @property
    def line_before(self) -> str:
        """The part of the cursor's line that stands before it."""
        return self.before[self.before.rfind("\n") + 1 :]

    @property
    def line_after(self) -> str:
        """The part of the cursor's line that stands behind it."""
        return self.after.split("\n", 1)[0]

    @property
    def indented(self) -> bool:
        """Whether indentation marks blocks."""
        return self.suffix in trees.PYTHON

    @property
    def reach(self) -> Reach:
        """How far a completion goes."""
        if _CLOSERS.fullmatch(self.line_after) is None:
            return "line"
        begun = self.line_before.strip() and not opens_block(self.line_before, indented=self.indented)
        return "statement" if begun else "block"

    @property
    def indent(self) -> int:
        """The columns before the first character of what a completion begins: of its line, or of the block whose line
        it is."""
        if self.line_before and not opens_block(self.line_before, indented=self.indented):
            return columns(self.line_before)
        last = self.line_before or self.last_line
        return columns(last) + (_TAB if opens_block(last, indented=self.indented) else 0)

    @property
    def last_line(self) -> str:
        """The last line before the cursor's that is not blank."""
        lines = self.before[: len(self.before) - len(self.line_before)].split("\n")
        return next((line for line in reversed(lines[-50:]) if line.strip()), "")

    @property
    def next_line(self) -> str:
        """The first line behind the cursor's that is not blank."""
        lines = self.after.split("\n", 60)[1:]
        return next((line for line in lines if line.strip()), "")

    @property
    def depth(self) -> int:
        """The brackets that are open at the cursor in its line, less those that the rest of the line closes, or a line
        below that closes its block."""
        opened = bracket_depth(self.line_before)
        closed = sum(self.line_after.count(each) for each in CLOSE)
        below = self.next_line
        if opened and not closed and below.lstrip()[:1] in set(CLOSE) and columns(below) <= columns(self.line_before):
            closed = 1
        return max(opened - closed, 0)


def columns(line: str) -> int:
    """The columns before the first character of ``line``."""
    return len(line.expandtabs(_TAB)) - len(line.expandtabs(_TAB).lstrip())


def opens_block(line: str, *, indented: bool) -> bool:
    """Whether the lines after ``line`` are deeper."""
    code = re.sub(r"(?<!\s)\s+(#|//).*$", "", line).rstrip()
    return code.endswith(":") if indented else code.endswith(("{", "(", "["))


def bracket_depth(line: str) -> int:
    """How many brackets ``line`` opens and does not close; those within quotes do not count."""
    depth, quote, skip = 0, "", False
    for character in line:
        if skip:
            skip = False
        elif quote:
            skip = character == "\\"
            quote = "" if character == quote else quote
        elif character in "\"'`":
            quote = character
        elif character in OPEN:
            depth += 1
        elif character in CLOSE:
            depth = max(depth - 1, 0)
    return depth
