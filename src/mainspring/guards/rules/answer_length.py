"""Cuts the length of an answer: after a number of sentences, or after the last word within a number of characters."""

from __future__ import annotations

import re

ELLIPSIS = "…"
NEAR = 80
"""This close to its limit, a text of bounded length waits until its end is known."""
_END = re.compile(r"(?<![.!?…])[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？]")
_MARKS = re.compile(r"(?<![.!?…])[.!?…]+[\"'”’»)\]]*\Z")
_SPACE = re.compile(r"\s+\S*\Z")


class Sentences:
    """Gives a text that comes in pieces back up to the end of its sentence number ``most``."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._held = ""
        self.done = False

    def push(self, text: str, *, prose: bool = True) -> str:
        """Take the next piece. Text other than prose has no sentences."""
        if self.done:
            return ""
        text, self._held = self._held + text, ""
        if not prose:
            return text
        at = 0
        for end in _END.finditer(text):
            at = end.end()
            self._left -= 1
            if not self._left:
                self.done = True
                return text[:at]
        # The following text decides whether a sentence ends there.
        if marks := _MARKS.search(text, at):
            text, self._held = text[: marks.start()], text[marks.start() :]
        return text

    def flush(self) -> str:
        """The text has ended: return the rest."""
        rest, self._held = self._held, ""
        return "" if self.done else rest


class Characters:
    """Gives a text that comes in pieces back up to the last word within ``most`` characters, an ellipsis behind it."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._held = ""
        self.done = False

    def push(self, text: str) -> str:
        """Take the next piece."""
        if self.done:
            return ""
        text = self._held + text
        if len(text) > self._left:
            self.done = True
            return self._cut(text)
        free = max(0, min(len(text), self._left - NEAR))
        self._held = text[free:]
        self._left -= free
        return text[:free]

    def flush(self) -> str:
        """The text has ended: return the rest."""
        rest, self._held = self._held, ""
        return "" if self.done else rest

    def _cut(self, text: str) -> str:
        room = self._left
        near = max(0, room - NEAR)
        within = text[:room]
        if not text[room].isspace() and (space := _SPACE.search(within, near)):
            within = within[: space.start()]
        return within[:near] + within[near:].rstrip() + ELLIPSIS
