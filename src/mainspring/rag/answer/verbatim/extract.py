"""The sentences that answer a question: taken from retrieved chunks, scored, and chosen within a small budget.

A sentence's score is its cosine to the question, alone and under its heading, plus the rarity-weighted share of
the question's words that it has, with smaller parts for what its neighbours, its heading and the rest of its chunk
have, for offering the kind of thing asked for, and for its chunk's scores. ``choice_weights`` has the weights.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import mul
from typing import Any

import numpy as np

from mainspring.engines.base import Embedder
from mainspring.rag.answer.verbatim import question_kind, rows, units
from mainspring.rag.answer.verbatim.choice_weights import SHIPPED, ChoiceWeights
from mainspring.rag.answer.verbatim.units import ELSEWHERE, ChunkUnit
from mainspring.rag.search.hit import Hit
from mainspring.rag.text import definitions, sentences, terms

# The cosine of a heading that asks the question, above which it counts, and how much less it does for each unit below.
_ASKED_FROM, _FURTHER = 0.5, 0.6
_SENTENCE_END = re.compile(r"(?<=[^\W\d_]{2})[.!?](?=\s+[A-Z])")
# The maximum distance of sentences of one paragraph, in characters.
_GAP = 1
# Embedding dominates the cost of an answer: at most this many sentences are embedded, those that share most with the
# question.
_MAX_EMBEDDED = 24
# Of these, this many are embedded under their headings, too: eight choose the same sentences as 24.
_MAX_HEADED = 8


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence, item or row of a retrieved chunk: ``text`` is ``[start:end]`` of the document.

    ``heading`` is the nearest path above it, ``score`` orders passages of one question, ``cosine`` is to it. ``before``
    is the unit in front of it in its chunk. ``read`` is a cross-encoder's score of the unit in its context, in [0, 1]
    (None: not read), ``confirmed`` a chat model's probability that it answers (None: not asked), ``answers`` the logit
    that a trained reader gives it (None: not read), ``phrase`` the words of it that answer, as that reader says (empty:
    none that could stand alone). ``terms`` are the values of ``choice_weights.TERMS`` that its score
    is made of.
    """

    hit: Hit
    text: str
    start: int
    end: int
    kind: sentences.Kind
    heading: str
    score: float
    cosine: float
    before: str = ""
    read: float | None = None
    confirmed: float | None = None
    answers: float | None = None
    phrase: str = ""
    terms: tuple[float, ...] = ()

    @property
    def words(self) -> int:
        return len(self.text.split())


async def passages(
    question: str,
    shown: Sequence[Hit],
    considered: Sequence[Hit],
    texts: Mapping[str, str],
    embedder: Embedder,
    vector: Any,
    others: Sequence[Hit] = (),
    choice: ChoiceWeights = SHIPPED,
) -> list[Passage]:
    """The sentences of ``shown`` and of ``others`` of the same documents, best first.

    ``considered`` are all candidates of the search (they tell which words are rare), ``texts`` the stored text of each
    document id, ``vector`` the question's. Headings are context and never passages. Chunks whose text differs from the
    stored text at their place are left out.
    """
    asked = terms.content(question)
    weights = terms.rarity(asked, [terms.among(asked, f"{hit.heading} {hit.text}") for hit in considered])
    kind = terms.asked_kind(question)
    names = definitions.named(asked, (hit.text for hit in considered))
    every: list[ChunkUnit] = []
    for hit, further in [*((each, 0.0) for each in shown), *((each, 1.0) for each in others)]:
        found = units.found(hit, texts[hit.document_id], weights, kind, asked, question, names)
        every += [unit.less(ELSEWHERE, further) for unit in found] if further else found
        # Some thirty chunks are a tenth of a second: other requests go on between them.
        await asyncio.sleep(0)
    chosen = _promising(units.exact(question, every, texts, choice.silent), choice)
    if not chosen:
        return []
    titles = [unit.heading.rpartition(" > ")[2] if unit.below >= 0 else "" for unit in chosen]
    titles = [title if question_kind.asks(title) else "" for title in titles]
    cosines = await _cosines([*(unit.text for unit in chosen), *filter(None, titles)], embedder, vector)
    alone = [cosines[unit.text] for unit in chosen]
    under = await _under_headings(chosen, alone, embedder, vector, choice)
    asks = [
        max(0.0, cosines[title] - _ASKED_FROM) / (1 - _ASKED_FROM) * _FURTHER**unit.below if title else 0.0
        for title, unit in zip(titles, chosen, strict=True)
    ]
    ranked = []
    for number, unit in enumerate(chosen):
        told = (*unit.terms, alone[number], under[number], asks[number])
        score, cosine = choice.score(told), max(alone[number], under[number])
        place = (unit.hit, unit.text, unit.start, unit.end, unit.kind, unit.heading)
        ranked.append(Passage(*place, score, cosine, unit.before, terms=told))
    return by_key(sorted(ranked, key=lambda passage: -passage.score), asked)


async def _cosines(texts: Iterable[str], embedder: Embedder, vector: Any) -> dict[str, float]:
    """The cosine of each of ``texts`` to the question's ``vector``."""
    distinct = list(dict.fromkeys(texts))
    if not distinct:
        return {}
    embedded = await embedder.embed(distinct)
    return dict(zip(distinct, (np.asarray(embedded.vectors) @ np.asarray(vector)).tolist(), strict=True))


async def _under_headings(
    chosen: Sequence[ChunkUnit], alone: Sequence[float], embedder: Embedder, vector: Any, choice: ChoiceWeights
) -> list[float]:
    """The cosine of each of ``chosen`` under its heading. Only those that are best without it are embedded once more:
    for the others it is that of the unit ``alone``."""
    weight = choice.cosine + choice.cosine_under_heading
    scores = [sum(map(mul, choice.lexical, unit.terms)) + weight * own for unit, own in zip(chosen, alone, strict=True)]
    best = sorted(range(len(chosen)), key=lambda number: -scores[number])[:_MAX_HEADED]
    headed = {
        number: ": ".join(filter(None, (chosen[number].heading, chosen[number].lead, chosen[number].text)))
        for number in best
        if chosen[number].heading or chosen[number].lead
    }
    cosines = await _cosines(headed.values(), embedder, vector)
    return [cosines[headed[number]] if number in headed else own for number, own in enumerate(alone)]


def by_key(ranked: Sequence[Passage], asked: frozenset[str]) -> list[Passage]:
    """``ranked``, with no row in front of one of the same section whose key has all that its own key has of ``asked``,
    and more: such a row takes its place and its score."""
    found: list[Passage] = []
    for passage in ranked:
        own = terms.content(rows.keyed(passage.text)) & asked if passage.kind == "row" else frozenset[str]()
        at = next(
            (
                number
                for number, each in enumerate(found)
                if own
                and each.kind == "row"
                and (each.hit.document_id, each.heading) == (passage.hit.document_id, passage.heading)
                and terms.content(rows.keyed(each.text)) & asked < own
            ),
            None,
        )
        if at is None:
            found.append(passage)
        else:
            found.insert(at, replace(passage, score=found[at].score))
    return found


def _promising(units: Sequence[ChunkUnit], choice: ChoiceWeights) -> list[ChunkUnit]:
    """The ``units`` with embeddings, best first: each place once."""
    best: dict[tuple[str, int, int], tuple[float, ChunkUnit]] = {}
    weights = choice.lexical
    for unit in units:
        key, lexical = (unit.hit.document_id, unit.start, unit.end), sum(map(mul, weights, unit.terms))
        if key not in best or best[key][0] < lexical:
            best[key] = lexical, unit
    return [unit for _, unit in sorted(best.values(), key=lambda each: -each[0])[:_MAX_EMBEDDED]]


def choose(
    ranked: Sequence[Passage], *, max_sentences: int, max_words: int, choice: ChoiceWeights = SHIPPED
) -> list[Passage]:
    """The best passages that fit, best first: those close to the best score, without repetitions. The first is cut to
    the budget when it alone is longer."""
    chosen: list[Passage] = []
    room = max_words
    waiting = list(ranked)
    likely = likelihoods(ranked, choice.temperature)
    doubts = {name: choice.same_document * (1 - share) for name, share in likely.items()}
    while waiting and len(chosen) < max_sentences:
        taken = Counter(passage.hit.document_id for passage in chosen)
        worth = [
            passage.score
            + choice.next * any(follows(other, passage) for other in chosen)
            - doubts[passage.hit.document_id] * taken[passage.hit.document_id]
            for passage in waiting
        ]
        best = waiting.pop(worth.index(max(worth)))
        bonus = choice.next * any(follows(each, best) for each in chosen)
        if chosen and best.score + bonus < chosen[0].score - choice.near:
            continue
        if best.words > room and not chosen:
            best = _shortened(best, room)
        if best.words <= room and not any(_overlap(best, other) for other in chosen):
            chosen.append(best)
            room -= best.words
    return _read_on(chosen)


def _read_on(chosen: Sequence[Passage]) -> list[Passage]:
    """``chosen``, with each sentence that follows a better one placed right after it."""
    found: list[Passage] = []
    for passage in chosen:
        behind = next((number + 1 for number, each in enumerate(found) if follows(each, passage)), len(found))
        found.insert(behind, passage)
    return found


def follows(one: Passage, other: Passage) -> bool:
    """Whether ``other`` is the sentence behind ``one``, in the same paragraph."""
    gap = other.start - one.end
    return one.hit.document_id == other.hit.document_id and one.kind == other.kind == "sentence" and 0 <= gap <= _GAP


def likelihoods(ranked: Sequence[Passage], temperature: float = SHIPPED.temperature) -> dict[str, float]:
    """The probability of each document of ``ranked`` to be the one that answers, by id; the sum is 1.

    A softmax over the score of each document's best chunk: near 1 if one document stands out, similar if several do.
    """
    scores: dict[str, float] = {}
    for passage in ranked:
        name = passage.hit.document_id
        scores[name] = max(scores.get(name, passage.hit.score), passage.hit.score)
    best = max(scores.values(), default=0.0)
    weights = {name: math.exp((score - best) / temperature) for name, score in scores.items()}
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def apart(chosen: Sequence[Passage], grown: Sequence[Passage] = ()) -> list[Passage]:
    """``chosen`` in order, without those that an earlier one overlaps; each in its ``grown`` form, unless that
    overlaps."""
    found: list[Passage] = []
    for passage, whole in zip(chosen, grown or chosen, strict=True):
        fits = [each for each in (whole, passage) if not any(_overlap(each, other) for other in found)]
        found += fits[:1]
    return found


def _shortened(passage: Passage, words: int) -> Passage:
    """The first ``words`` words of a passage, up to the last end of a sentence among them if that is in the second
    half, else up to the last comma or semicolon."""
    end = 0
    for part in passage.text.split()[:words]:
        end = passage.text.index(part, end) + len(part)
    kept = passage.text[:end]
    ended = max((match.start() + 1 for match in _SENTENCE_END.finditer(kept)), default=0)
    if ended > len(kept) // 2:
        return replace(passage, text=kept[:ended], end=passage.start + ended)
    cut = max(kept.rfind(mark) for mark in (";", ",", ":", "|"))
    kept = kept[:cut].rstrip() if cut > len(kept) // 2 else kept
    return replace(passage, text=kept, end=passage.start + len(kept))


def _overlap(one: Passage, other: Passage) -> bool:
    if one.text == other.text or sentences.key(one.text) == sentences.key(other.text):
        return True
    same = one.hit.document_id == other.hit.document_id
    return same and one.start < other.end and other.start < one.end
