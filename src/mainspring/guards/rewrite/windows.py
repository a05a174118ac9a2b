"""An answer in windows while it streams: each sentence, judged when it ends.

A long sentence can be judged while it is being said, a step at a time. Which windows there are depends on the text
alone, never on the pieces that it comes in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

STEP = 64
"""Characters after which an unfinished sentence is judged."""
LONGEST = 300
"""Characters after which a sentence counts as ended."""
_END = re.compile(r"[.!?…]+[\"'”’»)\]*_]*(?=\s)|[。！？]|\n")
_SPACE = re.compile(r"\s")
_WORD = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Window:
    """The sentence ``[start:end]`` of an answer, or its beginning if it is not ``whole``. ``text`` is empty if there is
    none."""

    text: str
    start: int
    end: int
    whole: bool


class Windows:
    """``push`` pieces of one text, then ``flush``: both return the windows that are complete at that point. With
    ``steps``, parts of sentences are judged while they arrive."""

    __slots__ = ("_judged", "_scanned", "_sentence", "_start", "_stepping")

    def __init__(self, *, steps: bool = False) -> None:
        self._sentence = ""
        self._start = 0
        self._scanned = 0
        self._judged = 0
        self._stepping = steps

    def push(self, text: str) -> list[Window]:
        """Take the next piece."""
        self._sentence += text
        found: list[Window] = []
        while True:
            # A mark ends a sentence only if white space follows: the last characters are checked again. Nothing behind
            # the longest sentence is looked at, which would be read again for each.
            end = _END.search(self._sentence, max(0, self._scanned - 16), LONGEST + 1)
            limit = end.end() if end else len(self._sentence)
            if self._stepping:
                found += self._steps(min(limit, LONGEST))
            if limit >= LONGEST:
                found.append(self._close(LONGEST))
            elif end:
                found.append(self._close(limit))
            else:
                self._scanned = limit
                return found

    def flush(self) -> list[Window]:
        """The text has ended."""
        return [self._close(len(self._sentence))] if self._sentence else []

    def _steps(self, limit: int) -> list[Window]:
        found = []
        while (step := _SPACE.search(self._sentence, self._judged + STEP, limit)) is not None:
            self._judged = step.end()
            said = self._sentence[: self._judged].strip()
            found.append(Window(said, self._start, self._start + self._judged, False))
        return found

    def _close(self, end: int) -> Window:
        said = self._sentence[:end].strip() if _WORD.search(self._sentence, 0, end) else ""
        window = Window(said, self._start, self._start + end, True)
        self._sentence, self._start = self._sentence[end:], self._start + end
        self._scanned = self._judged = 0
        return window
