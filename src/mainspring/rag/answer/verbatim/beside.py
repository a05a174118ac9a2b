"""Finds chosen passages that are beside the point and are not shown.

The best passage often answers alone. Behind it come its siblings ("Saturday: 9 to 5" of a question about Sunday) and
sentences on the subject that have nothing of the kind that is asked for. Nothing is left out if a question asks for
several things, or if the best passage is not an answer of the kind.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from mainspring.rag.answer.evidence import exact_names
from mainspring.rag.answer.verbatim import display, extract, question_kind, rows
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.text import terms

# The best passage is sure where it has this share of the question's words, by rarity, and is this far ahead. Set on
# development questions: none of 139 contained answers is lost, of SQuAD's 57.9 words 54.2 are left.
_OWN, _AHEAD = 0.5, 0.1
# Behind one with that share, nothing this much worse is shown.
_FAR = 0.25
# What a reader finds this much less likely to answer than the best, in logits, is not shown behind another one: a
# sentence that goes on, or another. What it finds this much likelier than the first leads. Set on 279 development
# questions of four sets: 234 of 238 contained answers are left, in 47 of 59 words.
_LESS_BEHIND, _LESS, _MORE = 1.5, 0.7, 0.7
_LISTED = ("item", "row")


def without(chosen: Sequence[Passage], question: str) -> list[Passage]:
    """``chosen`` (best first) without what is beside the point of ``question``."""
    last = question.rpartition("\n")[2]
    chosen = _once(chosen, question)
    if len(chosen) < 2 or display.several(last):
        return list(chosen)
    chosen = _as_read(_of_asked_columns(chosen, question))
    if len(chosen) < 2:
        return chosen
    asked = terms.content(last) or terms.content(question)
    kind = question_kind.wanted(question)
    best = chosen[0]
    near = best.terms[:1] >= (_OWN,)
    sure = near and best.score - chosen[1].score >= _AHEAD
    answers = sure and kind == "value" and bool(question_kind.answering(best.text, last))
    exact = [name for name in exact_names.named(last) if name.kind == "identifier"]
    kept = [best]
    for passage in chosen[1:]:
        if any(_sibling(each, passage, asked, kind) for each in kept):
            continue
        listed = passage.kind in _LISTED and passage.hit.document_id == best.hit.document_id
        if listed and any(_has(best, name) and not _has(passage, name) for name in exact):
            continue
        behind = near and best.score - passage.score > _FAR
        lacks = answers and not question_kind.answering(passage.text, last)
        if (behind or lacks) and not _goes_on(kept, passage):
            continue
        kept.append(passage)
    return kept


def _once(chosen: Sequence[Passage], question: str) -> list[Passage]:
    """``chosen`` without rows that show what a better one shows: tables repeat the columns of those before them."""
    found: list[Passage] = []
    said: set[str] = set()
    for passage in chosen:
        row, cells = _asked_cells(passage, question)
        shown = rows.short(row, cells) if row is not None and cells else ""
        if shown and shown in said:
            continue
        said.add(shown)
        found.append(passage)
    return found


def _as_read(chosen: Sequence[Passage]) -> list[Passage]:
    """``chosen`` with the one in front that a reader finds much likelier to answer, and without those that it finds
    much less likely, the first one excepted; as they are where nothing was read."""
    said = [-math.inf if each.answers is None else each.answers for each in chosen]
    best = max(said)
    if best == -math.inf:
        return list(chosen)
    kept: list[Passage] = []
    for number, passage in enumerate(chosen):
        goes_on = number > 0 and kept[-1] is chosen[number - 1] and extract.follows(kept[-1], passage)
        if not kept or said[number] >= best - (_LESS_BEHIND if goes_on else _LESS):
            kept.append(passage)
    lead = chosen[said.index(best)]
    # What leans on the sentence before it was read together with that.
    if best < said[0] + _MORE or extract.follows(chosen[0], lead) or display.leans(lead.text):
        return kept
    return [lead, *(each for each in kept if each is not lead)]


def _of_asked_columns(chosen: Sequence[Passage], question: str) -> list[Passage]:
    """``chosen`` without rows of which the question names no column, where another row for the same has one that it
    names: the total, and not the rent."""
    asked = terms.content(question)
    named: dict[str, list[bool]] = {}
    keys: list[tuple[str, bool]] = []
    for passage in chosen:
        row, cells = _asked_cells(passage, question)
        key = row.key.value.casefold() if row is not None and cells and not row.lists else ""
        names = bool(terms.content(" ".join(cell.name for cell in cells)) & asked)
        named.setdefault(key, []).append(names)
        keys.append((key, names))
    return [
        passage for passage, (key, names) in zip(chosen, keys, strict=True) if not key or names or not any(named[key])
    ]


def _asked_cells(passage: Passage, question: str) -> tuple[rows.Row | None, Sequence[rows.Cell]]:
    """The row that ``passage`` is, and the cells of it that ``question`` asks for."""
    row = rows.parsed(passage.text) if passage.kind == "row" else None
    return row, rows.columns(row, question) if row is not None else ()


def _has(passage: Passage, name: exact_names.ExactName) -> bool:
    """Whether ``passage`` is about the identifier ``name``: a version's changes are those of no other."""
    return exact_names.has(f"{passage.heading}\n{passage.before}\n{passage.text}", name)


def _sibling(better: Passage, passage: Passage, asked: frozenset[str], kind: str) -> bool:
    """Whether ``passage`` is of the list or table of a ``better`` one, which has all of the question's words that it
    has, and more."""
    listed = better.kind in _LISTED and passage.kind in _LISTED
    same = better.hit.document_id == passage.hit.document_id and better.heading == passage.heading
    if not (listed and same) or (kind != "value" and better.kind != "row"):
        return False
    return terms.content(passage.text) & asked < terms.content(better.text) & asked


def _goes_on(kept: Sequence[Passage], passage: Passage) -> bool:
    """Whether ``passage`` is the sentence behind the last one that is kept."""
    return extract.follows(kept[-1], passage)
