"""A draft without a writing model: sentences of the sources, word for word, arranged into paragraphs.

A paragraph comes from one place of one source, in the source's order, so that it reads as its author wrote it. What was
said in the article is not said again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

from mainspring.features.content.text.article import Evidence, Findings, Note, Paragraph, Section, Source, Statement
from mainspring.features.content.text.readable import shown
from mainspring.features.content.write.plan import below
from mainspring.rag.answer.write.numbers import numbers
from mainspring.rag.text import terms

# A sentence that scores this much less than the best one of its question is not about it.
_NEAR, _FAR = 0.45, 0.9
# A section with less than so much of its words left is full.
_FULL = 0.45
# A sentence repeats another one if they share this much of their content words.
_SAME = 0.7
# Sentences of a source this close to each other, in characters, belong to one paragraph.
_GAP = 240
# Words below a section's heading from which nothing else of that document is needed; and how far what is elsewhere
# stands behind.
_ENOUGH, _BESIDE = 40, 0.1
_MOST_ITEMS = 8


@dataclass(slots=True)
class References:
    """The sources and the evidence of an article, numbered in the order of their first use."""

    sources: list[Source] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)

    def of(self, note: Note, *, lead: bool = False) -> int:
        """The number (from 0) of the evidence that ``note`` is, or its lead."""
        number = self.source(note.source)
        start = note.lead_start if lead else note.start
        quote = note.lead if lead else note.text
        for at, each in enumerate(self.evidence):
            if (each.source, each.start, each.quote) == (number, start, quote):
                return at
        self.evidence.append(Evidence(number, quote, start, start + len(quote), note.page, note.heading))
        return len(self.evidence) - 1

    def source(self, source: Source) -> int:
        """The number (from 1) of ``source``."""
        for number, each in enumerate(self.sources, 1):
            if (each.kind, each.id) == (source.kind, source.id):
                return number
        self.sources.append(source)
        return len(self.sources)


class Assembler:
    """Assembles the sections of one article."""

    def __init__(self) -> None:
        self.references = References()
        self._said: list[tuple[frozenset[str], frozenset[float]]] = []

    def said(self, text: str) -> None:
        """Note that the article has ``text`` already."""
        self._said.append(_gist(text))

    def section(self, heading: str, found: Sequence[Findings], words: int, refuse_below: float) -> Section:
        """A section of about ``words`` words; a question whose evidence is below ``refuse_below`` is missing.

        Notes below a heading that says what the section's says come first: they are what the plan meant.
        """
        found = [dataclasses.replace(each, notes=_preferred(each.notes, heading)) for each in found]
        questions = tuple(each.question for each in found)
        missing = tuple(each.question for each in found if each.evidence < refuse_below or not each.notes)
        chosen: list[Note] = []
        room = words
        for each in (one for one in found if one.question not in missing):
            share = max(40, words // max(1, len(found) - len(missing)))
            room = self._choose(each, chosen, min(share, max(0, room)) if chosen else share, _NEAR)
        for each in (one for one in found if one.question not in missing):
            if room > _FULL * words:
                # Sentences that are less close may say more, but only of sources that speak of it already.
                known = {note.source.id for note in chosen}
                rest = tuple(note for note in each.notes if note.source.id in known)
                if rest:
                    room = self._choose(dataclasses.replace(each, notes=rest), chosen, room, _FAR)
        return Section(heading, tuple(self._paragraphs(chosen)), questions, missing)

    def _choose(self, found: Findings, chosen: list[Note], room: int, near: float) -> int:
        """Add the best notes that fit ``room`` words and are no further from the best one than ``near``; the rest of
        the room. A list is taken whole."""
        best = found.notes[0].score
        begun = len(chosen)
        for note in found.notes:
            taken = _list(note, found.notes)
            words = sum(len(each.text.split()) for each in taken) + len(note.lead.split())
            if note.score < best - near or (words > room and len(chosen) > begun) or not taken:
                continue
            leads = note.lead if note.kind != "item" else ""
            if (
                self._repeats(note.text)
                or (leads and self._repeats(leads))
                or any(_within(each, other) for each in taken for other in chosen)
            ):
                continue
            chosen += taken
            for text in (leads, *(each.text for each in taken)):
                self.said(text)
            room -= words
            if room <= 0:
                break
        return room

    def _repeats(self, text: str) -> bool:
        words, amounts = _gist(text)
        # The same words with another number say another thing.
        return any(
            each and amounts <= theirs and len(words & each) >= _SAME * min(len(words), len(each))
            for each, theirs in self._said
        )

    def _paragraphs(self, chosen: Sequence[Note]) -> list[Paragraph]:
        return [self._paragraph(group) for group in _groups(chosen)]

    def _paragraph(self, group: Sequence[Note]) -> Paragraph:
        if group[0].kind == "item":
            items = [Statement(shown(each.text), "verbatim", (self.references.of(each),)) for each in group]
            return Paragraph(tuple(items[:_MOST_ITEMS]), "list", shown(group[0].lead))
        statements: list[Statement] = []
        told: set[tuple[str, int]] = set()
        for note in group:
            if note.lead and (note.source.id, note.lead_start) not in told:
                statements.append(Statement(shown(note.lead), "verbatim", (self.references.of(note, lead=True),)))
                told.add((note.source.id, note.lead_start))
            if (note.source.id, note.start) not in told:
                statements.append(Statement(shown(note.text), "verbatim", (self.references.of(note),)))
                told.add((note.source.id, note.start))
        return Paragraph(tuple(statements))


def _list(note: Note, notes: Sequence[Note]) -> list[Note]:
    """``note`` alone; an item together with its list, because one item is no list."""
    if note.kind != "item":
        return [note]
    items = [
        each
        for each in notes
        if each.kind == "item" and (each.source.id, each.lead_start) == (note.source.id, note.lead_start)
    ]
    return sorted(items, key=lambda each: each.start) if len(items) > 1 else []


def _gist(text: str) -> tuple[frozenset[str], frozenset[float]]:
    """The content words and the amounts of a sentence."""
    return terms.content(text), frozenset(amount for each in numbers(text) for amount in each.amounts)


def _preferred(notes: Sequence[Note], heading: str) -> tuple[Note, ...]:
    """``notes`` with those below ``heading`` in front. Other parts of the same document have sections of their own, or
    were left out of the plan: they come only where little is below the heading."""
    own = [each for each in notes if below(each.heading, heading)]
    if not own:
        return tuple(notes)
    ids = {each.source.id for each in own}
    enough = sum(len(each.text.split()) for each in own) >= _ENOUGH
    rest = [each for each in notes if each not in own and not (enough and each.source.id in ids)]
    # Scores tell the others apart, and the best of the heading's own is what they are held against.
    best = max(each.score for each in own)
    lowered = [dataclasses.replace(each, score=min(each.score, best) - _BESIDE) for each in rest]
    return (*own, *sorted(lowered, key=lambda each: -each.score))


def _groups(chosen: Sequence[Note]) -> list[list[Note]]:
    """Notes of one place together. Sources follow each other by their best note, places in the order of the source."""
    groups: list[list[Note]] = []
    for note in chosen:
        for group in groups:
            if any(_near(note, other) for other in group):
                group.append(note)
                break
        else:
            groups.append([note])
    order = list(dict.fromkeys(group[0].source.id for group in groups))
    placed = [sorted(group, key=lambda note: note.start) for group in groups]
    return sorted(placed, key=lambda group: (order.index(group[0].source.id), group[0].start))


def _near(one: Note, other: Note) -> bool:
    same = one.source.id == other.source.id and one.source.kind == other.source.kind
    if not same or (one.kind == "item") != (other.kind == "item"):
        return False
    if one.kind == "item":
        return one.lead_start == other.lead_start
    first, last = sorted((one, other), key=lambda note: note.start)
    return last.start - first.end <= _GAP and first.heading == last.heading


def _within(one: Note, other: Note) -> bool:
    """Whether they overlap in their source, or one is what the other leans on."""
    if one.source.id != other.source.id:
        return False
    return (one.start < other.end and other.start < one.end) or (other.kind != "item" and one.start == other.lead_start)
