"""The units of retrieved chunks that may answer a question, with what their words say of it.

A unit is a sentence, an item of a list, a row of a table or a line of code. No model is asked here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mainspring.rag.answer.evidence import exact_names
from mainspring.rag.answer.verbatim import question_kind, rows, unit_place
from mainspring.rag.answer.verbatim.choice_weights import LEXICAL
from mainspring.rag.search.hit import Hit
from mainspring.rag.text import definitions, sentences, terms

ELSEWHERE, _IDENTIFIER, _NAME = map(LEXICAL.index, ("elsewhere", "identifier", "name"))
# The words of a lead-in are its items' if those are this share of the question's, by rarity.
_LED = 0.6


@dataclass(frozen=True, slots=True)
class ChunkUnit:
    """A sentence, item or row of a retrieved chunk, with its values of ``LEXICAL``; what it is, ``Passage`` says."""

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

    def less(self, place: int, by: float) -> ChunkUnit:
        """The passage with a lower term at ``place`` of ``LEXICAL``."""
        terms = (*self.terms[:place], self.terms[place] - by, *self.terms[place + 1 :])
        return replace(self, terms=terms)


def exact(question: str, units: Sequence[ChunkUnit], texts: Mapping[str, str], silent: float) -> list[ChunkUnit]:
    """``units`` with lower scores for those that lack a name of the question which others have: an identifier in the
    unit, its heading or the text before it, a name or a year anywhere in the document or its title."""
    asked = _meant(question)
    if not asked or not units:
        return list(units)
    ids = [each for each in asked if each.kind == "identifier"]
    others = [each for each in asked if each.kind != "identifier"]
    places = {unit.hit.document_id: f"{unit.hit.source} {texts[unit.hit.document_id]}" for unit in units}
    known = {name: sum(exact_names.has(text, each) for each in others) for name, text in places.items()}
    near = [f"{unit.heading}\n{unit.before}\n{unit.text}" for unit in units]
    own = [sum(exact_names.has(text, each) for each in ids) for text in near]
    shares = [
        silent if not siblings and all(exact_names.has(places[unit.hit.document_id], each) for each in ids) else 1.0
        for unit, siblings in zip(units, (exact_names.identifiers(unit.text) for unit in units), strict=True)
    ]
    most, most_known = max(own), max(known.values())
    return [
        unit.less(_IDENTIFIER, share * (most - has) / max(1, len(ids))).less(
            _NAME, (0 if unit.case else most_known - known[unit.hit.document_id]) / max(1, len(others))
        )
        for unit, has, share in zip(units, own, shares, strict=True)
    ]


def _meant(question: str) -> list[exact_names.ExactName]:
    """The names of ``question``; an identifier of a follow-up takes the place of those before it."""
    latest = [each for each in exact_names.named(question.rpartition("\n")[2]) if each.kind == "identifier"]
    return [each for each in exact_names.named(question) if each.kind != "identifier" or not latest or each in latest]


def found(
    hit: Hit,
    text: str,
    weights: Mapping[str, float],
    kind: terms.Asked,
    asked: frozenset[str],
    question: str,
    names: Mapping[str, frozenset[str]],
) -> list[ChunkUnit]:
    """The units of ``hit`` that may answer by themselves, in order; none if its text differs from the document's
    ``text`` at its place. ``weights`` is the rarity of the words ``asked``, ``names`` what documents define."""
    if text[hit.start : hit.end] != hit.text:
        return []
    split = [(one, hit.text[one.start : one.end]) for one in sentences.split(hit.text)]
    words = [terms.among(asked, body) | definitions.meant(body, names) for _, body in split]
    path, above = hit.heading, terms.among(asked, hit.heading)
    told, lead = False, ""
    title = hit.heading.rpartition(" > ")[2]
    below = 0 if title and text[: hit.start].rstrip().endswith(title) else -1
    latest = _latest(question)
    everything, want = terms.among(asked, f"{hit.heading} {hit.text}"), question_kind.wanted(question)
    cases = _cases(split, question)
    units: list[ChunkUnit] = []
    for number, (sentence, body) in enumerate(split):
        if sentence.kind == "heading":
            # A chunk's path is that of its first sentence; a heading after that sentence opens another section.
            path = unit_place.below(hit.heading, body) if told else path
            below = 0
            above = terms.among(asked, path)
            continue
        told = True
        # The lead-in of a list or a table applies to each of its items or rows.
        lead = body if sentence.role == "lead_in" else lead if sentence.kind in ("item", "row") else ""
        if not _answers(split, number, hit, text, question):
            continue
        own = words[number] | (_led(lead, asked, weights) if sentence.kind == "item" else frozenset())
        over = unit_place.over(split, number, text, hit.start)
        told_by = over or lead
        previous = split[number - 1][1] if number and split[number - 1][0].kind != "heading" else ""
        previous = told_by if sentence.kind == "item" or told_by else previous
        behind = words[number - 1] if number else frozenset[str]()
        before = (terms.among(asked, previous) if told_by else behind) - own
        after = words[number + 1] - own if number + 1 < len(split) else frozenset()
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
        units.append(ChunkUnit(*place, lexical, previous, told_by, below, cases.get(number, 0) > 0))
        below += below >= 0
    return units


def _latest(question: str) -> frozenset[str]:
    """The words of a follow-up itself, which is in the last line, after the question that it refers to; else none."""
    return terms.content(question.rpartition("\n")[2]) if "\n" in question else frozenset()


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
