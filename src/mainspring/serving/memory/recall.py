"""Older exchanges found again: by the words of the new message (BM25) and by its meaning (embeddings)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from mainspring.serving.memory.base import Count, Exchange, exchanges
from mainspring.serving.memory.terms import TermCounts, words
from mainspring.stores.sessions.memory import EmbeddedMessage, matrix
from mainspring.stores.sessions.turns import TurnMessage

_K1, _B = 1.2, 0.6
# The weight of meaning in an exchange's score; words have the rest.
DENSE = 0.5
# A lower score means no relevance to the message.
LEAST = 0.2
# A repeated question resembles the first one: statements count more than questions.
_ASKED = 0.75


class Ranker:
    """Ranks earlier messages by relevance to a new one."""

    def __init__(self) -> None:
        self._terms = TermCounts()

    def scores(self, query: str, vector: Any, older: Sequence[EmbeddedMessage]) -> Any:
        """How much each message has to do with ``query``, float32 (messages,), about 0 to 1.

        ``vector`` is the query's embedding, float32 (dimensions,), or None: then words alone count.
        """
        lexical = self._bm25(Counter(words(query)), older)
        top = lexical.max(initial=0.0)
        if top > 0:
            lexical = lexical / top
        if vector is None:
            found = lexical
        else:
            meaning = np.clip(matrix(older, vector.shape[0]) @ vector, 0.0, 1.0)
            found = DENSE * meaning + (1 - DENSE) * lexical
        asked = np.array([each.said.message.content.rstrip().endswith("?") for each in older], dtype=bool)
        return np.where(asked, found * _ASKED, found).astype(np.float32)

    def _bm25(self, query: Counter[str], older: Sequence[EmbeddedMessage]) -> Any:
        bags = [self._terms(each.said.message.content, each.said.digest) for each in older]
        lengths = np.array([sum(bag.values()) for bag in bags], dtype=np.float32)
        mean = float(lengths.mean()) if len(bags) else 1.0
        scores = np.zeros(len(bags), dtype=np.float32)
        for word in query:
            counts = np.array([bag.get(word, 0) for bag in bags], dtype=np.float32)
            having = int((counts > 0).sum())
            if having:
                rarity = math.log(1 + (len(bags) - having + 0.5) / (having + 0.5))
                norm = counts + _K1 * (1 - _B + _B * lengths / max(mean, 1.0))
                scores += rarity * counts * (_K1 + 1) / norm
        return scores


async def choose(
    said: Sequence[TurnMessage], scores: Any, count: Count, *, tokens: int, most: int, turns: int
) -> list[Exchange]:
    """The best exchanges within ``tokens``, oldest first; an exchange is as good as the best of its messages."""
    best = {(each.turn, each.position): float(score) for each, score in zip(said, scores, strict=True)}
    groups = exchanges(said, turns)
    ranked = sorted(groups, key=lambda group: -max(best[each.turn, each.position] for each in group.said))
    chosen: list[Exchange] = []
    for group in ranked[: most * 2]:
        top = max(group.said, key=lambda each: best[each.turn, each.position])
        if len(chosen) == most or best[top.turn, top.position] < LEAST:
            break
        # A long answer must not displace the user's message.
        for shown in (group, Exchange(group.number, (top,))):
            cost = sum(await count(shown.messages))
            if cost <= tokens:
                tokens -= cost
                chosen.append(shown)
                break
    return sorted(chosen, key=lambda group: group.number)
