"""A reader: whether a passage answers a question, and which of its words do, by a pulled encoder."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mainspring.engines.base import Reranked
from mainspring.engines.encode.encoder import Floats, PairEncoder, Row
from mainspring.engines.encode.tokens import joined, second_of

_QUESTION_SHARE = 0.5
_LONGEST = 30
"""Tokens of an answer, at most."""


@dataclass(frozen=True, slots=True)
class FoundSpan:
    """``score`` is the logit of the passage answering the question; ``passage[start:end]`` is what answers it, if
    anything does."""

    score: float
    start: int
    end: int


class PassageReader(PairEncoder):
    """Reads by the graph of ``pulled``, and is an ``engines.base.Reranker`` too. Usable from any thread and event
    loop."""

    computes_here = True

    KIND, CALLED = "reader", "reader"

    async def start(self) -> None:
        """Load the graph now. Raises ``ModelError`` when it cannot be used."""
        await self.read("ready", ["ready"])

    async def read(self, question: str, passages: Sequence[str]) -> list[FoundSpan]:
        """What each passage answers. A passage that does not fit beside the question is cut at its end.

        Raises ``ModelError`` when the graph cannot be loaded and ``EngineError`` after ``close``.
        """
        if not passages:
            return []
        rows, offsets = await asyncio.to_thread(self._pairs, question, passages)
        read = await self._runner.run(rows, 3, _best)
        spans = _spans(read, offsets)
        return [FoundSpan(score, *span) for score, span in zip(read[:, 0].tolist(), spans, strict=True)]

    async def score(self, question: str, passages: Sequence[str]) -> Reranked:
        """The logits, as a cross-encoder gives them, with the spans: what answers the question comes first."""
        if not passages:
            return Reranked(np.zeros(0, np.float32), 0)
        rows, offsets = await asyncio.to_thread(self._pairs, question, passages)
        read = await self._runner.run(rows, 3, _best)
        cut = sum(places[-2][1] < len(text) for places, text in zip(offsets, passages, strict=True))
        return Reranked(read[:, 0], sum(len(row.ids) for row in rows), cut, _spans(read, offsets))

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        """See ``engines.base.Reranker``: a score is the probability that the passage answers the question."""
        found = await self.score(query, passages)
        return replace(found, scores=1 / (1 + np.exp(-found.scores)))

    def _pairs(self, question: str, passages: Sequence[str]) -> tuple[list[Row], list[list[tuple[int, int]]]]:
        limit = self.limit
        most = self.most
        shown = [text[:most] for text in passages]
        pairs = joined(self._tokenizer, [question[:most]] * len(shown), shown, limit, _QUESTION_SHARE)
        return [Row(each.ids, second_of(each)) for each in pairs], [each.offsets for each in pairs]


def _spans(read: Floats, offsets: Sequence[Sequence[tuple[int, int]]]) -> list[tuple[int, int]]:
    """The characters of the first to the last token that were ``read``, of each passage."""
    return [
        (places[int(first)][0], places[int(last)][1])
        for places, (_, first, last) in zip(offsets, read.tolist(), strict=True)
    ]


def _best(result: Floats, rows: Sequence[Row]) -> Floats:
    """Of (texts, tokens, 3) logits the score, and the first and last token of the best span: (texts, 3)."""
    found = np.zeros((len(rows), 3), np.float32)
    for number, row in enumerate(rows):
        # The last token closes the passage and belongs to no answer.
        spans = result[number, row.second : max(row.second + 1, len(row.ids) - 1)]
        sums = spans[:, None, 0] + spans[None, :, 1]
        apart = np.arange(len(spans))[None, :] - np.arange(len(spans))[:, None]
        sums = np.where((apart >= 0) & (apart < _LONGEST), sums, -np.inf)
        first, last = divmod(int(sums.argmax()), len(spans))
        found[number] = result[number, 0, 2], row.second + first, row.second + last
    return found
