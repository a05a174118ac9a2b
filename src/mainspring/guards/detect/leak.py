"""The system prompt in an answer: runs of its words, found while they stream.

A run is ``RUN`` of its words in a row; anything may separate them (case, punctuation, line breaks). Prompts that are
translated, encoded or paraphrased are not found.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

RUN = 10
"""Words in a row; a prompt of fewer, but at least ``LEAST``, is found whole."""
LEAST = 6
KIND = "system_prompt"
PLACEHOLDER = "[SYSTEM_PROMPT]"
# The number of a run's words that are shown: shorter runs start in every second sentence.
_SHOWN = 2
_LONGEST = 64
_HAN = "\u2e80-\u9fff\uac00-\ud7af"
# Scripts without spaces count each sign as a word.
_PARTS = re.compile(rf"(?P<sign>[{_HAN}])|(?P<word>[^\W{_HAN}]+)|\W+")
_WORD = re.compile(rf"[{_HAN}]|[^\W{_HAN}]+")


class Prompt:
    """The words of a request's system prompts, made once and shared by the texts of its answer."""

    __slots__ = ("needed", "places")

    def __init__(self, texts: Sequence[str]) -> None:
        each = [_WORD.findall(text.casefold()) for text in texts]
        # A line break never matches a word, so no run continues from one prompt into the next.
        words = [word for found in each for word in (*found, "\n")]
        self.places: dict[str, list[int]] = {}
        for place, word in enumerate(words):
            self.places.setdefault(word, []).append(place)
        self.needed = min(RUN, max(map(len, each), default=0))

    @property
    def short(self) -> bool:
        """Whether the text is too short to be distinguished from ordinary words."""
        return self.needed < LEAST


class LeakRedactor:
    """Replaces runs of the prompt's words in streamed text; the result does not depend on how the text is cut.

    The first words of a run are shown, the others held back until it breaks off or is long enough. ``counts`` is how
    many runs were replaced.
    """

    __slots__ = ("_between", "_is_shown", "_length", "_pending", "_prompt", "_runs", "_swallowing", "_word", "counts")

    def __init__(self, prompt: Prompt) -> None:
        self.counts: Counter[str] = Counter()
        self._prompt = prompt
        # Where in the prompt runs end, with their lengths, and the greatest of these.
        self._runs: dict[int, int] = {}
        self._length = 0
        # Words held back, each with the text before it; the text after them; the partial word.
        self._pending: list[tuple[str, str]] = []
        self._between = ""
        self._word = ""
        self._is_shown = False
        self._swallowing = False

    def push(self, text: str) -> str:
        """Take the next piece; return the text that can be shown now."""
        shown: list[str] = []
        for part in _PARTS.finditer(text):
            if part["word"]:
                self._begin(part["word"], shown)
                continue
            self._end(shown)
            if part["sign"]:
                self._begin(part["sign"], shown)
                self._end(shown)
            else:
                self._apart(part[0], shown)
        whole = "".join(shown)
        return text if whole == text else whole

    def flush(self) -> str:
        """The text has ended: return the rest."""
        shown: list[str] = []
        self._end(shown)
        self._break(shown)
        return "".join(shown)

    def _begin(self, letters: str, shown: list[str]) -> None:
        """One more part of a word. A word waits if it may extend a run that has already shown as many words as
        allowed."""
        while letters:
            if not self._word:
                self._is_shown = self._length < _SHOWN and not self._swallowing
            part, letters = letters[: _LONGEST - len(self._word)], letters[_LONGEST - len(self._word) :]
            self._word += part
            if self._is_shown:
                shown.append(part)
            if len(self._word) == _LONGEST:
                self._end(shown)

    def _end(self, shown: list[str]) -> None:
        word, self._word = self._word, ""
        if not word:
            return
        places = self._prompt.places.get(word.casefold(), ())
        self._runs = {place: self._runs.get(place - 1, 0) + 1 for place in places}
        self._length = max(self._runs.values(), default=0)
        if self._is_shown:
            return
        between, self._between = self._between, ""
        if self._swallowing:
            if self._length < 2:
                self._swallowing = False
                shown += [between, word]
            return
        self._pending.append((between, word))
        while len(self._pending) > max(0, self._length - _SHOWN):
            shown += self._pending.pop(0)
        if self._length >= self._prompt.needed:
            shown += [self._pending[0][0], PLACEHOLDER]
            self._pending.clear()
            self._swallowing = True
            self.counts[KIND] += 1

    def _apart(self, text: str, shown: list[str]) -> None:
        """Text between words belongs to the word after it."""
        if not (self._pending or self._swallowing):
            shown.append(text)
            return
        self._between += text
        if len(self._between) > _LONGEST:
            self._break(shown)

    def _break(self, shown: list[str]) -> None:
        for between, word in self._pending:
            shown += [between, word]
        shown.append(self._between)
        self._pending.clear()
        self._runs, self._length, self._between, self._swallowing = {}, 0, "", False
