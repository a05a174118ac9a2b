"""Pieces of code from elsewhere, and how many of them fit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Origin = Literal["definition", "import", "edit", "open", "similar"]
"""Where a snippet comes from: the definition of a name near the cursor, a file that is imported, a recent edit, a file
that is open in the editor, or code with similar words."""
CHARACTERS_PER_TOKEN = 3.3
"""Of source code, measured with the tokenizer of Qwen2.5-Coder on Python and JavaScript."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """Lines ``first`` to ``last`` (from 0) of a file, or the signatures of what they define."""

    path: str
    text: str
    origin: Origin
    score: float
    first: int = 0
    last: int = 0

    @property
    def tokens(self) -> int:
        """About how many tokens it has, with its path."""
        return tokens_of(self.text) + tokens_of(self.path) + 4


def tokens_of(text: str) -> int:
    """About how many tokens ``text`` has."""
    return int(len(text) / CHARACTERS_PER_TOKEN) + 1


def chosen(found: Iterable[Snippet], budget: int) -> list[Snippet]:
    """The best that fit into ``budget`` tokens and do not overlap; the best last, next to the cursor."""
    kept: list[Snippet] = []
    left = budget
    for each in sorted(found, key=lambda each: -each.score):
        if each.tokens <= left and not any(_overlap(each, other) for other in kept):
            kept.append(each)
            left -= each.tokens
    return kept[::-1]


def _overlap(one: Snippet, other: Snippet) -> bool:
    return one.path == other.path and one.first <= other.last and other.first <= one.last
