"""The writer's input: the best sentences, items and rows, each a numbered note with its context."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.rag.answer.context import Candidate, ContextSpan
from mainspring.rag.answer.verbatim import rows
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.text import sentences

MOST = 6
"""Notes of one prompt: more of them cost time and make the choice worse."""
TOKENS = 500
"""Maximum over all notes of one prompt."""
# A sentence that begins so is not understood without the one before.
_LEANS = re.compile(
    r"(?:it|its|they|them|their|this|that|these|those|he|she|his|her|there|then|here|such|both|otherwise|in that case|"
    r"however|but|and|so|also|instead|after that|if not|if so)\b",
    re.IGNORECASE,
)
_LONGEST = 700


@dataclass(frozen=True, slots=True)
class Note:
    """The model's input under one number (``text``: the words of ``source`` after the lead-in of their list; for a
    row, its key and the columns that the question names), and the passages in it, best first, which can be cited."""

    source: ContextSpan
    passages: tuple[Passage, ...]
    text: str

    @property
    def best(self) -> Passage:
        return self.passages[0]


def candidates(passages: Sequence[Passage], most: int = MOST) -> list[Candidate]:
    """A source for each of the first ``most`` of ``passages``, with the sentence before it if it refers to that."""
    found = []
    for rank, passage in enumerate(passages[:most]):
        start = _begin(passage)
        narrow = _source(passage, passage.start, passage.text, rank)
        if start == passage.start:
            found.append(Candidate(narrow))
            continue
        text = passage.hit.text[start - passage.hit.start : passage.end - passage.hit.start]
        found.append(Candidate(_source(passage, start, text, rank), (narrow,)))
    return found


def notes(sources: Sequence[ContextSpan], passages: Sequence[Passage], question: str) -> list[Note]:
    """``sources`` with the ``passages`` in each; sources without one are left out."""
    found = []
    for source in sources:
        inside = tuple(
            passage
            for passage in passages
            if passage.hit.document_id == source.document_id
            and source.start <= passage.start
            and passage.end <= source.end
        )
        if inside:
            text = told(inside[0], question) if len(inside) == 1 and inside[0].kind == "row" else source.text
            lead = inside[0].before.strip().rstrip(":") if inside[0].kind == "item" else ""
            # One clause, so that a "not" in the lead-in holds for the item.
            found.append(Note(source, inside, f"{lead} – {text}" if lead else text))
    return found


def told(passage: Passage, question: str) -> str:
    """The words of a passage as they are quoted: of a row its key and the columns that the question names, or all."""
    row = rows.parsed(passage.text) if passage.kind == "row" else None
    if row is None:
        return passage.text
    return rows.short(row, rows.columns(row, question) or row.cells, bold="")


def numbered(found: Sequence[Note]) -> str:
    """The notes as the model reads them, one a line, numbered from 1."""
    return "\n".join(f"[{number}] {_named(note.source.name, note.text)}" for number, note in enumerate(found, 1))


def block(source: ContextSpan) -> str:
    """One note without its number: at most this text's tokens are counted."""
    return _named(source.name, source.text)


def _named(name: str, text: str) -> str:
    return f"{name.replace(' > ', ', ')}: {' '.join(text.split())}"


def _source(passage: Passage, start: int, text: str, rank: int) -> ContextSpan:
    name = passage.heading or passage.hit.source
    return ContextSpan(passage.hit.document_id, name, text, start, passage.end, rank)


def _begin(passage: Passage) -> int:
    """The beginning of the passage, or of the sentence before it that it refers to."""
    if passage.kind != "sentence" or not _LEANS.match(passage.text):
        return passage.start
    hit = passage.hit
    if not hit.start <= passage.start < hit.end:
        return passage.start
    before = [one for one in sentences.split(hit.text) if hit.start + one.end <= passage.start]
    if not before or before[-1].kind not in ("sentence", "item"):
        return passage.start
    start = hit.start + before[-1].start
    between = hit.text[before[-1].end : passage.start - hit.start]
    return passage.start if "\n\n" in between or passage.end - start > _LONGEST else start
