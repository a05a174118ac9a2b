"""Decides whether two questions are the same: by the rules of ``agree``, and by the model's similarity if the rules
do not decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from mainspring.serving.cache.semantic.agree import Match, match
from mainspring.serving.cache.semantic.reading import Reading, Word, read

if TYPE_CHECKING:
    from mainspring.engines.encode.late_interaction import Tokens

LONGEST_CHARS = 400
SAME_WORD = 0.85
"""The lowest cosine of two words, one in each question, that count as interchangeable. Chosen on the fitting halves of
PAWS, PAWS-QQP, QQP and ParaQuality (docs/guides/caching.md)."""


class Words(Protocol):
    """Reads texts token by token (``engines.encode.late_interaction.LateInteraction``)."""

    async def tokens(self, texts: Sequence[str]) -> list[Tokens]: ...


@dataclass(frozen=True, slots=True)
class LikenessVerdict:
    """Whether two questions may share an answer, and if not, why: a rule's name, ``words`` (more than one differs),
    or ``word`` (one stands for another that means something else)."""

    same: bool
    reason: str = ""


async def same(one: str, other: str, words: Words) -> LikenessVerdict:
    """Whether two questions with similar embeddings ask the same.

    Raises what ``words`` raises. The model is asked only where exactly one word differs.
    """
    first, second = read(one), read(other)
    found = compare(first, second)
    if isinstance(found, str):
        return LikenessVerdict(False, found)
    if not found.left:
        return LikenessVerdict(True)
    alike = await _alike(one, first.words[found.left[0]], other, second.words[found.right[0]], words)
    return LikenessVerdict(True) if alike >= SAME_WORD else LikenessVerdict(False, "word")


def compare(one: Reading, other: Reading) -> Match | str:
    """How two questions correspond, with at most one word in place of another; or why they do not."""
    found = match(one, other)
    if isinstance(found, str):
        return found
    if not found.pairs or (len(found.left), len(found.right)) not in ((0, 0), (1, 1)):
        return "words"
    return found


async def _alike(one: str, word: Word, other: str, instead: Word, words: Words) -> float:
    first, second = await words.tokens([one, other])
    left, right = _vector(first, word), _vector(second, instead)
    return 0.0 if left is None or right is None else float(left @ right)


def _vector(tokens: Tokens, word: Word) -> NDArray[np.float32] | None:
    """The unit vector of ``word``; None if the model does not know it, or its input was cut before it."""
    inside = [
        index
        for index, (start, end) in enumerate(tokens.spans)
        if start < word.end and end > word.start and end > start
    ]
    if not inside or not all(tokens.known[index] for index in inside):
        return None
    mean = tokens.vectors[inside].astype(np.float32).mean(0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9), np.float32)
