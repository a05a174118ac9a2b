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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import mul
from typing import Any

import numpy as np

from mainspring.engines.base import Embedder
from mainspring.rag.answer.evidence import exact_names
from mainspring.rag.answer.verbatim import question_kind, rows, unit_place
from mainspring.rag.answer.verbatim.choice_weights import LEXICAL, SHIPPED, ChoiceWeights
from mainspring.rag.search.hit import Hit
from mainspring.rag.text import definitions, sentences, terms

# The cosine of a heading that asks the question, above which it counts, and how much less it does for each unit below.
_ASKED_FROM, _FURTHER = 0.5, 0.6
_ELSEWHERE, _IDENTIFIER, _NAME = map(LEXICAL.index, ("elsewhere", "identifier", "name"))
_SENTENCE_END = re.compile(r"(?<=[^\W\d_]{2})[.!?](?=\s+[A-Z])")
# An item has the words of its lead-in if those are this share of the question's, by rarity.
_LED = 0.6
# The maximum distance of sentences of one paragraph, in characters.
_GAP = 1
# Embedding dominates the cost of an answer: at most this many sentences are embedded, those that share most with the
# question.
_MAX_EMBEDDED = 24


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence, item or row of a retrieved chunk: ``text`` is ``[start:end]`` of the document.

    ``heading`` is the nearest path above it, ``score`` orders passages of one question, ``cosine`` is to it. ``before``
    is the unit in front of it in its chunk. ``read`` is a cross-encoder's score of the unit in its context, in [0, 1]
    (None: not read), ``confirmed`` a chat model's probability that it answers (None: not asked), ``answers`` the logit
    that a trained reader gives it (None: not read). ``terms`` are the values of ``choice_weights.TERMS`` that its score
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
    terms: tuple[float, ...] = ()

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
    heading: str
    terms: tuple[float, ...]
    before: str = ""
    # The lead-in of an item, and the number of units between the heading and this (-1: unknown).
    lead: str = ""
    below: int = -1
    # Whether it is the row for what the question names.
    case: bool = False

    def less(self, place: int, by: float) -> _Unit:
        """The passage with a lower term at ``place`` of ``LEXICAL``."""
        terms = (*self.terms[:place], self.terms[place] - by, *self.terms[place + 1 :])
        return replace(self, terms=terms)


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
    units: list[_Unit] = []
    for hit, further in [*((each, 0.0) for each in shown), *((each, 1.0) for each in others)]:
        found = _units(hit, texts[hit.document_id], weights, kind, asked, question, names)
        units += [unit.less(_ELSEWHERE, further) for unit in found] if further else found
        # Some thirty chunks are a tenth of a second: other requests go on between them.
        await asyncio.sleep(0)
    chosen = _promising(_exact(question, units, texts, choice.silent), choice)
    if not chosen:
        return []
    bodies = [unit.text for unit in chosen]
    headed = [": ".join(filter(None, (unit.heading, unit.lead, unit.text))) for unit in chosen]
    titles = [unit.heading.rpartition(" > ")[2] if unit.below >= 0 else "" for unit in chosen]
    titles = [title if question_kind.asks(title) else "" for title in titles]
    everything = list(dict.fromkeys([*bodies, *headed, *filter(None, titles)]))
    embedded = await embedder.embed(everything)
    cosines = dict(zip(everything, (np.asarray(embedded.vectors) @ np.asarray(vector)).tolist(), strict=True))
    alone, under = [cosines[text] for text in bodies], [cosines[text] for text in headed]
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


def _promising(units: Sequence[_Unit], choice: ChoiceWeights) -> list[_Unit]:
    """The ``units`` with embeddings, best first: each place once."""
    best: dict[tuple[str, int, int], tuple[float, _Unit]] = {}
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


def _exact(question: str, units: Sequence[_Unit], texts: Mapping[str, str], silent: float) -> list[_Unit]:
    """``units`` with lower scores for those that lack a name of the question which others have: an identifier in the
    unit, its heading or the text before it, a name or a year anywhere in the document or its title."""
    asked = _meant(question)
    if not asked or not units:
        return list(units)
    exact = [each for each in asked if each.kind == "identifier"]
    others = [each for each in asked if each.kind != "identifier"]
    places = {unit.hit.document_id: f"{unit.hit.source} {texts[unit.hit.document_id]}" for unit in units}
    known = {name: sum(exact_names.has(text, each) for each in others) for name, text in places.items()}
    near = [f"{unit.heading}\n{unit.before}\n{unit.text}" for unit in units]
    own = [sum(exact_names.has(text, each) for each in exact) for text in near]
    shares = [
        silent if not siblings and all(exact_names.has(places[unit.hit.document_id], each) for each in exact) else 1.0
        for unit, siblings in zip(units, (exact_names.identifiers(unit.text) for unit in units), strict=True)
    ]
    most, most_known = max(own), max(known.values())
    return [
        unit.less(_IDENTIFIER, share * (most - has) / max(1, len(exact))).less(
            _NAME, (0 if unit.case else most_known - known[unit.hit.document_id]) / max(1, len(others))
        )
        for unit, has, share in zip(units, own, shares, strict=True)
    ]


def _meant(question: str) -> list[exact_names.ExactName]:
    """The names of ``question``; an identifier of a follow-up takes the place of those before it."""
    latest = [each for each in exact_names.named(question.rpartition("\n")[2]) if each.kind == "identifier"]
    return [each for each in exact_names.named(question) if each.kind != "identifier" or not latest or each in latest]


def _units(
    hit: Hit,
    text: str,
    weights: Mapping[str, float],
    kind: terms.Asked,
    asked: frozenset[str],
    question: str,
    names: Mapping[str, frozenset[str]],
) -> list[_Unit]:
    if text[hit.start : hit.end] != hit.text:
        return []
    found = [(one, hit.text[one.start : one.end]) for one in sentences.split(hit.text)]
    words = [terms.among(asked, body) | definitions.meant(body, names) for _, body in found]
    path, above = hit.heading, terms.among(asked, hit.heading)
    told, lead = False, ""
    title = hit.heading.rpartition(" > ")[2]
    below = 0 if title and text[: hit.start].rstrip().endswith(title) else -1
    # A follow-up is in the last line, after the question that it refers to.
    latest = terms.content(question.rpartition("\n")[2]) if "\n" in question else frozenset[str]()
    everything, want = terms.among(asked, f"{hit.heading} {hit.text}"), question_kind.wanted(question)
    cases = _cases(found, question)
    units: list[_Unit] = []
    for number, (sentence, body) in enumerate(found):
        if sentence.kind == "heading":
            # A chunk's path is that of its first sentence; a heading after that sentence opens another section.
            path = unit_place.below(hit.heading, body) if told else path
            below = 0
            above = terms.among(asked, path)
            continue
        told = True
        # The lead-in of a list or a table applies to each of its items or rows.
        lead = body if sentence.role == "lead_in" else lead if sentence.kind in ("item", "row") else ""
        if not _answers(found, number, hit, text, question):
            continue
        own = words[number] | (_led(lead, asked, weights) if sentence.kind == "item" else frozenset())
        over = unit_place.over(found, number, text, hit.start)
        told_by = over or lead
        previous = found[number - 1][1] if number and found[number - 1][0].kind != "heading" else ""
        previous = told_by if sentence.kind == "item" or told_by else previous
        behind = words[number - 1] if number else frozenset[str]()
        before = (terms.among(asked, previous) if told_by else behind) - own
        after = words[number + 1] - own if number + 1 < len(found) else frozenset()
        said = f"{over.rstrip(':')}: {body}" if over else body
        row = sentence.kind == "row"
        lexical = (
            *(terms.overlap(weights, each) for each in (own, before, after, above - own, everything - own)),
            terms.offers(kind, said, asked),
            question_kind.has(want, said, question, asked),
            hit.score,
            hit.dense_score,
            len(own & latest) / len(latest) if latest else 0.0,
            *(_of_row(body, question, asked) if row else (question_kind.defined(body, question, asked), 0.0, 0.0)),
            -float(row and cases.get(number) is False),
            *(0.0, 0.0, 0.0),
        )
        place = (hit, body, hit.start + sentence.start, hit.start + sentence.end, sentence.kind, path)
        units.append(_Unit(*place, lexical, previous, told_by, below, cases.get(number, 0) > 0))
        below += below >= 0
    return units


def _answers(found: Sequence[tuple[sentences.Sentence, str]], number: int, hit: Hit, text: str, question: str) -> bool:
    """Whether ``found[number]``, a unit of ``hit`` in the document ``text``, may answer ``question`` by itself."""
    unit, body = found[number]
    # "We refund within 30 days of:" says how long, whatever its list says.
    leads = unit.role == "lead_in" and unit.kind != "row" and question_kind.wanted(question) == "value"
    if not unit.showable and not (leads and question_kind.answering(body, question)):
        return False
    names = unit_place.names_items(found, number, text, hit.start)
    return not names and not unit_place.titles(text, hit.start + unit.start, hit.start + unit.end)


def _led(lead: str, asked: frozenset[str], weights: Mapping[str, float]) -> frozenset[str]:
    """The words ``asked`` that a lead-in has for each item of its list: all of them answer what has most of them."""
    led = terms.content(lead) & asked if lead.endswith(":") else frozenset[str]()
    return led if terms.overlap(weights, led) >= _LED else frozenset()


def _cases(found: Sequence[tuple[sentences.Sentence, str]], question: str) -> dict[int, bool]:
    """``rows.cases`` of the rows among ``found``, by their places there."""
    tabled = [number for number, (sentence, _) in enumerate(found) if sentence.kind == "row"]
    cases = rows.cases([found[number][1] for number in tabled], question)
    return {tabled[at]: case for at, case in cases.items()}


def _of_row(body: str, question: str, asked: frozenset[str]) -> tuple[float, float, float]:
    """The share of the question in a row's key and ranges, and, counting against it, in its value."""
    keyed, within, said = 0.0, 0.0, 0.0
    pair, row = rows.pair(body), rows.parsed(body)
    if pair is not None:
        # "Port: Kiel" answers what the port is, and not what happened at Kiel.
        keyed, said = rows.share(pair.name, asked), rows.share(pair.value, asked)
    if row is not None:
        keyed += rows.matched(row, asked)
        within = rows.within(row, question)
    elif pair is None:
        keyed += rows.share(rows.keyed(body), asked)
    return keyed, within, -said


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
