"""The RAG triad without references: context precision and recall, context relevance, faithfulness, answer relevancy.

Everything is computed from an embedding model and shared words; a chat model as ``Judge`` is an option. None of these
numbers establishes truth. What each one is worth was measured against labels (``benchmarks/triad.py``, AUROC with
intervals in docs/evaluation.md); in short:

- *Context relevance* tells the paragraph that answers a question from others, even of the same subject.
- *Faithfulness* catches sentences that are taken from elsewhere, and a number, name or negation that was changed in a
  sentence close to the source. On statements in other words that combine what the passages say wrongly it is poor
  (AUROC about .66): that needs a model of entailment, and until there is one a high score is no proof.
- *Answer relevancy* catches answers that are about something else or evade. It hardly tells a right short answer from
  a wrong one (AUROC about .66): it is about relevance only.
- *Context precision and recall* are no better than the relevance that they are made of; with judged questions use
  ``metrics`` instead.

Scores lie in [0, 1].
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cachetools import LRUCache

from mainspring.engines.base import Embedder
from mainspring.rag import sentences, terms
from mainspring.rag.generate import REFUSAL

SUPPORTED = 0.7
"""A claim with at least this score counts as supported: set on SQuAD's development questions, where .89 of the true
claims and .31 of the false ones reach it."""
_KEPT_VECTORS = 20_000
_MARK = re.compile(r"\s*\[\d+\]")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_NAME = re.compile(r"(?<=[\w,;:]\s)[A-Z][\w’'-]+")
_NEGATION = re.compile(r"\b(?:not|never|no|none|neither|nor|without|cannot|nobody|nothing)\b|n[’']t\b", re.IGNORECASE)
_STRANGE_NUMBER, _STRANGE_NAME, _OTHER_NEGATION = 0.5, 0.6, 0.7
# "..., and shipping is free": a second statement begins where a subject and a verb follow.
_SECOND_CLAIM = re.compile(
    r"(?:;\s+|,\s+(?:and|but|while|whereas)\s+)(?=(?:[\w’'-]+\s+){1,4}?(?:is|are|was|were|has|have|had|can|will|may|must|"
    r"does|do|did|costs?|takes?|lasts?|needs?)\b)"
)
_EVASIVE = re.compile(
    r"\b(?:do(?:es)? not (?:say|know|mention)|don[’']t know|cannot (?:answer|help)|can[’']t (?:answer|help)|"
    r"no information|not (?:sure|able to answer)|unable to answer)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement of an answer. ``score`` is its support, ``passage`` the index of the passage that supports it best
    (None without passages), ``why`` what speaks against it: ``number``, ``name``, ``negation``."""

    text: str
    score: float
    passage: int | None = None
    why: tuple[str, ...] = ()

    @property
    def supported(self) -> bool:
        return self.score >= SUPPORTED


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """``score`` is the share of the claims that are supported (1 for an answer that claims nothing)."""

    score: float
    claims: tuple[Claim, ...]


class Judge(Protocol):
    """Decides in place of the heuristic."""

    async def supported(self, claim: str, passages: Sequence[str]) -> float:
        """How well the passages support the claim, from 0 to 1."""
        ...


@dataclass(frozen=True, slots=True)
class _Unit:
    """A sentence of a passage, with its neighbours as ``around``."""

    passage: int
    text: str
    around: str


class Triad:
    """Computes the measures with ``embedder``; ``judge`` (None: the heuristic) decides which claims are supported."""

    def __init__(self, embedder: Embedder, judge: Judge | None = None) -> None:
        self._embedder = embedder
        self._judge = judge
        self._vectors: LRUCache[str, Any] = LRUCache(_KEPT_VECTORS)

    async def context_relevance(self, question: str, passages: Sequence[str]) -> list[float]:
        """How relevant each passage is to the question: a third each of its cosine, its best sentence's cosine, and
        the share of the question's words that it has, weighted by rarity among the passages."""
        if not passages:
            return []
        asked = terms.content(question)
        contents = [terms.content(passage) & asked for passage in passages]
        rare = terms.rarity(asked, contents)
        units = [[unit.text for unit in _units(number, passage)] for number, passage in enumerate(passages)]
        await self._embed([question, *passages, *(text for each in units for text in each)])
        return [
            (
                max(0.0, self._cosine(question, passage))
                + max(0.0, *(self._cosine(question, text) for text in [passage, *texts]))
                + terms.overlap(rare, words)
            )
            / 3
            for passage, texts, words in zip(passages, units, contents, strict=True)
        ]

    async def context_precision(self, question: str, passages: Sequence[str]) -> float:
        """Whether relevant passages stand first: the mean of precision at each rank, weighted by relevance (average
        precision with ``context_relevance``, scaled from the worst to the best passage, as soft judgements)."""
        relevance = await self.context_relevance(question, passages)
        if not relevance:
            return 0.0
        low, spread = min(relevance), (max(relevance) - min(relevance)) or 1.0
        soft = [(each - low) / spread if len(relevance) > 1 else 1.0 for each in relevance]
        total = sum(soft) or 1.0
        return sum(each * sum(soft[: rank + 1]) / (rank + 1) for rank, each in enumerate(soft)) / total

    async def context_recall(self, question: str, passages: Sequence[str]) -> float:
        """Whether what is needed was found: half the best passage's relevance, half the share of the question's words
        that any passage has."""
        relevance = await self.context_relevance(question, passages)
        asked = terms.content(question)
        if not relevance or not asked:
            return 0.0
        held = asked & frozenset(word for passage in passages for word in terms.content(passage))
        return (max(relevance) + len(held) / len(asked)) / 2

    async def faithfulness(self, answer: str, passages: Sequence[str]) -> Faithfulness:
        """The claims of an answer, each with its support by the passages."""
        found = [await self.claim(text, passages) for text in claims(answer)]
        score = sum(claim.supported for claim in found) / len(found) if found else 1.0
        return Faithfulness(score, tuple(found))

    async def claim(self, text: str, passages: Sequence[str]) -> Claim:
        """One claim's support: half its cosine to the sentence that is closest, half the share of its words that
        stand there or beside it; less for a number or a name that no passage has and for a negation on one side only.
        """
        words = terms.content(text)
        if self._judge is not None and passages:
            return Claim(text, await self._judge.supported(text, passages))
        units = [unit for number, passage in enumerate(passages) for unit in _units(number, passage)]
        if not words or not units:
            return Claim(text, 0.0)
        await self._embed([text, *(unit.text for unit in units)])
        scores = [
            max(0.0, self._cosine(text, unit.text)) / 2 + len(words & terms.content(unit.around)) / len(words) / 2
            for unit in units
        ]
        best = max(range(len(units)), key=lambda number: scores[number])
        why = _against(text, units[best].text, " ".join(passages))
        score = scores[best]
        for reason, factor in (("number", _STRANGE_NUMBER), ("name", _STRANGE_NAME), ("negation", _OTHER_NEGATION)):
            score *= factor if reason in why else 1.0
        return Claim(text, score, units[best].passage, why)

    async def answer_relevancy(self, question: str, answer: str) -> float:
        """Whether the answer speaks of what was asked: 0.6 of the cosine, 0.2 of the share of the question's words
        that it has, 0.2 for offering the kind of thing asked for. An answer that evades scores 0."""
        shown = _MARK.sub("", answer).strip()
        if not shown or shown == REFUSAL or _EVASIVE.search(shown):
            return 0.0
        asked = terms.content(question)
        await self._embed([question, shown])
        shared = len(asked & terms.content(shown)) / len(asked) if asked else 0.0
        # -1 to 1: lacks the kind of thing asked for, unknown, has it.
        offered = (terms.offers(terms.asked(question), shown, asked) + 1) / 2
        return 0.6 * max(0.0, self._cosine(question, shown)) + 0.2 * shared + 0.2 * offered

    async def _embed(self, texts: Sequence[str]) -> None:
        new = list(dict.fromkeys(text for text in texts if text not in self._vectors))
        if new:
            self._vectors.update(zip(new, (await self._embedder.embed(new)).vectors, strict=True))

    def _cosine(self, one: str, other: str) -> float:
        return float(self._vectors[one] @ self._vectors[other])


def claims(answer: str) -> list[str]:
    """The statements of an answer: its sentences without citation marks, cut where a second statement is joined."""
    text = _MARK.sub("", answer)
    parts = (text[one.start : one.end] for one in sentences.split(text) if one.kind != "heading")
    return [piece.strip(" .") for part in parts for piece in _SECOND_CLAIM.split(part) if terms.content(piece)]


def _units(number: int, passage: str) -> list[_Unit]:
    texts = [passage[one.start : one.end] for one in sentences.split(passage)] or [passage]
    return [_Unit(number, text, " ".join(texts[max(0, at - 1) : at + 2])) for at, text in enumerate(texts)]


def _against(claim: str, closest: str, everything: str) -> tuple[str, ...]:
    found = []
    if set(_NUMBER.findall(claim)) - set(_NUMBER.findall(everything)):
        found.append("number")
    known = everything.lower()
    if any(name.lower() not in known for name in _NAME.findall(claim)):
        found.append("name")
    if bool(_NEGATION.search(claim)) != bool(_NEGATION.search(closest)):
        found.append("negation")
    return tuple(found)
