"""The style of an answer in numbers, so that ratings may be freed of it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

_HEADING = re.compile(r"^#{1,6} ", re.MULTILINE)
_ITEM = re.compile(r"^[^\S\n]*(?:[-*+]|\d+[.)]) ", re.MULTILINE)
_BOLD = re.compile(r"\*\*[^*\n]+\*\*")


def qualities(text: str, tokens: int) -> dict[str, float]:
    """Logarithms of an answer's ``length`` in tokens (words, if those were not counted), and of its ``headings``, items
    of ``lists`` and ``bold`` words: twice as much is the same step everywhere."""
    counted = {
        "length": tokens or len(text.split()),
        "headings": len(_HEADING.findall(text)),
        "lists": len(_ITEM.findall(text)),
        "bold": len(_BOLD.findall(text)),
    }
    return {name: math.log1p(count) for name, count in counted.items()}


def difference(left: Mapping[str, float], right: Mapping[str, float]) -> dict[str, float]:
    """By how much the left one has more of each quality."""
    return {name: round(left[name] - right[name], 4) for name in left}
