"""Items of lists shown as answers: with the words that lead in to them, or only the sentence of them that answers.

"Subscription coffee, and" says nothing without "A card cannot pay for:", and of a long explanation of an option the
last sentence has its default.
"""

from __future__ import annotations

import re
from dataclasses import replace

from mainspring.rag.answer.verbatim import question_kind, unit_place
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.text import sentences, terms

_MOST_LEAD = 24
# Shorter items are shown whole, and shorter ones that begin in small letters are names.
_LONG, _CLAUSE = 30, 5
_CLOSING = " *_`\"'”’)]"
_DEFAULT = re.compile(r"\bdefaults?\b", re.IGNORECASE)
_ITEM = re.compile(r"\n[ \t]*(?:[-*+•◦▪–]|\(?\w{1,3}[.)])\s|\n[ \t]*\n")
_JOINT = re.compile(r"(?:[,;][ \t]*(?:and|or)|[;,])[ \t]*$", re.MULTILINE)
# A list answers if the line that leads in to it has this share of the question's words.
_OVER = 0.75


def lead_in(passage: Passage) -> str:
    """The words that ``passage`` goes on from, ending in a colon, where it is not understood without them; else
    empty."""
    lead = passage.before.strip()
    if not lead.endswith(":") or len(lead.split()) > _MOST_LEAD or lead in passage.text:
        return ""
    # "mp3gain (MP3 only)" is a name, and understood.
    joined = _JOINT.match(passage.hit.text, max(0, passage.end - passage.hit.start)) is not None
    goes_on = passage.text.lstrip("*_`\"'“(")[:1].islower() and (passage.words >= _CLAUSE or joined)
    return lead if goes_on or _is_part(passage) else ""


def without_joint(passage: Passage) -> Passage:
    """``passage``, an item, without what joins it to the next one of its list (", and")."""
    joint = _JOINT.search(passage.text) if passage.kind == "item" and "\n" not in passage.text.strip() else None
    if joint is None or not joint.start():
        return passage
    return replace(passage, text=passage.text[: joint.start()], end=passage.start + joint.start())


def is_joint(rest: str) -> bool:
    """Whether ``rest``, what follows an item in its line, only joins it to the next one."""
    return _JOINT.fullmatch(rest) is not None


def telling(passage: Passage, question: str) -> Passage | None:
    """The only sentence of a long item that has what ``question`` asks for, under the item's label; None if there is
    none, or more than one, or if its chunk cuts it."""
    if passage.words <= _LONG or "\n\n" in passage.text:
        return None
    label = unit_place.opening(passage.text)
    if not label:
        return None
    last = question.rpartition("\n")[2]
    body = passage.text[len(label) :]
    parts = [(one, body[one.start : one.end]) for one in sentences.split(body) if one.kind == "sentence"]
    asks_default = _DEFAULT.search(last) is not None
    found = [
        one for one, text in parts if (_DEFAULT.search(text) if asks_default else question_kind.answering(text, last))
    ]
    if len(parts) < 2 or len(found) != 1:
        return None
    asked = terms.content(last)
    if not asks_default and not terms.content(body[found[0].start : found[0].end]) & (asked - terms.content(label)):
        return None
    start, end = (len(label) + at for at in (found[0].start, found[0].end))
    if not passage.text[start:end].rstrip(_CLOSING).endswith((".", "!", "?", "。")):
        return None
    return replace(
        passage,
        text=passage.text[start:end],
        start=passage.start + start,
        end=passage.start + end,
        before=label,
    )


def is_told_by_lead_in(passage: Passage, question: str) -> bool:
    """Whether the line over the list of ``passage`` has nearly all words of ``question``, and the item adds none: all
    items of the list answer it."""
    asked = terms.content(question.rpartition("\n")[2])
    lead = passage.before.strip()
    if not lead.endswith(":") or not asked:
        return False
    over = terms.content(lead) & asked
    return len(over) >= _OVER * len(asked) and not terms.content(passage.text) & asked - over


def _is_part(passage: Passage) -> bool:
    """Whether ``passage`` is a sentence of an item whose label is in front of it."""
    place = passage.start - passage.hit.start
    label = passage.hit.text.rfind(passage.before, 0, max(0, place))
    between = passage.hit.text[label + len(passage.before) : max(0, place)]
    short = len(passage.before.split()) <= unit_place.LABEL_WORDS
    return passage.kind == "item" and label >= 0 and bool(between.strip()) and short and not _ITEM.search(between)
