"""The features of a search that show whether the documents answer: numbers, each with a reason, for ``calibration``.

None of them needs another model call: they come from the scores, the words and the sentences that an answer uses
anyway.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from mainspring.rag.answer.evidence.values import negative
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.search.hit import Hit
from mainspring.rag.text import terms

NAMES = (
    "chunk",
    "sentence",
    "covered",
    "late",
    "late_gap",
    "sentence_covered",
    "pairs",
    "named_missing",
    "rarest_missing",
    "offered",
    "asks_kind",
    "negation",
    "words",
)
"""``chunk`` and ``sentence``: the greatest cosines. ``covered``: the largest share of the question's words, weighted by
rarity, in one chunk; ``sentence_covered``: in one of the best sentences under its heading. ``late`` is the reranker's
score of the best chunk, ``late_gap`` its distance to the next document. ``pairs``: the share of neighbouring words of
the question that are neighbours in a sentence. ``named_missing``: the share of its names and numbers that the best
chunk lacks; ``rarest_missing``: whether the chunk lacks its rarest word. ``offered``: whether a sentence offers the
kind of thing that the question asks for; ``asks_kind``: whether it asks for a kind at all. ``negation``: one of
question and best sentence says no. ``words``: tens of content words."""

_CHUNKS, _SENTENCES = 5, 3
_NAMED = re.compile(r"(?<=\S\s)[A-Z][\w-]+|\d+(?:[.,:]\d+)*")


def features(question: str, candidates: Sequence[Hit], passages: Sequence[Passage]) -> dict[str, float]:
    """The value of each of ``NAMES``; all 0 if nothing was found. Candidates and passages come best first."""
    if not candidates or not passages:
        return dict.fromkeys(NAMES, 0.0)
    asked = terms.content(question)
    contents = [terms.among(asked, f"{hit.heading} {hit.text}") for hit in candidates]
    weights = terms.rarity(asked, contents)
    best, first = contents[0], passages[:_SENTENCES]
    said = [terms.among(asked, f"{passage.heading} {passage.text}") for passage in first]
    named = {terms.stem(match.group().lower()) for match in _NAMED.finditer(question)} & asked
    rarest = max(weights, key=lambda word: (weights[word], word), default="")
    kind = terms.asked_kind(question)
    late, gap = _late(candidates)
    return {
        "chunk": max(hit.dense_score for hit in candidates),
        "sentence": max(passage.cosine for passage in passages),
        "covered": max(terms.overlap(weights, words) for words in contents[:_CHUNKS]),
        "late": late,
        "late_gap": gap,
        "sentence_covered": max(terms.overlap(weights, words) for words in said),
        "pairs": max(_pairs(question, passage.text) for passage in first),
        "named_missing": len(named - best) / len(named) if named else 0.0,
        "rarest_missing": float(bool(rarest) and rarest not in best),
        "offered": max(terms.offers(kind, passage.text, asked) for passage in first),
        "asks_kind": float(kind != "anything"),
        "negation": float(negative(question) != negative(first[0].text)),
        "words": len(asked) / 10,
    }


def _late(candidates: Sequence[Hit]) -> tuple[float, float]:
    """The reranker's score of the best chunk, and its distance to the best one of another document."""
    read = [hit for hit in candidates if hit.rerank_score is not None]
    if not read:
        return 0.0, 0.0
    scores: dict[str, float] = {}
    for hit in read:
        scores[hit.document_id] = max(scores.get(hit.document_id, 0.0), hit.rerank_score or 0.0)
    top = max(hit.rerank_score or 0.0 for hit in read)
    others: Mapping[str, float] = {name: score for name, score in scores.items() if name != candidates[0].document_id}
    return top, top - max(others.values(), default=0.0)


def _pairs(question: str, sentence: str) -> float:
    asked = set(pairwise(terms.words(question)))
    return len(asked & set(pairwise(terms.words(sentence)))) / len(asked) if asked else 0.0
