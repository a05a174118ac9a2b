"""White space between the tokens of JSON, which grammars allow without end: a model may write nothing else until it is
cut. Indentation needs some, and no JSON needs more than ``LIMIT`` characters in a row."""

from __future__ import annotations

LIMIT = 128


class Blanks:
    """Follows JSON as it is written and counts white space in a row outside of strings."""

    __slots__ = ("_escaped", "_run", "_string")

    def __init__(self) -> None:
        self._string = False
        self._escaped = False
        self._run = 0

    def push(self, text: str) -> bool:
        """Whether there is more than ``LIMIT`` of it in a row by now."""
        for character in text:
            if self._string:
                self._string = self._escaped or character != '"'
                self._escaped = not self._escaped and character == "\\"
            elif character in " \t\r\n":
                self._run += 1
                if self._run > LIMIT:
                    return True
            else:
                self._run = 0
                self._string = character == '"'
        return False
