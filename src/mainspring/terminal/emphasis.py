"""Strong words of an answer (``**45 days**``) on a terminal, while the answer is still being written."""

from __future__ import annotations

import re

_STRONG = re.compile(r"(?<![\w*])\*\*(?=[^\s*])([^\n]{1,400}?)(?<=\S)\*\*(?![\w*])")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")
_BOLD, _NORMAL = "\x1b[1m", "\x1b[22m"


class Strong:
    """Shows strong words without their marks: bold on a terminal, plain elsewhere. Fenced code stays as it is.

    Text is given piece by piece, and is kept back only from a mark to the end of its line at most.
    """

    def __init__(self, *, bold: bool) -> None:
        self._shown = rf"{_BOLD}\1{_NORMAL}" if bold else r"\1"
        self._line = ""
        self._done = 0
        self._fenced = False

    def add(self, text: str) -> str:
        """What can be shown after ``text``."""
        *ended, rest = text.split("\n")
        shown = [self._ended(each) + "\n" for each in ended]
        self._line += rest
        return "".join(shown) + self._begun()

    def rest(self) -> str:
        """What was kept back, at the end."""
        return self._ended("")

    def _ended(self, text: str) -> str:
        line = self._line + text
        shown = line[self._done :] if self._in_code(line) else self._strong(line, self._done)
        if _FENCE.match(line):
            self._fenced = not self._fenced
        self._line, self._done = "", 0
        return shown

    def _begun(self) -> str:
        """The part of the unfinished line that no later text changes."""
        if _maybe_fence(self._line):
            return ""
        end = len(self._line)
        if not self._in_code(self._line):
            end = self._open(self._line, self._done)
        line = self._line[:end]
        shown = line[self._done :] if self._in_code(line) else self._strong(line, self._done)
        self._done = end
        return shown

    def _open(self, line: str, start: int) -> int:
        """Where the first mark after ``start`` stands that may still be closed; the length if there is none."""
        for match in _STRONG.finditer(line, start):
            # What follows a closing mark decides whether it is one.
            if match.end() == len(line):
                return match.start()
            start = match.end()
        mark = line.find("**", start)
        if mark < 0:
            return max(start, len(line) - line.endswith("*"))
        return mark

    def _strong(self, line: str, start: int) -> str:
        shown, place = [], start
        for match in _STRONG.finditer(line, start):
            shown += [line[place : match.start()], match.expand(self._shown)]
            place = match.end()
        return "".join(shown) + line[place:]

    def _in_code(self, line: str) -> bool:
        return self._fenced or bool(_FENCE.match(line))


def _maybe_fence(line: str) -> bool:
    """Whether more text may make a fence of ``line``."""
    return len(line) < 6 and line.strip(" ") in {"`", "``", "~", "~~"}


def shown(text: str, *, bold: bool) -> str:
    """A whole text with its strong words shown."""
    strong = Strong(bold=bold)
    return strong.add(text) + strong.rest()
