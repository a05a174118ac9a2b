"""What can be made of a notebook's documents: summaries, key points, a timeline, a study guide, questions and answers,
a comparison. Everything is words of the documents with their places, chosen by how central they are."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mainspring.features.content.notebook.dates import moment
from mainspring.features.content.notebook.reading import Reading, by_heading, chosen, definition
from mainspring.features.content.text.article import Evidence, Note, Source
from mainspring.features.content.text.readable import shown
from mainspring.features.content.write.draft import References
from mainspring.rag.answer.evidence.values import values
from mainspring.rag.text import terms

StudyKind = Literal["summary", "key_points", "timeline", "faq", "study_guide", "comparison"]
_EACH, _ALL, _POINTS, _DATES, _QUESTIONS, _TERMS = 4, 6, 10, 40, 12, 12
# Two sentences of two documents are about the same thing, or a sentence has no counterpart.
_ALIKE, _APART = 0.62, 0.45
_PAIRS = 8


@dataclass(frozen=True, slots=True)
class StudyLine:
    """A line of a study: ``label`` stands in front (a date, a question, a term), ``evidence`` are numbers (from 0)."""

    text: str
    evidence: tuple[int, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class StudyPart:
    """Lines below a heading."""

    heading: str
    lines: tuple[StudyLine, ...]


@dataclass(frozen=True, slots=True)
class Study:
    """A study with what it cites. ``remarks`` say what it is not."""

    kind: StudyKind
    parts: tuple[StudyPart, ...]
    sources: tuple[Source, ...]
    evidence: tuple[Evidence, ...]
    remarks: tuple[str, ...] = ()


def study(kind: StudyKind, readings: Sequence[Reading]) -> Study:
    """The study of that kind."""
    kept = References()
    for each in readings:
        kept.source(each.source)
    parts, remarks = _made(kind, readings, kept)
    told = ["Assembled of sentences of the documents, word for word.", *remarks]
    if not any(each.lines for each in parts):
        told = ["Nothing of this kind was found in the documents."]
    filled = tuple(each for each in parts if each.lines)
    return Study(kind, filled, tuple(kept.sources), tuple(kept.evidence), tuple(told))


Made = tuple[list[StudyPart], list[str]]


def _made(kind: StudyKind, readings: Sequence[Reading], kept: References) -> Made:
    match kind:
        case "summary":
            return _summary(readings, kept)
        case "key_points":
            return _key_points(readings, kept)
        case "timeline":
            return _timeline(readings, kept)
        case "faq":
            return _faq(readings, kept)
        case "study_guide":
            return _study_guide(readings, kept)
        case "comparison":
            return _comparison(readings, kept)


def _line(note: Note, kept: References, label: str = "") -> StudyLine:
    """``note`` with what it leans on."""
    if note.lead and note.kind != "item":
        numbers = (kept.of(note, lead=True), kept.of(note))
        return StudyLine(f"{shown(note.lead)} {shown(note.text)}", numbers, label)
    return StudyLine(shown(note.text), (kept.of(note),), label)


def _summary(readings: Sequence[Reading], kept: References) -> Made:
    each = [
        StudyPart(found.source.title, tuple(_line(note, kept) for note in chosen(found, _EACH))) for found in readings
    ]
    if len(readings) < 2:
        return each, []
    share = max(1, _ALL // len(readings))
    best = [note for found in readings for note in sorted(chosen(found, share), key=lambda one: -one.score)[:share]]
    whole = StudyPart("All documents", tuple(_line(note, kept) for note in best[: max(_ALL, len(readings))]))
    return [whole, *each], []


def _key_points(readings: Sequence[Reading], kept: References) -> Made:
    share = max(3, _POINTS // max(1, len(readings)))
    return [
        StudyPart(found.source.title, tuple(_line(note, kept, note.heading) for note in by_heading(found, share)))
        for found in readings
    ], []


def _timeline(readings: Sequence[Reading], kept: References) -> Made:
    dated = [(when, note) for found in readings for note in found.notes if (when := moment(note.text)) is not None]
    dated.sort(key=lambda each: (each[0].year, each[0].month, each[0].day))
    lines = tuple(_line(note, kept, when.text) for when, note in dated[:_DATES])
    return [StudyPart("Timeline", lines)], ["Only dates with a year are found, the most exact one of each sentence."]


def _faq(readings: Sequence[Reading], kept: References) -> Made:
    lines: list[StudyLine] = []
    for found in readings:
        for heading, notes in itertools.groupby(found.notes, key=lambda note: note.heading):
            below = [each for each in notes if each.kind == "sentence"]
            if heading and below and len(lines) < _QUESTIONS:
                best = sorted(sorted(below, key=lambda note: -note.score)[:2], key=lambda note: note.start)
                told = [_line(each, kept) for each in best]
                text = " ".join(dict.fromkeys(each.text for each in told))
                numbers = tuple(dict.fromkeys(at for each in told for at in each.evidence))
                lines.append(StudyLine(text, numbers, question(heading)))
    return [StudyPart("Questions and answers", tuple(lines))], ["Questions are made of headings."]


def question(heading: str) -> str:
    """A heading as a question."""
    text = heading.strip().rstrip(".:")
    if text.endswith("?"):
        return text
    lower = text if re.match(r"[A-Z]{2}|I\b", text) else text[:1].lower() + text[1:]
    if re.match(r"(?:how|what|when|where|who|why|which|if)\b", lower):
        return f"What is said about {lower}?" if not lower.startswith(("how to", "what to")) else f"{text}?"
    return f"What should one know about {lower}?"


def _study_guide(readings: Sequence[Reading], kept: References) -> Made:
    known: dict[frozenset[str], StudyLine] = {}
    for found in readings:
        for note in found.notes:
            what = definition(note)
            key = terms.content(what)
            if what and key and key not in known and len(known) < _TERMS:
                known[key] = _line(note, kept, what[:1].upper() + what[1:])
    points, _ = _key_points(readings, kept)
    asked, _ = _faq(readings, kept)
    questions = tuple(StudyLine(each.label) for each in asked[0].lines)
    return [StudyPart("Terms", tuple(known.values())), *points, StudyPart("Questions to test yourself", questions)], []


def _comparison(readings: Sequence[Reading], kept: References) -> Made:
    one, other = readings[0], readings[1]
    if not one.notes or not other.notes:
        return [], []
    close = one.vectors @ other.vectors.T
    pairs = _pairs(close)
    both = [(one.notes[a], other.notes[b]) for a, b in pairs]
    differing = [(a, b) for a, b in both if _differ(a, b)]
    same = [(a, b) for a, b in both if (a, b) not in differing]
    names = (one.source.title, other.source.title)
    parts = [
        StudyPart("Different values", tuple(line for pair in differing for line in _two(pair, names, kept))),
        StudyPart("Both speak of", tuple(line for pair in same for line in _two(pair, names, kept))),
        StudyPart(f"Only in {names[0]}", _alone(one, close.max(axis=1), kept)),
        StudyPart(f"Only in {names[1]}", _alone(other, close.max(axis=0), kept)),
    ]
    return parts, ["What is said in quite different words may stand as said by one alone."]


def _pairs(close: np.ndarray) -> list[tuple[int, int]]:
    """The closest pairs, each sentence in one at most."""
    order = np.argsort(-close, axis=None)[: close.size]
    found: list[tuple[int, int]] = []
    ours: set[int] = set()
    theirs: set[int] = set()
    for at in order.tolist():
        a, b = divmod(at, close.shape[1])
        if close[a, b] < _ALIKE or len(found) >= _PAIRS:
            break
        if a not in ours and b not in theirs:
            found.append((a, b))
            ours.add(a)
            theirs.add(b)
    return found


def _differ(one: Note, other: Note) -> bool:
    """Whether they give other values of the same kind and unit."""
    ours = {(each.key, each.amount) for each in values(one.text) if each.kind != "count" or each.unit}
    theirs = {(each.key, each.amount) for each in values(other.text) if each.kind != "count" or each.unit}
    shared = {key for key, _ in ours} & {key for key, _ in theirs}
    return any(
        {each for each in ours if each[0] == key} != {each for each in theirs if each[0] == key} for key in shared
    )


def _two(pair: tuple[Note, Note], names: tuple[str, str], kept: References) -> list[StudyLine]:
    return [_line(note, kept, name) for note, name in zip(pair, names, strict=True)]


def _alone(found: Reading, closest: np.ndarray, kept: References) -> tuple[StudyLine, ...]:
    far = [note for at, note in enumerate(found.notes) if closest[at] < _APART and note.kind == "sentence"]
    best = sorted(sorted(far, key=lambda note: -note.score)[:5], key=lambda note: note.start)
    return tuple(_line(note, kept) for note in best)
