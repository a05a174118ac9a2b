"""Questions of several parts: what each part finds, and which of them the documents do not answer."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TypeVar

from mainspring.core.facts.retrievals import QuestionPartFacts
from mainspring.rag.answer.findings import Findings
from mainspring.rag.answer.question import Question
from mainspring.rag.answer.verbatim import beside, display, extract, further
from mainspring.rag.answer.verbatim.choice_weights import SHIPPED, ChoiceWeights
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.answer.write.answer_form import wish
from mainspring.rag.answer.write.summary import quoted
from mainspring.rag.query import decompose
from mainspring.rag.text import terms

_T = TypeVar("_T")
# Evidence of this many times the threshold is enough; below it, one chunk must contain this share of a part's words.
# Set on development questions: of SQuAD's answerable parts none is called missing, of the handbook's 3 of 93.
_SURE = 1.5
_SHARE, _LEANING_SHARE = 0.4, 0.3


@dataclass(frozen=True, slots=True)
class QuestionPart:
    """A part of a question: ``written`` as the asker wrote it, ``searched`` so that it stands alone."""

    written: str
    searched: str


@dataclass(frozen=True, slots=True)
class Lookup:
    """The results of a question: all hits, the hits of each answered part, and the unanswered parts (as the asker wrote
    them). ``facts`` are for the retrieval event."""

    found: Findings
    each: tuple[Findings, ...]
    missing: tuple[str, ...] = ()
    facts: tuple[QuestionPartFacts, ...] = ()


def look(question: str, whole: Findings, found: Sequence[tuple[QuestionPart, Findings]], refuse_below: float) -> Lookup:
    """``whole`` is the result of the question as one, ``found`` the results of its parts. Where no part is answered it
    is the whole that counts: the parts may have been no questions."""
    kept = [findings for part, findings in found if supported(part, findings, refuse_below)]
    facts = tuple(
        QuestionPartFacts(part=part.written, evidence=round(findings.evidence, 4), answered=findings in kept)
        for part, findings in found
    )
    if not kept:
        return Lookup(whole, (whole,), (), facts)
    missing = tuple(part.written for part, findings in found if findings not in kept)
    return Lookup(joined(question, kept), tuple(kept), missing, facts)


def parts(question: str) -> list[QuestionPart]:
    """The parts of ``question``; none if it asks one thing, or compares two."""
    found = [QuestionPart(*clause) for clause in decompose.clauses(question)]
    return found if len(found) > 1 else []


def supported(part: QuestionPart, found: Findings, refuse_below: float) -> bool:
    """Whether the documents speak of a part: much evidence, or enough and a good part of its own words in one place.

    The threshold is higher than for a whole question, which is refused if wrong: here the rest is still answered. A
    part that depends on the first one ("and does it come in purple?") is searched with it, so that the evidence
    concerns both; its own subject must be mentioned whatever the evidence.
    """
    if not found.passages or found.evidence < refuse_below or found.lacks:
        return False
    own = terms.content(part.written)
    if not own:
        return True
    if part.written == part.searched and found.evidence >= _SURE * refuse_below:
        return True
    shares = (len(own & terms.content(f"{hit.heading} {hit.text}")) / len(own) for hit in found.hits)
    least = _SHARE if part.written == part.searched else _LEANING_SHARE
    return max(shares, default=0.0) >= least


def joined(question: str, found: Sequence[Findings]) -> Findings:
    """The results of several parts in the form of one question's: hits and passages of all in turn, each once."""
    hits = _in_turns([list(each.hits) for each in found], lambda hit: (hit.collection_id, hit.chunk_id))
    passages = _in_turns(
        [list(each.passages) for each in found],
        lambda passage: (passage.hit.document_id, passage.start, passage.end),
    )
    texts = {name: text for each in found for name, text in each.texts.items()}
    surest = max(found, key=lambda each: each.evidence)
    walked = next((each.walked for each in found if each.walked is not None), None)
    steps = [step for each in found for step in each.steps]
    return Findings(question, hits, passages, texts, surest.evidence, surest.features, walked, steps)


def shown(
    looked: Lookup, asked: Question, *, max_sentences: int, max_words: int, choice: ChoiceWeights
) -> list[Passage]:
    """What is shown of ``looked``, with its necessary context; for each wish for more what was not shown before, and
    the last of it where nothing is left."""
    wished = asked.wished or asked.question
    found, told, texts = looked.each, list[Passage](), looked.found.texts
    for turn in range(asked.more + 1):
        chosen: list[Passage] = []
        if not turn and len(found) == 1 and wish(wished).form == "summary":
            chosen = quoted(wished, found[0].passages, texts, max_sentences=max_sentences, max_words=max_words)
        chosen = chosen or choose(found, max_sentences=max_sentences, max_words=max_words, choice=choice)
        chosen += _other_sides(chosen, found[0].passages, wished, max_words) if len(found) == 1 else []
        if not chosen:
            break
        told = display.grown(chosen, asked.question, texts, max_words)
        found = tuple(replace(each, passages=further.left(each.passages, told)) for each in found)
    return told


def choose(
    found: Sequence[Findings], *, max_sentences: int, max_words: int, choice: ChoiceWeights = SHIPPED
) -> list[Passage]:
    """The best passages of each part in turns, at least one a part, within the same budget as for one question; what
    is beside the point is left out."""
    share = max(1, max_words // len(found))
    words = share if len(found) > 1 else max_words
    ranked = [
        beside.without(
            extract.choose(each.passages, max_sentences=max_sentences, max_words=words, choice=choice), each.question
        )
        for each in found
    ]
    chosen: list[Passage] = []
    for passage in _in_turns(ranked, lambda each: (each.hit.document_id, each.start, each.end)):
        overlaps = any(
            passage.hit.document_id == other.hit.document_id and passage.start < other.end and other.start < passage.end
            for other in chosen
        )
        if not overlaps and len(chosen) < max(max_sentences, len(found)):
            chosen.append(passage)
    return chosen


def _other_sides(
    chosen: Sequence[Passage], passages: Sequence[Passage], question: str, max_words: int
) -> list[Passage]:
    """The best of ``passages`` for each side that ``question`` compares and that none of ``chosen`` speaks of, within
    ``max_words`` words altogether: one side alone is no comparison."""
    sides = [terms.content(side) for side in decompose.compared(question.rpartition("\n")[2])]
    said = [terms.content(f"{passage.heading} {passage.text}") for passage in passages]
    room = max_words - sum(passage.words for passage in chosen)
    found: list[Passage] = []
    for side in sides if chosen else ():
        others = frozenset[str]().union(*sides) - side
        # What speaks of the other side speaks of this one, too, if that has all of its words: it does not count.
        within = any(side < each for each in sides)
        about = [
            passage
            for passage, words in zip(passages, said, strict=True)
            if side <= words and (not words & others or (others <= words and not within))
        ]
        if about and about[0].words <= room and not any(each in about for each in (*chosen, *found)):
            found += about[:1]
            room -= about[0].words
    return found


def _in_turns(rows: Sequence[Sequence[_T]], key: Callable[[_T], Hashable]) -> list[_T]:
    """The first of each row, the second of each, and so on; equal keys once."""
    found: dict[Hashable, _T] = {}
    for row in zip_longest(*rows):
        for each in row:
            if each is not None:
                found.setdefault(key(each), each)
    return list(found.values())
