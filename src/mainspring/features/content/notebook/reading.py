"""Whole documents as notes: each sentence with its place, its heading, and how central it is."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mainspring.engines.base import Embedder
from mainspring.features.content.text.article import Note, Source
from mainspring.features.content.text.readable import alone_unclear, fit
from mainspring.features.content.write.plan import clean_heading
from mainspring.rag.text import sentences

# Sentences of a document that are compared with each other: those of longer ones are taken at even distances.
_MOST = 240
MOST_CHARACTERS = 4_000_000
"""Of all documents of one study: splitting a million takes more than half a second."""
# What the first sentences of a document have ahead, and the first below a heading.
_FIRST, _OPENS = 0.12, 0.05


@dataclass(slots=True)
class Reading:
    """A document that was read: its notes in order, with their centrality as ``score``, and the headings in order.
    ``vectors`` are the notes', float32 of length 1."""

    source: Source
    text: str
    notes: list[Note] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)
    vectors: np.ndarray = field(default_factory=lambda: np.zeros((0, 1), np.float32))


async def read(source: Source, text: str, embedder: Embedder) -> Reading:
    """The document ``text``, read."""
    notes, headings, firsts = await asyncio.to_thread(_notes, source, text)
    if len(notes) > _MOST:
        # A document may be all headings, and the notes are compared in pairs.
        opening = _even(sorted(at for at in firsts if at < len(notes)))
        kept = sorted({*_even(range(len(notes))), *opening})
        notes, firsts = [notes[at] for at in kept], {place for place, at in enumerate(kept) if at in firsts}
    found = Reading(source, text, notes, headings)
    if not notes:
        return found
    found.vectors = np.asarray((await embedder.embed([each.text for each in notes])).vectors, np.float32)
    closeness = found.vectors @ found.vectors.T
    central = (closeness.sum(axis=1) - 1) / max(1, len(notes) - 1)
    for at, each in enumerate(notes):
        score = float(central[at]) + (_FIRST if at < 2 else 0.0) + (_OPENS if at in firsts else 0.0)
        notes[at] = dataclasses.replace(each, score=round(score, 4))
    return found


def _even(places: Sequence[int]) -> list[int]:
    """At most ``_MOST`` of them, at even distances."""
    step = max(1.0, len(places) / _MOST)
    return [places[int(at * step)] for at in range(min(_MOST, len(places)))]


def beginning(text: str, most: int) -> str:
    """``text``, or its whole lines within the first ``most`` characters."""
    if len(text) <= most:
        return text
    return text[: text.rfind("\n", 0, most) + 1] or text[:most]


def _notes(source: Source, text: str) -> tuple[list[Note], list[str], set[int]]:
    notes: list[Note] = []
    headings: list[str] = []
    firsts: set[int] = set()
    heading, opens, before, lead = "", False, None, None
    for one in sentences.split(text):
        body = text[one.start : one.end]
        if one.kind == "heading":
            heading, opens, before, lead = clean_heading(body) or body.strip("# "), True, None, None
            if clean_heading(body):
                headings.append(heading)
            continue
        if one.role == "lead_in":
            lead = one
        near = lead if one.kind == "item" else before
        leans = near is not None and (one.kind == "item" or alone_unclear(body))
        leading, at = (text[near.start : near.end], near.start) if leans and near is not None else ("", -1)
        if one.showable and fit(body, one.kind, leading):
            if opens:
                firsts.add(len(notes))
                opens = False
            made = Note(source, body, one.start, one.end, one.kind, heading, lead=leading, lead_start=at)
            notes.append(made)
        before = one if one.kind == "sentence" else before
        lead = lead if one.kind == "item" or one.role == "lead_in" else None
    return notes, headings, firsts


def chosen(found: Reading, most: int, alike: float = 0.75) -> list[Note]:
    """The ``most`` most central notes that say different things, in the document's order."""
    taken: list[int] = []
    order = sorted(range(len(found.notes)), key=lambda at: -found.notes[at].score)
    for at in order:
        if len(taken) >= most:
            break
        if found.notes[at].kind == "sentence" and all(_far(found, at, other, alike) for other in taken):
            taken.append(at)
    return [found.notes[at] for at in sorted(taken)]


def _far(found: Reading, one: int, other: int, alike: float) -> bool:
    return float(found.vectors[one] @ found.vectors[other]) < alike


def by_heading(found: Reading, most: int) -> list[Note]:
    """The most central note below each heading, in the document's order; without headings the most central ones."""
    best: dict[str, Note] = {}
    for each in found.notes:
        if each.kind == "sentence" and (each.heading not in best or best[each.heading].score < each.score):
            best[each.heading] = each
    if len(best) < 3:
        return chosen(found, most)
    kept = sorted(best.values(), key=lambda note: -note.score)[:most]
    return sorted(kept, key=lambda note: note.start)


_DEFINES = re.compile(
    r"(?P<what>(?:(?:an?|the)\s+)?[^\W\d_][\w’'/ -]{2,60}?)\s+(?:is|are|means|refers to|stands for|describes)\s+"
    r"(?:an?|the|any|one|that|what|when)\b",
    re.IGNORECASE,
)


def definition(note: Note) -> str:
    """What ``note`` says the meaning of; empty if of nothing."""
    match = _DEFINES.match(note.text)
    if match is None or note.kind != "sentence" or note.lead:
        return ""
    what = match["what"].strip()
    return "" if what.split()[0].lower() in _VAGUE or len(what.split()) > 6 else what


_VAGUE = frozenset(
    "this that these those it there here he she they we you what which who if when where most many".split()
)
