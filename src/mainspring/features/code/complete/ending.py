"""The end of a completion, found while a model writes it: what it would write further is not waited for."""

from __future__ import annotations

from mainspring.features.code.complete.place import CLOSE, OPEN, Place, columns, opens_block

_TRIPLE = ('"""', "'''")


class Ending:
    """Reads a completion as it comes. ``push`` returns the number of its characters that are wanted, as soon as that is
    known; ``whole`` is that number for a completion that has ended by itself."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._reach = place.reach
        self._indent = place.indent
        self._depth = place.depth
        self._owed = self._depth > 0
        self._opened = self._owed
        self._quote = ""
        self._escaped = False
        self._comment = False
        self._scanned = 0
        self._lines = 0
        self._line_start = 0
        self._block = False
        self._text = ""
        next_line = place.next_line
        # In the middle of a block a blank line ends what belongs together.
        self._within = bool(next_line) and columns(next_line) >= self._indent and self._reach == "block"

    def push(self, piece: str) -> int | None:
        """The next ``piece`` of the completion."""
        self._text += piece
        while self._scanned < len(self._text):
            # A quotation of three marks must be seen whole.
            if len(self._text) - self._scanned < 3 and self._text[self._scanned] in "\"'":
                return None
            end = self._step()
            if end is not None:
                return end
        return None

    @property
    def whole(self) -> int:
        """For a completion that the model has ended."""
        return len(self._text.rstrip()) if self._text.strip() else 0

    def _step(self) -> int | None:
        position, character = self._scanned, self._text[self._scanned]
        self._scanned += 1
        if character == "\n" and len(self._quote) < 3:
            self._comment, self._escaped = False, False
            self._quote = "" if self._quote != "`" else self._quote
            return self._line_ended(position)
        if self._comment:
            return None
        if self._quote:
            self._quoted(character, position)
            return None
        if position == self._line_start + self._blank(position) and self._lines:
            end = self._line_begun(position)
            if end is not None:
                return end
        if self._text[position : position + 3] in _TRIPLE and self._place.indented:
            self._quote = self._text[position : position + 3]
            self._scanned = position + 3
        elif character in "\"'`" and not (character == "'" and self._place.suffix == "rs"):
            self._quote = character
        elif character == "#" if self._place.indented else self._text[position : position + 2] == "//":
            self._comment = True
        else:
            return self._bracket(character, position)
        return None

    def _quoted(self, character: str, position: int) -> None:
        if self._escaped:
            self._escaped = False
        elif character == "\\":
            self._escaped = True
        elif len(self._quote) == 3 and self._text[position : position + 3] == self._quote:
            self._scanned, self._quote = position + 3, ""
        elif character == self._quote:
            self._quote = ""

    def _bracket(self, character: str, position: int) -> int | None:
        if character in OPEN:
            self._depth += 1
            self._opened = True
        elif character in CLOSE:
            self._depth -= 1
            if self._depth < 0 and not (self._place.indented and self._reach == "line"):
                return len(self._text[:position].rstrip())
        return None

    def _blank(self, position: int) -> int:
        line = self._text[self._line_start : position + 1]
        return len(line) - len(line.lstrip())

    def _line_ended(self, position: int) -> int | None:
        line = self._text[self._line_start : position]
        before = self._place.line_before if self._line_start == 0 else ""
        first = self._lines == 0 and bool((before + line).strip())
        blank = not (before + line).strip()
        self._line_start = position + 1
        if blank:
            # A blank line behind something, where code of the same block goes on below.
            over = self._within and self._lines and self._depth <= 0
            return len(self._text[:position].rstrip()) if over else None
        self._lines += 1
        if self._reach == "line":
            return position
        if self._depth > 0:
            return None
        opens = opens_block(before + line, indented=self._place.indented)
        if self._place.indented:
            self._block = self._block or (first and opens)
            return position if self._reach == "statement" and not self._block and not self._continues(line) else None
        if self._reach == "statement" or (self._opened and (self._indent == 0 or self._owed)):
            return position
        return None

    @staticmethod
    def _continues(line: str) -> bool:
        return line.rstrip().endswith(("\\", ","))

    def _line_begun(self, position: int) -> int | None:
        """The first character of a line, which is not the first one: a shallower line ends an indented block."""
        if not self._place.indented or self._depth > 0:
            return None
        here = columns(self._text[self._line_start : position + 1])
        limit = self._indent + 1 if self._reach == "statement" else self._indent
        begins_anew = self._indent == 0 and self._reach == "block" and here == 0 and self._after_construct()
        if here < limit or begins_anew:
            return len(self._text[: self._line_start].rstrip())
        return None

    def _after_construct(self) -> bool:
        """Whether what stands before this line is a definition or another block that has ended, or a paragraph."""
        lines = self._text[: self._line_start].split("\n")[:-1]
        above = [line for line in lines if line.strip()]
        return bool(above) and (columns(above[-1]) > 0 or not lines[-1].strip())
