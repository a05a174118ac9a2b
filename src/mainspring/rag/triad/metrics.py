"""The RAG triad without references: context precision and recall, context relevance, faithfulness, answer relevancy.

Everything is computed from an embedding model and shared words; a chat model as judge is an option. Faithfulness
and answer relevancy are logistic models over features that anyone can check (``evidence``, ``relevancy``), fitted on
development questions of SQuAD. None of these numbers establishes truth. The value of each was measured against labels
on other questions and on claims that people judged (``benchmarks/triad.py``, AUROC with intervals in
docs/guides/evaluation.md). In short:

- *Context relevance* distinguishes the paragraph that answers a question from others, even on the same subject.
- *Context precision and recall* compare lists for one question; they say nothing about true values between questions.
- *Faithfulness* catches a changed number, name or negation in a sentence close to the source, and with the question an
  answer that belongs elsewhere. For claims in other words, supported or contradicted, it is a coin toss.
- *Answer relevancy* catches answers about something else; with the passages also a short answer to another question.

Scores are in [0, 1].
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from cachetools import LRUCache

from mainspring.engines.base import Embedder
from mainspring.rag.answer.generate import REFUSAL
from mainspring.rag.text import sentences, terms
from mainspring.rag.triad import claim_evidence as evidence
from mainspring.rag.triad import relevancy
from mainspring.rag.triad.claim_evidence import Evidence, Unit
from mainspring.rag.triad.model_judge import ChatJudge
from mainspring.rag.triad.relevancy import Relevance
from mainspring.rag.triad.weights import ANSWER, ANSWER_ALONE, SUPPORT, SUPPORT_ASKED

SUPPORTED = 0.5
"""A claim with at least this score counts as supported: true and false ones were given the same weight in the fit."""
_KEPT_VECTORS = 20_000
_MARK = re.compile(r"(?:(?<!\s)\s+)?\[\d+\]")
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
_AGAINST = ("number", "name", "negation", "turned")


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement of an answer. ``score`` is its support, ``passage`` the index of the passage that supports it best
    (None without passages), ``why`` what speaks against it: ``number``, ``name``, ``negation``, ``turned`` (a rise in
    place of a fall)."""

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


class Triad:
    """Computes the measures with ``embedder``; ``judge`` (None: the heuristics) decides in their place."""

    def __init__(self, embedder: Embedder, judge: ChatJudge | None = None) -> None:
        self._embedder = embedder
        self._judge = judge
        self._vectors: LRUCache[str, Any] = LRUCache(_KEPT_VECTORS)

    async def context_relevance(self, question: str, passages: Sequence[str]) -> list[float]:
        """How relevant each passage is to the question: a third each of its cosine, its best sentence's cosine, and
        the share of the question's words that it has, weighted by rarity among the passages."""
        if not passages:
            return []
        if self._judge is not None:
            return [await self._judge.useful(question, passage) for passage in passages]
        asked = terms.content(question)
        contents = [terms.content(passage) & asked for passage in passages]
        rare = terms.rarity(asked, contents)
        units = [[unit.text for unit in evidence.units([passage])] for passage in passages]
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
        """Whether relevant passages come first: the mean of precision at each rank, weighted by relevance (average
        precision with ``context_relevance``, scaled from the worst to the best passage, as soft judgements)."""
        relevance = await self.context_relevance(question, passages)
        if not relevance:
            return 0.0
        low, spread = min(relevance), (max(relevance) - min(relevance)) or 1.0
        soft = [(each - low) / spread if len(relevance) > 1 else 1.0 for each in relevance]
        total = sum(soft) or 1.0
        return sum(each * sum(soft[: rank + 1]) / (rank + 1) for rank, each in enumerate(soft)) / total

    async def context_recall(self, question: str, passages: Sequence[str]) -> float:
        """Whether the necessary text was found: half the best passage's relevance, half the share of the question's
        words in any passage."""
        relevance = await self.context_relevance(question, passages)
        asked = terms.content(question)
        if not relevance or not asked:
            return 0.0
        held = asked & frozenset(word for passage in passages for word in terms.content(passage))
        return (max(relevance) + len(held) / len(asked)) / 2

    async def faithfulness(
        self, answer: str, passages: Sequence[str], question: str = "", *, most: int | None = None
    ) -> Faithfulness:
        """The first ``most`` claims of an answer (None: all), each with its support by the passages. The ``question``
        helps to recognise wrongly combined true words."""
        found = [await self.claim(text, passages, question) for text in claims(answer)[:most]]
        score = sum(claim.supported for claim in found) / len(found) if found else 1.0
        return Faithfulness(score, tuple(found))

    async def claim(self, text: str, passages: Sequence[str], question: str = "") -> Claim:
        """One claim's support by the passages: 0 without passages or words. ``question`` is the one that it answers."""
        if self._judge is not None and passages:
            return Claim(text, await self._judge.supported(text, passages))
        found = await self.evidence(text, passages, question)
        if found is None:
            return Claim(text, 0.0)
        seen, unit = found
        weights = SUPPORT_ASKED if terms.content(question) else SUPPORT
        why = tuple(name for name in _AGAINST if getattr(seen, name))
        return Claim(text, _logistic(weights, evidence.NAMES, seen.vector()), unit.passage, why)

    async def evidence(self, text: str, passages: Sequence[str], question: str = "") -> tuple[Evidence, Unit] | None:
        """The evidence for and against a claim, and the closest sentence; None without passages or words."""
        units = evidence.units(passages)
        if not units or not terms.content(text):
            return None
        await self._embed([text, *(unit.text for unit in units)])
        seen, closest = evidence.gather(text, units, partial(self._cosine, text), question)
        return seen, units[closest]

    async def answer_relevancy(self, question: str, answer: str, passages: Sequence[str] = ()) -> float:
        """Whether the answer is about the question. An answer that evades scores 0.

        With the ``passages`` behind it, an answer to another question can be recognised; without them, a short one
        hardly can.
        """
        shown = _MARK.sub("", answer).strip()
        if not shown or shown.startswith(REFUSAL) or _EVASIVE.search(shown):
            return 0.0
        if self._judge is not None:
            return await self._judge.answers(question, shown)
        found = await self.relevance(question, shown, passages)
        return _logistic(ANSWER if passages else ANSWER_ALONE, relevancy.NAMES, found.vector())

    async def relevance(self, question: str, answer: str, passages: Sequence[str]) -> Relevance:
        """The features of ``answer_relevancy``."""
        units = evidence.units(passages)
        await self._embed([question, answer, *(unit.text for unit in units)])
        return relevancy.gather(question, answer, units, self._cosine)

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


def _logistic(weights: Mapping[str, float], names: Sequence[str], features: Any) -> float:
    by_name = np.array([weights.get(name, 0.0) for name in names])
    return float(1 / (1 + np.exp(-(features @ by_name + weights["bias"]))))
