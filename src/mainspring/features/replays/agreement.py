"""Measures the agreement of two answers: word for word, by meaning, and their differences."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mainspring.engines.base import Embedder

# Beyond this many words the comparison would take seconds: the rest is reported as one difference.
MAX_WORDS = 4000
_WORD = re.compile(r"\s+|[^\W_]+|[^\w\s]|_")


@dataclass(frozen=True, slots=True)
class Agreement:
    """``exact``: equal texts except for surrounding white space. ``similarity`` is the cosine of both texts' embeddings
    (1 if they are equal, None if one is empty): similar texts may still contradict each other."""

    exact: bool
    similarity: float | None


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of words that both have, or one of them only."""

    kind: Literal["same", "removed", "added"]
    text: str


async def agreement(one: str, other: str, embedder: Embedder) -> Agreement:
    """Of two texts."""
    one, other = one.strip(), other.strip()
    if one == other:
        return Agreement(True, 1.0)
    if not one or not other:
        return Agreement(False, None)
    vectors = (await embedder.embed([one, other])).vectors
    return Agreement(False, round(float(vectors[0] @ vectors[1]), 4))


def words(one: str, other: str) -> list[Piece]:
    """The differences of two texts by words; the pieces that are not added form ``one``, those that are not removed
    ``other``."""
    left, right = _WORD.findall(one), _WORD.findall(other)
    tails = "".join(left[MAX_WORDS:]), "".join(right[MAX_WORDS:])
    left, right = left[:MAX_WORDS], right[:MAX_WORDS]
    pieces: list[Piece] = []
    for kind, start, end, begin, stop in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces += _piece("same", left[start:end])
        else:
            pieces += [*_piece("removed", left[start:end]), *_piece("added", right[begin:stop])]
    if tails[0] == tails[1]:
        return [*pieces, *_piece("same", [tails[0]])]
    return [*pieces, *_piece("removed", [tails[0]]), *_piece("added", [tails[1]])]


def _piece(kind: Literal["same", "removed", "added"], parts: Sequence[str]) -> list[Piece]:
    text = "".join(parts)
    return [Piece(kind, text)] if text else []
