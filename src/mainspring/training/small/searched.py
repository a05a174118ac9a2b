"""Questions with their documents, as an answer from documents sees them: sentences by their terms, and evidence."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mainspring.engines.base import Embedder
from mainspring.rag.answer.evidence.features import NAMES, features
from mainspring.rag.answer.verbatim.choice_weights import SHIPPED, TERMS, ChoiceWeights
from mainspring.rag.answer.verbatim.extract import Passage, passages
from mainspring.rag.search.hit import Hit
from mainspring.rag.text import terms

SHARE = 0.6
"""A sentence with this share of the words of what a person wrote is what the person meant."""
_PIECE = re.compile(r"\d+(?:[.,]\d+)*|\w+|[%$£€]")
_SHORT = 6
_DENSE_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class Looked:
    """The sentences for a question, best first, and the features of the evidence."""

    passages: list[Passage]
    features: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Searched:
    """One question. ``terms`` [sentences, terms] and ``right`` [sentences] are those of its sentences, best first by
    the shipped weights; ``features`` are those of evidence. ``answerable`` None: nobody said."""

    terms: Any
    right: Any
    features: Mapping[str, float]
    answerable: bool | None

    @property
    def values(self) -> list[float]:
        return [float(self.features.get(name, 0.0)) for name in NAMES]


async def searched(row: Mapping[str, Any], embedder: Embedder) -> Searched | None:
    """A row of the kind ``raft`` (``question``, ``documents``, ``answer``: empty if they do not say), or one that was
    recorded: ``features``, ``answerable``, and perhaps ``candidates`` with ``terms`` and ``right``. None: it has none
    of that."""
    if isinstance(row.get("features"), Mapping):
        found = [each for each in row.get("candidates", ()) if isinstance(each, Mapping)]
        values = np.array([_padded(each["terms"]) for each in found], np.float64).reshape(-1, len(TERMS))
        right = np.array([bool(each.get("right")) for each in found], bool)
        answerable = row.get("answerable")
        return Searched(values, right, row["features"], answerable if isinstance(answerable, bool) else None)
    question, documents, answer = row.get("question"), row.get("documents"), row.get("answer")
    if not isinstance(question, str) or not isinstance(documents, list) or not isinstance(answer, str):
        return None
    seen = await looked(question, [each for each in documents if isinstance(each, str)], embedder)
    if seen is None:
        return None
    values = np.array([_padded(each.terms) for each in seen.passages], np.float64)
    right = np.array([says(each.text, answer) for each in seen.passages], bool)
    return Searched(values, right, seen.features, bool(right.any()) if answer.strip() else False)


async def looked(
    question: str, documents: Sequence[str], embedder: Embedder, choice: ChoiceWeights = SHIPPED
) -> Looked | None:
    """The sentences of ``documents`` for a question as an answer from documents ranks them, each document being one
    chunk; None: there are none."""
    documents = [each for each in documents if each.strip()]
    if not question.strip() or not documents:
        return None
    vector = np.asarray((await embedder.embed([question], "query")).vectors[0])
    cosines = (np.asarray((await embedder.embed(documents)).vectors) @ vector).tolist()
    asked = terms.content(question)
    contents = [terms.content(each) for each in documents]
    rare = terms.rarity(asked, contents)
    worst, spread = min(cosines), (max(cosines) - min(cosines)) or 1.0
    hits = []
    for number, (text, cosine, words) in enumerate(zip(documents, cosines, contents, strict=True)):
        share = terms.overlap(rare, words & asked)
        score = _DENSE_WEIGHT * (cosine - worst) / spread + (1 - _DENSE_WEIGHT) * share
        name = f"document-{number}"
        place = (f"{name}:0", name, "rows", name, text, 0, len(text), None, "")
        hits.append(Hit(*place, score, cosine, share, number + 1, number + 1, ""))
    hits.sort(key=lambda hit: -hit.score)
    texts = {hit.document_id: hit.text for hit in hits}
    ranked = await passages(question, hits, hits, texts, embedder, vector, choice=choice)
    return Looked(ranked, features(question, hits, ranked)) if ranked else None


def says(text: str, answer: str) -> bool:
    """Whether a sentence has a short answer at word boundaries, or most words of a long one."""
    wanted, own = _plain(answer), _plain(text)
    if not wanted:
        return False
    if f" {' '.join(wanted)} " in f" {' '.join(own)} ":
        return True
    if len(wanted) < _SHORT or not own:
        return False
    shared = set(wanted) & set(own)
    return len(shared) / len(set(wanted)) >= SHARE or len(shared) / len(set(own)) >= 0.9


def _padded(values: Sequence[float]) -> list[float]:
    """The terms of a sentence that no cross-encoder has read end before ``read``."""
    found = [float(each) for each in values][: len(TERMS)]
    return found + [0.0] * (len(TERMS) - len(found))


def _plain(text: str) -> list[str]:
    return _PIECE.findall(unicodedata.normalize("NFKC", text).casefold())
