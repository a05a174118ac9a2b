"""Holds the statements of a written text against its evidence: numbers, names, polarity, words, and closeness.

A statement is supported by one note, or clause by clause by several. What none supports is struck or marked, with the
reason. The rules do not understand texts: a wrong combination of what one note says passes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations
from typing import Any, cast

from mainspring.engines.base import Embedder
from mainspring.features.content.text.article import Note, Statement
from mainspring.features.content.text.readable import shown
from mainspring.features.content.write.draft import References
from mainspring.rag.answer.evidence import support
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.answer.write import claims
from mainspring.rag.answer.write.checked_sentences import marked
from mainspring.rag.text import sentences, terms

_TOGETHER = 4


class Grounder:
    """Checks statements against ``notes``, numbered from 1 in the text's marks. ``strike``: what is unsupported is
    struck, else marked."""

    def __init__(self, notes: Sequence[Note], embedder: Embedder, references: References, *, strike: bool) -> None:
        self._notes = notes
        self._embedder = embedder
        self._references = references
        self._state: Any = "struck" if strike else "marked"

    async def statements(self, text: str) -> list[Statement]:
        """The sentences of ``text`` as statements with their evidence."""
        found = []
        for one in sentences.split(text):
            numbers, said = marked(text[one.start : one.end], len(self._notes))
            if one.kind != "heading" and re.search(r"\w\w", said):
                found.append(await self.statement(said, numbers))
        return found

    async def statement(self, text: str, numbers: Sequence[int] = ()) -> Statement:
        """``text`` with the evidence that supports it: of the notes that it names by number, else of any."""
        if not terms.content(text):
            return Statement(text, "supported", ())
        if not self._notes:
            return Statement(text, self._state, (), 0.0, "nothing was found about it")
        order = [*numbers, *(each for each in self._by_fit(text) if each not in numbers)]
        ways: list[tuple[int, ...]] = [(each,) for each in order]
        ways += list(combinations(order[:_TOGETHER], 2))
        for way in ways:
            if not self._problems(text, way):
                return await self._supported(text, way)
        faults = self._problems(text, (order[0],)) or [claims.Problem("words", text)]
        return Statement(text, self._state, (), 0.0, "; ".join(dict.fromkeys(each.described() for each in faults)))

    async def _supported(self, text: str, way: tuple[int, ...]) -> Statement:
        notes = [self._notes[number - 1] for number in way]
        if any(_same(text, shown(each.text)) for each in notes):
            return Statement(text, "verbatim", tuple(self._references.of(each) for each in notes))
        passages = [_passage(each) for each in notes]
        scored = await support.support(text, passages, self._embedder)
        score = round(scored.score, 3) if scored is not None else 0.0
        if len(way) == 1 and score < support.SUPPORTED:
            return Statement(text, self._state, (), score, "no source says anything close to it")
        return Statement(text, "supported", tuple(self._references.of(each) for each in notes), score)

    def _problems(self, text: str, way: tuple[int, ...]) -> list[claims.Problem]:
        if len(way) == 1:
            note = self._notes[way[0] - 1]
            source = f"{note.lead}\n{note.text}" if note.lead else note.text
            return claims.problems(text, source, names=f"{note.source.title}\n{note.heading}")
        borne: set[int] = set()
        for clause in claims.clauses(text):
            if not terms.content(clause):
                continue
            number = next((each for each in way if not self._problems(clause, (each,))), 0)
            if not number:
                return [claims.Problem("words", clause)]
            borne.add(number)
        return [] if len(borne) == len(way) else [claims.Problem("words", text)]

    def _by_fit(self, text: str) -> list[int]:
        fits = {number: claims.fit(text, note.text, "") for number, note in enumerate(self._notes, 1)}
        return sorted(fits, key=lambda number: -fits[number])[:8]


def _passage(note: Note) -> Passage:
    """A note as the check of support reads it: it looks at text and heading alone."""
    text = f"{note.lead} {note.text}" if note.lead else note.text
    hit = cast(Any, None)
    return Passage(hit, text, note.start, note.end, cast(Any, note.kind), note.heading, note.score, note.cosine)


def _same(one: str, other: str) -> bool:
    return one.strip(" .") == other.strip(" .")
