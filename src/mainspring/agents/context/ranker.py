"""Ranks what was said in the past by what it has to do with a message: words (BM25), meaning (embeddings), who said it,
and what was said right before and after.

The weights were chosen on REALTALK (Lee et al. 2025), real chats of three weeks; docs/log.md has the figures.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.rag.text import terms

Floats = NDArray[np.float32]
K1, B = 0.9, 0.6
DENSE = 0.5
"""The weight of meaning beside words."""
BEFORE, AFTER = 0.1, 0.2
"""How much of a neighbour's score a statement gets: of the one before it, and of the one after it."""
SPEAKER = 0.15
"""What a statement gets if its speaker is the only one whom the message names."""
RERANKED = 0.6
"""The weight of a reranker's score beside the score so far."""
_WORD = re.compile(r"\w+")
_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement: by whom (empty: the person who asks), and in which ``thread`` (statements of one thread, in order,
    are neighbours). ``vector`` is its unit embedding, float32 (dimensions,), or None."""

    text: str
    thread: str = ""
    speaker: str = ""
    vector: Any = None

    @property
    def spoken(self) -> str:
        return f"{self.speaker}: {self.text}" if self.speaker else self.text


class Ranker:
    """Scores statements. Words of each are counted once; nothing of a text can be read from what is kept."""

    def __init__(self) -> None:
        self._bags: dict[bytes, Counter[str]] = {}

    def scores(self, query: str, vector: Any, past: Sequence[Statement]) -> Floats:
        """How much each statement of ``past`` (oldest first) has to do with ``query``: float32 (statements,),
        comparable within one call only. ``vector`` is the query's embedding (None: words alone count)."""
        if not past:
            return np.zeros(0, dtype=np.float32)
        lexical = self._bm25(query, past)
        if (top := float(lexical.max())) > 0:
            lexical = lexical / top
        scores = lexical if vector is None else DENSE * cosines(vector, past) + (1 - DENSE) * lexical
        return _with_neighbours(scores, past) + SPEAKER * _named(query, past)

    def evidence(self, query: str, vector: Any, past: Sequence[Statement]) -> Floats:
        """How much each statement has to do with ``query``, from 0 to 1, comparable between queries: the mean of its
        cosine and of the share of the query's words, by rarity, that it has."""
        asked = terms.content(query)
        sets = [terms.content(each.spoken) for each in past]
        weights = terms.rarity(asked, sets)
        lexical = np.array([terms.overlap(weights, each & asked) for each in sets], dtype=np.float32)
        return lexical if vector is None else 0.5 * cosines(vector, past) + 0.5 * lexical

    def _bm25(self, query: str, past: Sequence[Statement]) -> Floats:
        bags = [self._bag(each.spoken) for each in past]
        lengths = np.array([bag.total() for bag in bags], dtype=np.float32)
        norm = K1 * (1 - B + B * lengths / max(float(lengths.mean()), 1.0))
        scores = np.zeros(len(bags), dtype=np.float32)
        for word in set(terms.words(query)):
            counts = np.array([bag.get(word, 0) for bag in bags], dtype=np.float32)
            if having := int((counts > 0).sum()):
                rarity = math.log(1 + (len(bags) - having + 0.5) / (having + 0.5))
                scores += rarity * counts * (K1 + 1) / (counts + norm)
        return scores

    def _bag(self, text: str) -> Counter[str]:
        digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
        found = self._bags.get(digest)
        if found is None:
            if len(self._bags) >= _KEPT:
                self._bags.clear()
            found = self._bags[digest] = Counter(terms.words(text))
        return found


def cosines(vector: Any, past: Sequence[Statement]) -> Floats:
    """The cosine of each statement to ``vector``, from 0 to 1; 0 without an embedding of the same size."""
    found = np.zeros((len(past), vector.shape[0]), dtype=np.float32)
    for index, each in enumerate(past):
        if each.vector is not None and each.vector.shape == vector.shape:
            found[index] = each.vector
    clipped: Floats = np.clip(found @ vector, 0.0, 1.0).astype(np.float32)
    return clipped


def merged(scores: Floats, order: Sequence[int], reranked: Sequence[float]) -> Floats:
    """``scores`` in which the candidates ``order`` get the reranker's scores, both scaled to [0, 1] among the
    candidates; all others stay behind them."""
    chosen = np.asarray(order, dtype=np.int64)
    mixed = (1 - RERANKED) * _scaled(scores[chosen]) + RERANKED * _scaled(np.asarray(reranked, dtype=np.float32))
    found = _scaled(scores) - 2.0
    found[chosen] = mixed
    return found.astype(np.float32)


def _scaled(scores: Floats) -> Floats:
    low, high = float(scores.min(initial=0.0)), float(scores.max(initial=0.0))
    return (scores - low) / (high - low) if high > low else np.zeros_like(scores)


def _with_neighbours(scores: Floats, past: Sequence[Statement]) -> Floats:
    same = np.array([one.thread == other.thread for one, other in itertools.pairwise(past)], dtype=bool)
    before, after = np.zeros_like(scores), np.zeros_like(scores)
    before[1:] = np.where(same, scores[:-1], 0)
    after[:-1] = np.where(same, scores[1:], 0)
    mixed: Floats = (scores + BEFORE * before + AFTER * after).astype(np.float32)
    return mixed


def _named(query: str, past: Sequence[Statement]) -> Floats:
    """1 for statements of the one speaker whom ``query`` names."""
    asked = set(_WORD.findall(query.lower()))
    named = {each.speaker for each in past if each.speaker and each.speaker.lower() in asked}
    return np.array([len(named) == 1 and each.speaker in named for each in past], dtype=np.float32)
