"""Scores the support of a generated sentence by a passage: shared words and cosine, a heuristic and no proof.

It catches sentences about another subject, and numbers that are in no source. It does not catch a false combination of
true words. ``Citation.support`` carries the score so that the reader can judge.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mainspring.engines.base import Embedder
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.text import terms

# Below this a sentence is shown as unsupported.
SUPPORTED = 0.55
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_STRANGE_NUMBER = 0.5


@dataclass(frozen=True, slots=True)
class Support:
    """The passage that supports a sentence best, and how well, from 0 to 1."""

    passage: Passage
    score: float


async def support(sentence: str, passages: Sequence[Passage], embedder: Embedder) -> Support | None:
    """The best support for ``sentence`` among ``passages``; None if there are no passages or no words."""
    words = terms.content(sentence)
    if not words or not passages:
        return None
    embedded = await embedder.embed([sentence, *(passage.text for passage in passages)])
    vectors = np.asarray(embedded.vectors)
    cosines = vectors[1:] @ vectors[0]
    scored = [
        Support(passage, _score(sentence, words, passage, float(cosine)))
        for passage, cosine in zip(passages, cosines, strict=True)
    ]
    return max(scored, key=lambda each: each.score)


def _score(sentence: str, words: frozenset[str], passage: Passage, cosine: float) -> float:
    source = f"{passage.heading} {passage.text}"
    shared = len(words & terms.content(source)) / len(words)
    score = 0.5 * shared + 0.5 * max(0.0, cosine)
    strange = set(_NUMBER.findall(sentence)) - set(_NUMBER.findall(source))
    return score * _STRANGE_NUMBER if strange else score
