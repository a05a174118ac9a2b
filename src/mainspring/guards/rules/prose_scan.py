"""Separates prose from code and quotations in an answer while it streams."""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["prose", "code", "quote", "mark"]
"""``mark`` is the delimiter of code."""
_SPECIAL = re.compile('[`~>"“«„\\n]')
_CLOSING = {'"': '"', "“": "”", "«": "»", "„": "“"}


class Scan:
    """Takes an answer in pieces. Code is in fences or between backticks, a quotation between double quotation marks or
    after ``>``. An unclosed one ends with its line (a fence with the answer). ``code`` and ``quotes`` that are
    rewritten too count as prose."""

    def __init__(self, *, code: bool = False, quotes: bool = False) -> None:
        self._code = code
        self._quotes = quotes
        self._state: Literal["prose", "fence", "info", "inline", "quote", "line", "after"] = "prose"
        self._closing = ""
        # Backticks or tildes whose number is not known yet; the fence that they are to close.
        self._run = ""
        self._fence = ""
        # Spaces since the start of the line; None if something else precedes.
        self._indent: int | None = 0
        self._before = "\n"
        self._found: list[tuple[Kind, str]] = []

    def push(self, text: str) -> list[tuple[Kind, str]]:
        """The decided spans so far, in order."""
        if self._state == "prose" and not self._run and self._indent is None and not _SPECIAL.search(text):
            self._before = text[-1:] or self._before
            return [("prose", text)] if text else []
        for character in text:
            self._take(character)
        return self._out()

    def flush(self) -> list[tuple[Kind, str]]:
        """The text has ended."""
        self._resolve()
        return self._out()

    def _out(self) -> list[tuple[Kind, str]]:
        found, self._found = self._found, []
        return found

    def _say(self, kind: Kind, text: str) -> None:
        if self._found and self._found[-1][0] == kind:
            self._found[-1] = (kind, self._found[-1][1] + text)
        else:
            self._found.append((kind, text))

    def _take(self, character: str) -> None:
        if self._run and character != self._run[0]:
            self._resolve()
        if character in "`~" and not self._code and self._state in ("prose", "fence", "inline"):
            self._run += character
            return
        if character == "\n":
            self._newline()
        elif self._state == "prose":
            self._prose(character)
        elif self._state == "quote":
            self._say("quote", character)
            if character == self._closing:
                self._state = "prose"
        else:
            kinds: dict[str, Kind] = {"fence": "code", "inline": "code", "info": "mark", "after": "mark"}
            self._say(kinds.get(self._state, "quote"), character)
        if self._indent is not None:
            self._indent = self._indent + 1 if character == " " and self._indent < 3 else None
        if character == "\n":
            self._indent = 0
        self._before = character

    def _newline(self) -> None:
        if self._state in ("info", "after"):
            self._say("mark", "\n")
            self._state = "fence" if self._state == "info" else "prose"
        elif self._state == "fence":
            self._say("code", "\n")
        else:
            self._state = "prose"
            self._say("prose", "\n")

    def _prose(self, character: str) -> None:
        if not self._quotes:
            if character == ">" and self._indent is not None:
                self._state = "line"
                self._say("quote", character)
                return
            closing = _CLOSING.get(character)
            if closing is not None and not (character == '"' and (self._before.isalnum() or self._before in '”"')):
                self._state, self._closing = "quote", closing
                self._say("quote", character)
                return
        self._say("prose", character)

    def _resolve(self) -> None:
        """The run of backticks or tildes is complete."""
        run, self._run = self._run, ""
        if not run:
            return
        at_line_start, self._indent, self._before = self._indent is not None, None, run[0]
        if self._state == "fence":
            if at_line_start and run[0] == self._fence[0] and len(run) >= len(self._fence):
                self._state = "after"
                self._say("mark", run)
            else:
                self._say("code", run)
        elif self._state == "inline":
            closes = run == self._fence
            self._say("mark" if closes else "code", run)
            if closes:
                self._state = "prose"
        elif at_line_start and len(run) >= 3:
            self._state, self._fence = "info", run
            self._say("mark", run)
        elif run[0] == "`":
            self._state, self._fence = "inline", run
            self._say("mark", run)
        else:
            self._say("prose", run)
