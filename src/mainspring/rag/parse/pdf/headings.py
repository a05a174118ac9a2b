"""Finds the headings of a PDF: by the size of letters, by capitals where sizes do not tell, or by a layout model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mainspring.rag.parse.pdf import tables

_RATIO = 1.12
_LENGTH = 120
_SENTENCE_WORDS = 5
NUMBERED_TITLE = re.compile(r"((?:\d+\.)*\d+)\.?\s+\S|(?:[IVX]+|[A-Z])\.\s+\S")
FIGURE_CAPTION = re.compile(r"(?:figure|fig\.|chart|plate|abbildung|abb\.)\s*[\dA-Z]+(?:[.\-]\d+)*\b", re.IGNORECASE)
# "VI. FEES", "FOOD & BEVERAGES"; a label of a form ends with a colon.
_CAPITALS = re.compile(
    r"(?=.*[A-Z]{4})(?:(?:\d{1,2}(?:\.\d{1,2})*[.)]?|(?:[IVX]{1,5}|[A-Z])[.)])\s+)?[A-Z][A-Z ,&'’()/–-]{3,70}(?<![ ,&])"
)
# More capitals than this share of the lines are a poster's or a form's; a single line is a slogan.
_CAPITALS_SHARE, _LEAST = 0.2, 2


@dataclass(frozen=True, slots=True)
class HeadingLevels:
    """``sizes``: the level of each font size that is clearly larger than the body's; ``capitals``: that of lines in
    capitals of the body's own size (0: they are no headings here)."""

    sizes: Mapping[float, int] = field(default_factory=dict)
    capitals: int = 0

    def of(self, text: str, size: float, lines: int, role: str | None) -> int:
        """The level of ``text``, which stands on so many ``lines`` (0: it is no heading). ``role`` is what a layout
        model says of it, None without one."""
        level = self._by_role(text, size, role) if role else self.sizes.get(round(size, 1), 0)
        if not role and not level and lines == 1 and self.capitals and _CAPITALS.fullmatch(text):
            return self.capitals
        return level if len(text) <= _LENGTH and (role or not _is_sentence(text)) else 0

    def _by_role(self, text: str, size: float, role: str) -> int:
        words = sum(character.isalpha() for character in text)
        if role != "title" or words < 3 or tables.is_caption(text) or FIGURE_CAPTION.match(text):
            return 0
        numbered = NUMBERED_TITLE.match(text)
        depth = numbered[1].count(".") + 1 if numbered and numbered[1] else 1
        return self.sizes.get(round(size, 1)) or min(6, max(self.sizes.values(), default=0) + depth)


def levels(lines: Sequence[tuple[str, float]]) -> HeadingLevels:
    """The levels of a document with these ``lines`` (each with the size of its font), tables left out."""
    weights: Counter[float] = Counter()
    for text, size in lines:
        weights[round(size, 1)] += len(text)
    if not weights or max(weights) == 0:
        return HeadingLevels()
    body = max(weights, key=lambda size: weights[size])
    larger = sorted((size for size in weights if size >= body * _RATIO), reverse=True)
    sizes = {size: min(level, 6) for level, size in enumerate(larger, 1)}
    by_size = sum(round(size, 1) in sizes and len(text) <= _LENGTH for text, size in lines)
    capitals = sum(round(size, 1) not in sizes and _CAPITALS.fullmatch(text) is not None for text, size in lines)
    told = max(_LEAST, by_size) <= capitals <= _CAPITALS_SHARE * len(lines)
    return HeadingLevels(sizes, min(6, len(larger) + 1) if told else 0)


def _is_sentence(text: str) -> bool:
    """Whether a line set in large type, as on a poster, is a sentence and no title: it ends with a full stop, and at
    most half of its words have a capital."""
    words = [word for word in text.split() if len(word) > 3 and word[0].isalpha()]
    capitals = sum(word[0].isupper() for word in words)
    return text.endswith(".") and len(text.split()) >= _SENTENCE_WORDS and capitals <= 0.5 * len(words)
