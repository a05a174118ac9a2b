"""Whole lists as answers: the steps of a procedure, or the things to bring, with the line that introduces them.

"How do I set up the pump?" needs all steps in order, not the one that shares most words with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.text import sentences, terms

# A list is searched this far around its item: characters.
AROUND = 1500
_HOW = re.compile(
    r"\bhow (?:do|does|can|could|should|would|must|may|shall|am|are|is)\b(?! (?:\w+ ){1,3}(?:long|often|many|much)\b)"
    r"|\bhow to\b"
    r"|\bwhat (?:do|should|must|can|shall|would) (?:i|you|we|one|they|he|she|\w+s?) (?:have to |need to |need )?"
    r"(?:do|bring|take|pack|check|prepare|follow|know|complete|submit)\b"
    r"|\b(?:steps|procedure|instructions|checklist)\b",
    re.IGNORECASE,
)
_ORDERED = re.compile(r"\(?(?:\d{1,3}|[a-z])[.)]\s", re.IGNORECASE)
# A list answers if the text above it has this share of the question's words: one share for bullets, one for steps.
_OVER, _OVER_STEPS = 0.5, 0.3
_MOST_LEAD = 160
# Sentences that speak of the list right below their paragraph, though they end with a full stop.
_POINTS = re.compile(
    r"\bthe following\s+(?!(?:day|night|morning|afternoon|evening|week|month|quarter|season|year"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day)s?\b)[^\W\d_]|^(?:(?:all|any|each|one|in|of|for|to|at|only)\s+){0,3}these\s+[^\W\d_]+s\b"
    r"|\bbelow(?=[.,;)]|\s+(?:is|are|was|were|has|have|must|may|can|will|shall|should|need|apply)\b)",
    re.IGNORECASE,
)
_THESE = re.compile(r"\bthese\s+[^\W\d_]+s\b", re.IGNORECASE)
_MOST_BETWEEN = 2


def asks_how(question: str) -> bool:
    """Whether ``question`` asks how to do something, or what it takes."""
    return _HOW.search(question.rpartition("\n")[2]) is not None


def answers(passage: Passage, question: str, text: str) -> bool:
    """Whether the list of ``passage``, an item of the document ``text``, tells how to do what ``question`` asks for:
    one that is ordered under a heading or a lead-in on the subject, or one of bullets right under it."""
    units = _around(passage, text)
    at = _at(units, passage)
    if at is None or not asks_how(question):
        return False
    asked = terms.content(question.rpartition("\n")[2])
    first, last = _ends(units, at)
    if first == last:
        return False
    over = text[units[first - 1].start : units[first - 1].end] if first else ""
    named = terms.content(f"{passage.heading} {over if len(over) <= _MOST_LEAD else ''}") & asked
    ordered = all(_ORDERED.match(text, one.lead) for one in units[first : last + 1])
    return len(named) >= (_OVER_STEPS if ordered else _OVER) * len(asked) > 0


def of(passage: Passage, text: str, words: int | None = None) -> Passage:
    """All items of the list that contains ``passage``, with its lead-in; within ``words`` words as many as fit, from
    the first on if ``passage`` is then among them."""
    units = _around(passage, text)
    at = _at(units, passage)
    if at is None:
        return passage
    first, last = _ends(units, at)
    start = units[first].lead
    if first and units[first - 1].role == "lead_in":
        start = units[first - 1].start
    elif pointing := _pointing(units, first, text):
        start = units[min(pointing)].start
    for begin in (start, units[at].lead):
        for end in range(last, at - 1, -1):
            grown = replace(passage, text=text[begin : units[end].end], start=begin, end=units[end].end)
            if words is None or grown.words <= words:
                return grown
    return passage


def led(passage: Passage, text: str) -> Passage:
    """``passage``, which leads in to a list, with the items of that list; it itself if it leads in to none."""
    units = _around(passage, text)
    at = _at(units, passage)
    if at is None:
        return passage
    own = _indent(text, units[at].lead) if units[at].kind == "item" else -1
    begin, end = passage.start, at
    if units[at].role == "statement":
        first = next((n for n in range(at, len(units)) if units[n].kind != "sentence"), len(units))
        pointing = _pointing(units, first, text)
        if at not in pointing:
            return passage
        begin, end = units[pointing[at]].start, first - 1
    last = end
    while end + 1 < len(units) and units[end + 1].kind == "item" and _indent(text, units[end + 1].lead) > own:
        end += 1
    grown = text[begin : units[end].end]
    return replace(passage, text=grown, start=begin, end=units[end].end) if end > last else passage


def _pointing(units: Sequence[sentences.Sentence], first: int, text: str) -> dict[int, int]:
    """The places of the sentences that speak of the list that begins with ``units[first]``, in the paragraph right
    above it, with the place of the sentence each is to be shown from: "in these states" needs "the following states"
    before it."""
    found: dict[int, int] = {}
    if first >= len(units) or units[first].kind != "item":
        return found
    near: list[int] = []
    for at in range(first - 1, max(-1, first - 2 - _MOST_BETWEEN), -1):
        one = units[at]
        if one.kind != "sentence" or (at + 1 < first and text.count("\n", one.end, units[at + 1].start) > 1):
            break
        said = text[one.start : one.end]
        if _POINTS.search(said):
            found |= dict.fromkeys((*near, at), at)
            near = []
        elif _THESE.search(said):
            near.append(at)
    return found


def _indent(text: str, place: int) -> int:
    """The number of characters in front of ``place`` in its line."""
    return place - (text.rfind("\n", 0, place) + 1)


def _around(passage: Passage, text: str) -> list[sentences.Sentence]:
    """The units of ``text`` around ``passage``, with their places in it. A window begins and ends with a line."""
    begin = text.rfind("\n", 0, max(0, passage.start - AROUND)) + 1
    end = text.find("\n", min(len(text), passage.end + AROUND))
    return [
        replace(one, start=one.start + begin, end=one.end + begin, lead=one.lead + begin)
        for one in sentences.split(text[begin : end if end >= 0 else len(text)])
    ]


def _at(units: Sequence[sentences.Sentence], passage: Passage) -> int | None:
    return next((n for n, one in enumerate(units) if one.start <= passage.start < one.end), None)


def _ends(units: Sequence[sentences.Sentence], at: int) -> tuple[int, int]:
    """The first and the last item of the list of ``units[at]``."""
    first = last = at
    while first and units[first - 1].kind == "item":
        first -= 1
    while last + 1 < len(units) and units[last + 1].kind == "item":
        last += 1
    return first, last
