"""Judges that need no chat model: rules, the embedding model's support, the cross-encoder."""

from __future__ import annotations

import heapq
import statistics
from collections.abc import Callable, Sequence

from mainspring.core.types import Context
from mainspring.engines.base import Embedder, Reranker
from mainspring.features.judges.definitions.definition import Definition, Rule
from mainspring.features.judges.judging import wording
from mainspring.features.judges.judging.items import Item, Judgement, shares
from mainspring.rag.text import sentences, terms
from mainspring.rag.triad.metrics import Triad

MOST_CLAIMS = 24
# Sentences of passages that each sentence is held against, and characters of passages that are embedded.
_MOST_UNITS, _MOST_CHARACTERS = 40, 40_000


def compared(values: Sequence[float], details: dict[str, float]) -> Judgement:
    """The scores of a comparison, from those of each answer alone: their order counts for nothing."""
    return Judgement(tuple(values) if len(values) == 1 else shares(values), details)


class ByRules:
    """Counts what an answer keeps of the rules, by their weights."""

    state = ""

    def __init__(self, definition: Definition) -> None:
        self._rules = definition.rules

    async def judge(self, item: Item, context: Context) -> Judgement | None:  # noqa: ARG002
        """None if rules are about passages and there are none."""
        if not item.passages and any(each.measure for each in self._rules):
            return None
        kept = [[_kept(rule, answer, item.passages) for rule in self._rules] for answer in item.answers]
        total = sum(rule.weight for rule in self._rules)
        values = [
            sum(rule.weight * each for rule, each in zip(self._rules, found, strict=True)) / total for found in kept
        ]
        details = {f"rule {number}": each for number, each in enumerate(kept[0], 1)}
        return compared(values, details)


class BySupport:
    """The support of an answer's sentences by the passages: by embeddings and shared words (the RAG triad), trained on
    claims whose truth is known. ``charged`` makes the embedder of a context."""

    def __init__(self, embedder: Callable[[Context], Embedder], state: str) -> None:
        self._embedder = embedder
        self.state = state

    async def judge(self, item: Item, context: Context) -> Judgement | None:
        """None without passages."""
        if not item.passages:
            return None
        triad, passages = Triad(self._embedder(context)), _bounded(item.passages)
        values = []
        for answer in item.answers:
            said = _said(answer)
            found = [await triad.claim(each, passages, item.question) for each in said]
            values.append(statistics.fmean(each.score for each in found) if found else 0.0)
        return compared(values, {})


class ByReranker:
    """A cross-encoder: how relevant the answer is to the question; or, where only passages are shown, the nearest
    sentence of the passages to each sentence of the answer."""

    def __init__(self, definition: Definition, reranker: Callable[[Context], Reranker], state: str) -> None:
        self._asked = "question" in definition.shows
        self._reranker = reranker
        self.state = state

    async def judge(self, item: Item, context: Context) -> Judgement | None:
        """None without a question, or without passages."""
        reader = self._reranker(context)
        if self._asked:
            if not item.question:
                return None
            found = (await reader.rerank(item.question, item.answers)).scores
            return compared([float(each) for each in found], {})
        if not item.passages:
            return None
        values, least = [], 1.0
        for answer in item.answers:
            units = _nearest(answer, item.passages)
            best = [float(max((await reader.rerank(each, units)).scores)) for each in _said(answer)] if units else []
            values.append(statistics.fmean(best) if best else 0.0)
            least = min([least, *best])
        return compared(values, {"least": least})


def _bounded(passages: Sequence[str]) -> list[str]:
    """The passages up to so many characters: others use the embedding model, too."""
    found, left = [], _MOST_CHARACTERS
    for each in passages:
        if left <= 0:
            break
        found.append(each[:left])
        left -= len(each)
    return found


def _nearest(answer: str, passages: Sequence[str]) -> list[str]:
    """The sentences of passages that share most content words with the answer."""
    units = [each[one.start : one.end] for each in passages for one in sentences.split(each)]
    if len(units) <= _MOST_UNITS:
        return units
    said = terms.content(answer)
    return heapq.nlargest(_MOST_UNITS, units, key=lambda unit: len(terms.content(unit) & said))


def _said(answer: str) -> list[str]:
    return [answer[each.start : each.end] for each in sentences.split(answer)][:MOST_CLAIMS]


def _kept(rule: Rule, answer: str, passages: Sequence[str]) -> float:
    if rule.measure is not None:
        return wording.MEASURES[rule.measure](answer, passages)
    folded = answer.casefold()
    checks = (
        (rule.contains, lambda given: given.casefold() in folded),
        (rule.lacks, lambda given: given.casefold() not in folded),
        (rule.most_words, lambda given: wording.words(answer) <= given),
        (rule.least_words, lambda given: wording.words(answer) >= given),
        (rule.json_object, lambda _: wording.is_object(answer)),
    )
    return float(next(check(given) for given, check in checks if given is not None))
