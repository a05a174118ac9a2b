"""The sentences that answer a question: taken from retrieved chunks, scored, and chosen within a small budget.

A sentence's score is its cosine to the question plus the rarity-weighted share of the question's words that it has,
with smaller parts for what its neighbours, its heading and the rest of its chunk have, for offering the kind of thing
asked for, and for its chunk's rank. The weights were set on SQuAD questions that no report uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mainspring.engines.base import Embedder
from mainspring.rag import sentences, terms
from mainspring.rag.retrieve import Hit

_OWN, _BEFORE, _AFTER, _AROUND, _OFFER, _RANK = 1.0, 0.45, 0.1, 0.35, 0.13, 0.5
# Embedding is what an answer costs: sentences that share least with the question are left out beyond this many.
_MAX_EMBEDDED = 48


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence, item or row of a retrieved chunk: ``text`` is ``[start:end]`` of the document.

    ``score`` orders passages of one question; ``cosine`` is to the question.
    """

    hit: Hit
    text: str
    start: int
    end: int
    kind: sentences.Kind
    score: float
    cosine: float

    @property
    def words(self) -> int:
        return len(self.text.split())


@dataclass(frozen=True, slots=True)
class _Unit:
    hit: Hit
    text: str
    start: int
    end: int
    kind: sentences.Kind
    lexical: float


async def passages(
    question: str,
    shown: Sequence[Hit],
    considered: Sequence[Hit],
    texts: Mapping[str, str],
    embedder: Embedder,
    vector: Any,
) -> list[Passage]:
    """The sentences of ``shown``, best first.

    ``considered`` are all candidates of the search (they tell which words are rare), ``texts`` the stored text of
    each document id, ``vector`` the question's. Headings are context and never passages. Chunks whose text is not
    what is stored at their place are left out.
    """
    asked = terms.content(question)
    weights = terms.rarity(asked, [terms.content(f"{hit.heading} {hit.text}") for hit in considered])
    kind = terms.asked(question)
    units = [unit for hit in shown for unit in _units(hit, texts[hit.document_id], weights, kind, asked)]
    best: dict[tuple[str, int, int], _Unit] = {}
    for unit in units:
        key = (unit.hit.document_id, unit.start, unit.end)
        if key not in best or best[key].lexical < unit.lexical:
            best[key] = unit
    chosen = sorted(best.values(), key=lambda unit: -unit.lexical)[:_MAX_EMBEDDED]
    if not chosen:
        return []
    embedded = await embedder.embed([_embedded(unit) for unit in chosen])
    cosines = np.asarray(embedded.vectors) @ np.asarray(vector)
    ranked = [
        Passage(unit.hit, unit.text, unit.start, unit.end, unit.kind, unit.lexical + float(cosine), float(cosine))
        for unit, cosine in zip(chosen, cosines, strict=True)
    ]
    return sorted(ranked, key=lambda passage: -passage.score)


def choose(ranked: Sequence[Passage], *, max_sentences: int, max_words: int) -> list[Passage]:
    """The best passages that fit; the first is cut to the budget when it alone is longer."""
    chosen: list[Passage] = []
    room = max_words
    for passage in ranked:
        if len(chosen) == max_sentences:
            break
        if passage.words > room:
            if chosen:
                continue
            passage = _shortened(passage, room)
        if any(_overlap(passage, other) for other in chosen):
            continue
        chosen.append(passage)
        room -= passage.words
    return chosen


def in_order(chosen: Sequence[Passage]) -> list[Passage]:
    """Best document first, and within a document as it is written."""
    first: dict[str, int] = {}
    for number, passage in enumerate(chosen):
        first.setdefault(passage.hit.document_id, number)
    return sorted(chosen, key=lambda passage: (first[passage.hit.document_id], passage.start))


def _units(
    hit: Hit, text: str, weights: Mapping[str, float], kind: terms.Asked, asked: frozenset[str]
) -> list[_Unit]:
    if text[hit.start : hit.end] != hit.text:
        return []
    found = [(one, hit.text[one.start : one.end]) for one in sentences.split(hit.text)]
    words = [terms.content(body) & asked for _, body in found]
    everything = terms.content(f"{hit.heading} {hit.text}") & asked
    units: list[_Unit] = []
    for number, (sentence, body) in enumerate(found):
        if sentence.kind == "heading":
            continue
        own = words[number]
        before = words[number - 1] - own if number else frozenset()
        after = words[number + 1] - own if number + 1 < len(found) else frozenset()
        lexical = (
            _OWN * terms.overlap(weights, own)
            + _BEFORE * terms.overlap(weights, before)
            + _AFTER * terms.overlap(weights, after)
            + _AROUND * terms.overlap(weights, everything - own)
            + _OFFER * terms.offers(kind, body, asked)
            + _RANK * hit.score
        )
        units.append(_Unit(hit, body, hit.start + sentence.start, hit.start + sentence.end, sentence.kind, lexical))
    return units


def _embedded(unit: _Unit) -> str:
    # A row or an item says what it is about only together with its heading.
    if unit.kind in ("row", "item") and unit.hit.heading:
        return f"{unit.hit.heading.rsplit(' > ', 1)[-1]}: {unit.text}"
    return unit.text


def _shortened(passage: Passage, words: int) -> Passage:
    """The first ``words`` words of a passage, up to the last comma or semicolon among them if there is one."""
    end, count = 0, 0
    for part in passage.text.split():
        end = passage.text.index(part, end) + len(part)
        count += 1
        if count == words:
            break
    kept = passage.text[:end]
    cut = max(kept.rfind(mark) for mark in (";", ",", ":", "|"))
    kept = kept[:cut].rstrip() if cut > len(kept) // 2 else kept
    return Passage(
        passage.hit,
        kept,
        passage.start,
        passage.start + len(kept),
        passage.kind,
        passage.score,
        passage.cosine,
    )


def _overlap(one: Passage, other: Passage) -> bool:
    if one.text == other.text:
        return True
    same = one.hit.document_id == other.hit.document_id
    return same and one.start < other.end and other.start < one.end
