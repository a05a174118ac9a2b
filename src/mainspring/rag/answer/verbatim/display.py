"""Displays chosen passages: whole units, the value in bold, rows by their columns, code as code.

A passage is shown in its own words, except for Markdown marks; a row in its cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mainspring.core.types import Message
from mainspring.rag.answer.evidence.values import Value
from mainspring.rag.answer.verbatim import extract, item_parts, rows, whole_list, whole_table
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.answer.verbatim.question_kind import answering, asks, latest
from mainspring.rag.answer.verbatim.roles import key
from mainspring.rag.text import sentences, terms

_LEANS = re.compile(
    r"(?:this|that|these|those|it|its|they|their|he|she|his|her|such|both|however|but|otherwise|then|instead|therefore"
    r"|so|also|in (?:that|this|these|such|both) cases?|if so|if not|the (?:former|latter|same)"
    r"|after that|to do (?:so|this))\b",
    re.IGNORECASE,
)
_SEVERAL = re.compile(
    r"\b(?:all|every|each|list|name the|which (?:\w+ ){0,3}?\w+s\b|what (?:are|were) the|what \w+s (?:are|can|do|must)"
    r"|steps|ways|reasons|conditions|requirements|exceptions|kinds)\b",
    re.IGNORECASE,
)
_SEVERAL_VALUES = re.compile(r"\b(?:respectively|each|both)\b", re.IGNORECASE)
_MARK = re.compile(r"\[\d+\]")
# Where an editor wrapped a sentence: a long line ends within it, and no item, quote or row follows.
_WRAPPED = re.compile(r"(?<=[^\n]{40})(?<![\s\\.:;!?])[ \t]?\n[ \t]*(?=[^\s\-*+•>|#])(?!\d+[.)]\s)")
_FLOWS = re.compile(r"(?<=[a-zß-ÿ,])\n[ \t]*(?=[a-zß-ÿ])")
# Blank lines between items of a list.
_APART = re.compile(r"\n[ \t]*\n(?=[ \t]*(?:[-*+•‣◦▪■●○–]|\(?\w{1,3}[.)])[ \t])")
# The number of a clause in front of its text.
_CLAUSE = re.compile(r"[ \t]*\(?\d{1,3}(?:\.\d{1,3}){1,5}[.)]?\s")
# A link, and marks of quotes at the beginning of a line.
_LINK = re.compile(
    r"(?<!!)\[(?P<text>[^\[\]\n]{1,300})\]\((?P<to>[^()\s]*(?:\([^()\s]*\)[^()\s]*)?)(?: \"[^\"\n]*\")?\)"
)
_QUOTE = re.compile(r"^[ \t]*(?:>[ \t]?)+", re.MULTILINE)
# What a sentence has of a link that begins in the one before, the number of a clause in bold, and cells without text.
_HALF_LINK = re.compile(r"(?<=[\w.!?)])\]\((?:https?:|/|#|\.)[^()\s]{0,2000}\)")
_NUMBERED = re.compile(r"^[ \t]*(?:\*\*|__)(\(?\d{1,3}(?:\.\d{1,3}){0,5}[.)]?)(?:\*\*|__)(?=\s)", re.MULTILINE)
_BARE = re.compile(r"(?<![ \t|])(?:[ \t]*\|)+[ \t]*(?=$)|^[ \t]*(?:\|[ \t]*){2,}", re.MULTILINE)
_ASKS_ADDRESS = re.compile(
    r"\b(?:where|links?|urls?|web ?sites?|web|sites?|pages?|address(?:es)?|e-?mail|forms?|download\w*|online"
    r"|contact\w*)\b",
    re.IGNORECASE,
)
# A list of up to this many words is shown whole.
_LIST_WORDS = 60
_MOST_BOLD, _CLOSE, _BEHIND = 2, 40, 100
# A phrase of more words has values of several things.
_MEANT_WORDS = 6
_TELEPHONE = re.compile(r"(?<![\d-])(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}(?![\d-])")
_LEADS_TO = re.compile(r"\b(?:until|by|within|up to|at most|no later than|no more than|takes?|costs?) $", re.IGNORECASE)
_FOR = re.compile(r"\s*(?:for|per|in|if|when|to|at|on) ", re.IGNORECASE)
_DIGITS = re.compile(r"[\d.,]+")
# The lower end of a range, right in front of its upper end.
_RANGE = re.compile(
    r"(?<![\w.,])(?:[£$€]\s?)?(?:\d[\d.,]*|one|two|three|four|five|six|seven|eight|nine|ten|twelve)(?:\s?%)?"
    r"(?:\s?[-–—]\s?|\s(?:to|or)\s)(?:[£$€]\s?)?\Z",
    re.IGNORECASE,
)
_RANGE_LENGTH = 24
# The logit from which a reader is sure, set on development questions: from 0 on more near misses get a wrong phrase.
_SURE = 1.0
_CLOSING = " *_`\"'”’)]"
# A row without named columns is shown as a table if it has more than this many cells.
_PLAIN_CELLS = 3


@dataclass(frozen=True, slots=True)
class ShownPiece:
    """The displayed form of one or more passages. ``block``: it begins on a line of its own, and so does what
    follows."""

    text: str
    passages: tuple[Passage, ...]
    block: bool


def leans(sentence: str) -> bool:
    """Whether a sentence is not understood without the one before it."""
    return _LEANS.match(sentence) is not None


def several(question: str) -> bool:
    """Whether ``question`` asks for several things."""
    return _SEVERAL.search(question) is not None


def whole(passage: Passage, question: str, texts: Mapping[str, str], room: int) -> Passage:
    """``passage`` with the context that it needs, within ``room`` words: the sentence before one that refers to it, the
    rest of one that its chunk cuts, the label above an item, and all items of its list or lines of its paragraph if the
    question asks how something is done or for several things, or the heading above does."""
    text = texts[passage.hit.document_id]
    grown = passage
    if passage.kind == "item" and whole_list.answers(passage, question, text):
        grown = whole_list.of(passage, text, room)
    elif passage.kind in ("item", "sentence") and passage.text.rstrip(_CLOSING).endswith(":"):
        grown = whole_list.led(passage, text)
    elif passage.kind == "sentence" and (listed := whole_list.led(passage, text)) != passage:
        grown = listed
    elif passage.kind == "item" and (several(question) or asks(passage.heading)):
        grown = whole_list.of(passage, text)
    elif passage.kind == "item" and (told := item_parts.telling(passage, question)) is not None:
        return told
    elif passage.kind == "item" and item_parts.is_told_by_lead_in(passage, question):
        grown = whole_list.of(passage, text, room)
    elif passage.kind == "item":
        grown = _labelled(passage, text)
    elif passage.kind == "sentence" and several(question):
        grown = _paragraph(passage, text)
    elif passage.kind == "sentence" and passage.before and leans(passage.text):
        start = text.rfind(passage.before, max(0, passage.start - whole_list.AROUND), passage.start)
        between = text[start + len(passage.before) : passage.start]
        if start >= 0 and not between.strip() and "\n\n" not in between:
            grown = _span(passage, text, start, passage.end)
    elif passage.kind == "sentence":
        grown = _completed(passage, text)
    return item_parts.without_joint(grown if grown.words <= max(room, passage.words) else passage)


def grown(chosen: Sequence[Passage], question: str, texts: Mapping[str, str], words: int) -> list[Passage]:
    """``chosen`` (best first), each with its necessary context, as many as fit ``words``: a better passage is complete
    before the next is shown."""
    found: list[Passage] = []
    room = words
    for passage in chosen:
        # A table behind a better sentence is beside the point.
        whole_one = passage.kind == "row" and not found
        table = whole_table.of(passage, question, texts[passage.hit.document_id], room) if whole_one else []
        if table and len(extract.apart([*found, *table])) == len(found) + len(table):
            found += table
            room -= whole_table.words(table)
            continue
        each = whole(passage, question, texts, room)
        fits = extract.apart([*found, passage], [*found, each])[len(found) :]
        if fits and (fits[0].words <= room or not found):
            found += fits
            room -= fits[0].words
    return found


def repeated(shown: Sequence[ShownPiece], history: Sequence[Message]) -> bool:
    """Whether all that is ``shown`` was said before in ``history``."""
    said = [key(_MARK.sub("", message.content)) for message in history if message.role == "assistant"]
    return bool(shown) and all(any(key(_MARK.sub("", piece.text)) in each for each in said) for piece in shown)


def pieces(chosen: Sequence[Passage], question: str, first: int = 1) -> Iterator[ShownPiece]:
    """The displayed pieces of ``chosen``, in order; citations are numbered from ``first`` on."""
    parsed = [rows.parsed(each.text) if each.kind == "row" else None for each in chosen]
    titles = _titles(chosen)
    at = 0
    while at < len(chosen):
        passage, row = chosen[at], parsed[at]
        if row is None:
            yield _prose(passage, question, first + at, titles.get(at, ""))
            at += 1
            continue
        cells = rows.columns(row, question)
        if cells:
            told = rows.apart(row, rows.told(row, cells, question), [each for each in parsed if each is not None])
            shown = rows.short(row, told, plain=[cell for cell in told if cell not in cells])
            yield ShownPiece(f"{readable(shown, question)} [{first + at}]", (passage,), True)
            at += 1
            continue
        like = _alike(chosen[at:], question)
        if len(like) > 1 or len(row.cells) > _PLAIN_CELLS:
            numbers = range(first + at, first + at + len(like))
            shown = readable(rows.table([each for _, each in like], list(numbers)), question)
            yield ShownPiece(shown, tuple(one for one, _ in like), True)
        else:
            shown = readable(rows.full(row), question)
            yield ShownPiece(f"{shown} [{first + at}]", (passage,), True)
        at += len(like) if len(like) > 1 else 1


def bold(sentence: str, question: str, phrase: str = "", *, sure: bool = False) -> str:
    """``sentence`` with the value that answers ``question`` in bold, where that asks for one.

    ``phrase`` is what a reader takes for the answer: of several values it tells the one that is meant, and where the
    reader is ``sure`` that the sentence answers, it is in bold itself.
    """
    match = None
    if phrase and "**" not in phrase:
        # All of a number: a reader's tokens part "438.1" and "£5".
        match = re.search(rf"(?<![\w.,])[£$€]?(?:\d+[.,])*{re.escape(phrase)}(?:[.,:]\d+\w*)*+%?(?!\w)", sentence)
    begin, stop = match.span() if match and not _is_marked(sentence[: match.start()]) else (0, 0)
    spans, meant = _asked_values(sentence, question, begin, stop)
    if meant and len(sentence[begin:stop].split()) <= _MEANT_WORDS:
        spans = [(min(begin, spans[0][0]), max(stop, spans[-1][1]))]
    elif stop and sure and not meant and not any(span[0] < stop and begin < span[1] for span in spans):
        spans = [(begin, stop)]
    parts, place = [], 0
    for begin, stop in spans:
        parts += [sentence[place:begin], "**", sentence[begin:stop], "**"]
        place = stop
    return "".join([*parts, sentence[place:]])


def _asked_values(sentence: str, question: str, begin: int, stop: int) -> tuple[list[tuple[int, int]], bool]:
    """Where the values of ``sentence`` stand that ``question`` asks for, in order, and whether they are those that a
    reader means: of several, the ones in ``[begin:stop]`` if there are any."""
    clause = _CLAUSE.match(sentence)
    found = [value for value in answering(sentence, latest(question)) if clause is None or value.start >= clause.end()]
    inside = [value for value in found if value.start < stop and begin < value.end]
    meant = bool(inside) and _SEVERAL_VALUES.search(question) is None
    found = inside if meant else found
    if len(found) > _MOST_BOLD:
        found = [max(found, key=lambda value: _around(sentence, value, found, terms.content(question)))]
    spans: list[tuple[int, int]] = []
    numbers = [match.span() for match in _TELEPHONE.finditer(sentence)]
    for value in found:
        if any(begin < value.end and value.start < stop for begin, stop in numbers):
            # A part of a telephone number is no value.
            continue
        start, end = value.start, value.start + len(value.text.rstrip())
        if "\n" in value.text.strip():
            # "For one" at a line's end and "Week 4" in the next are no value.
            continue
        lower = _RANGE.search(sentence, max(spans[-1][1] if spans else 0, start - _RANGE_LENGTH), start)
        start = lower.start() if lower else start
        if not _is_marked(sentence[:start]):
            spans.append((start, end))
    return spans, meant and bool(spans)


def _is_marked(before: str) -> bool:
    """Whether what follows ``before`` is within code, bold text or an address."""
    within = before.count("`") % 2 == 1 or before.count("**") % 2 == 1
    return within or (not before[-1:].isspace() and any("://" in word for word in before.split()[-1:]))


def _around(sentence: str, value: Value, others: Sequence[Value], asked: frozenset[str]) -> int:
    """How many words of the question are close to ``value``: behind it up to the next of ``others`` where what it is
    for stands there ("$30 for students"), else also in front of it."""
    stop = min((each.start for each in others if each.start >= value.end), default=len(sentence))
    behind = sentence[value.end : min(stop, value.end + _BEHIND)]
    said = behind
    if not _FOR.match(behind):
        begin = max((each.end for each in others if each.end <= value.start), default=0)
        said = f"{sentence[max(begin, value.start - _CLOSE) : value.start]} {behind[:_CLOSE]}"
    return len(terms.content(said) & asked) + 2 * bool(_LEADS_TO.search(sentence[: value.start]))


def _titles(chosen: Sequence[Passage]) -> dict[int, str]:
    """The headings of those of ``chosen``, by number, that differ from another in their numbers alone: of two lines
    "Family £94" and "Family £224", the sections say for what each is."""
    forms = [_DIGITS.sub("", each.text) if each.kind in ("sentence", "item") else "" for each in chosen]
    heads = [each.heading.rpartition(" > ")[2] for each in chosen]
    return {
        at: heads[at]
        for at, form in enumerate(forms)
        if form and heads[at] and any(form == other and heads[at] != heads[n] for n, other in enumerate(forms))
    }


def _prose(passage: Passage, question: str, number: int, title: str = "") -> ShownPiece:
    if passage.kind == "code":
        return ShownPiece(f"```\n{passage.text}\n```\n[{number}]", (passage,), True)
    # A line that ends without a mark stands alone, as in a price list.
    block = passage.kind != "sentence" or passage.text.rstrip(_CLOSING)[-1:].isalnum()
    shown = readable(_BARE.sub("", _APART.sub("\n", unwrapped(passage.text))), question)
    if passage.kind == "row":
        # Cells without names: the first names the subject of the figures after it.
        cells = [cell.strip() for cell in passage.text.split("|") if cell.strip()]
        first = cells[:1] if rows.keyed(passage.text) else []
        shown = readable(": ".join([*first, "; ".join(cells[len(first) :])]), question)
    lead = item_parts.lead_in(passage)
    told = bold(shown, question, passage.phrase, sure=(passage.answers or 0.0) >= _SURE)
    more, under = " …" if _is_cut(passage) else "", f"{readable(title, question)}: " if title else ""
    under += f"{readable(unwrapped(lead), question)} " if lead else ""
    return ShownPiece(f"{under}{told}{more} [{number}]", (passage,), block)


def _is_cut(passage: Passage) -> bool:
    """Whether what follows ``passage`` in its line belongs to it."""
    rest = passage.hit.text[max(0, passage.end - passage.hit.start) :]
    goes_on = rest.split("\n", 1)[0].strip(" |*_`\"'”’)")
    if passage.kind == "item" and item_parts.is_joint(goes_on):
        return False
    return bool(goes_on) and passage.text.rstrip(_CLOSING)[-1:] not in ".!?…:。！？"


def readable(text: str, question: str) -> str:
    """``text`` without marks that nothing renders beside its answer: those of quotes, and the targets of links unless
    ``question`` asks for an address."""
    text = _NUMBERED.sub(r"\1", _QUOTE.sub("", text))
    if _ASKS_ADDRESS.search(question):
        return text
    return _HALF_LINK.sub("", _LINK.sub(lambda match: match["text"], text))


def unwrapped(text: str) -> str:
    """``text`` without the line breaks at which its source was wrapped; those of lists, rows and short lines stay."""
    return _FLOWS.sub(" ", _WRAPPED.sub(" ", text))


def _alike(passages: Sequence[Passage], question: str) -> list[tuple[Passage, rows.Row]]:
    """The first of ``passages`` and those right behind it that are rows of the same table, none with chosen columns."""
    found: list[tuple[Passage, rows.Row]] = []
    for passage in passages:
        row = rows.parsed(passage.text) if passage.kind == "row" else None
        if row is None or rows.columns(row, question):
            break
        same = not found or (
            passage.hit.document_id == found[0][0].hit.document_id
            and [cell.name for cell in row.cells] == [cell.name for cell in found[0][1].cells]
        )
        if not same:
            break
        found.append((passage, row))
    return found


def _labelled(passage: Passage, text: str) -> Passage:
    """An item with its label ("August 6" above "the service ends"), and the text between."""
    begin = max(0, passage.start - whole_list.AROUND)
    label = text.rfind(passage.before, begin, passage.start) if passage.before else -1
    line = text.rfind("\n", 0, passage.start) + 1
    if label < 0 or "\n" not in text[label : passage.start] or passage.before.rstrip().endswith(":"):
        return passage
    over = text.rfind("\n", 0, label) + 1
    nested = _indent(text, over) < _indent(text, line) and "\n\n" not in text[label : passage.start]
    grown = _span(passage, text, label, passage.end)
    return grown if nested and grown.words <= _LIST_WORDS else passage


def _indent(text: str, line: int) -> int:
    """How far the line that begins at ``line`` is indented."""
    end = text.find("\n", line)
    own = text[line : end if end >= 0 else len(text)]
    return len(own) - len(own.lstrip())


def _completed(passage: Passage, text: str) -> Passage:
    """The whole sentence, where its chunk begins or ends within it."""
    if passage.start > passage.hit.start and passage.end < passage.hit.end:
        return passage
    begin = text.rfind("\n\n", max(0, passage.start - whole_list.AROUND), passage.start) + 1
    end = text.find("\n\n", passage.end, passage.end + whole_list.AROUND)
    window = text[begin : end if end >= 0 else passage.end + whole_list.AROUND]
    for one in sentences.split(window):
        start, stop = one.start + begin, one.end + begin
        if start <= passage.start and passage.end <= stop and one.kind == "sentence":
            return _span(passage, text, start, stop)
    return passage


def _paragraph(passage: Passage, text: str) -> Passage:
    """A sentence with the lines behind it in its paragraph, which are as good as a list where lines lead in to them."""
    end = text.find("\n\n", passage.end)
    rest = text[passage.end : end if end >= 0 else len(text)].rstrip()
    lines = [line for line in rest.split("\n") if line.strip()]
    leads = ":\n" in passage.text or passage.text.rstrip().endswith(":")
    grown = _span(passage, text, passage.start, passage.end + len(rest))
    return grown if leads and len(lines) > 1 and grown.words <= 2 * _LIST_WORDS else passage


def _span(passage: Passage, text: str, start: int, end: int) -> Passage:
    return replace(passage, text=text[start:end], start=start, end=end)
