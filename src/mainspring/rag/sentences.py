"""Sentences with offsets: prose sentences, list items, headings and table rows, each a span of the text.

A block is what blank lines, headings, list markers and table rows separate; sentences never cross blocks. A table
row is a line that starts with a pipe. Lines that merely wrap belong to one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["sentence", "heading", "item", "row"]

_LINE = re.compile(r"[^\n]*\n?")
_HEADING = re.compile(r"#{1,6}\s+\S")
_ITEM = re.compile(r"(?:[-*+•‣◦▪–]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])[ \t]+(?=\S)")
_RULE = re.compile(r"[-=_*~|:+\s]{3,}$")
_FENCE = re.compile(r"(?:```|~~~)")
# An end of a sentence: its mark, closing quotes or brackets, then space.
_END = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？]+[」』”’）]*")
_OPENING = re.compile(r"\s+[\"'“‘«(\[]*(?P<first>\S)")
_WORD_BEFORE = re.compile(r"([^\s(\[\"'“‘]+)$")
_INITIALS = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]?$")

# Abbreviations that a capital letter often follows without a new sentence.
_TITLES = frozenset(
    "mr mrs ms dr prof sr jr st rev gen col lt capt sgt gov sen rep hon pres fig figs eq eqs sec secs ch chap vol "
    "incl excl no nos art "
    "p pp cf vs v al ed eds e.g i.e viz approx ca tel ext dept inc. op mt ft adm maj cmdr msgr".split()
)
# Abbreviations that end a sentence when a capital letter follows, and do not otherwise.
_LOOSE = frozenset("etc inc ltd co corp llc plc bros jan feb mar apr jun jul aug sep sept oct nov dec".split())


@dataclass(frozen=True, slots=True)
class Sentence:
    """``text[start:end]``, without surrounding white space, list marker, heading marks or outer pipes.

    ``lead`` is where its marker begins (``start`` without one): cut there, the rest keeps its kind.
    """

    start: int
    end: int
    kind: Kind
    lead: int


def split(text: str) -> list[Sentence]:
    """The sentences of ``text`` in order; they never overlap, and leave out only white space and markers."""
    found: list[Sentence] = []
    for block in _blocks(text):
        if block.kind in ("heading", "row"):
            found.append(block)
            continue
        lead = block.lead
        for start, end in _sentences(text, block.start, block.end):
            found.append(Sentence(start, end, block.kind, min(lead, start)))
            lead = len(text)
    return found


def _blocks(text: str) -> Iterator[Sentence]:
    """Each block, trimmed."""
    block: Sentence | None = None
    for match in _LINE.finditer(text):
        line = match.group()
        if not line:
            break
        stripped = line.strip()
        lead = match.start() + len(line) - len(line.lstrip())
        kind = _line_kind(stripped)
        if kind == "continued":
            end = lead + len(stripped)
            block = replace(block, end=end) if block else Sentence(lead, end, "sentence", lead)
            continue
        if block is not None:
            yield block
            block = None
        if kind == "heading":
            title = stripped.strip("# \t")
            if title:
                start = lead + stripped.index(title)
                yield Sentence(start, start + len(title), "heading", lead)
        elif kind == "row":
            cells = stripped.strip("| \t")
            if cells:
                start = lead + stripped.index(cells)
                yield Sentence(start, start + len(cells), "row", lead)
        elif kind == "item":
            marker = _ITEM.match(stripped)
            block = Sentence(lead + (marker.end() if marker else 0), lead + len(stripped), "item", lead)
    if block is not None:
        yield block


def _line_kind(stripped: str) -> str:
    if not stripped or _FENCE.match(stripped) or (len(stripped) >= 3 and _RULE.match(stripped)):
        return "blank"
    if _HEADING.match(stripped):
        return "heading"
    if stripped.startswith("|"):
        return "row"
    if _ITEM.match(stripped):
        return "item"
    return "continued"


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    begin = start
    for match in _END.finditer(text, start, end):
        stop = match.end()
        if stop >= end or not _ends_sentence(text, match, end):
            continue
        if text[begin:stop].strip():
            yield begin, stop
        begin = stop + len(text[stop:end]) - len(text[stop:end].lstrip()) if stop - begin else stop
    if text[begin:end].strip():
        yield begin, end


def _ends_sentence(text: str, match: re.Match[str], end: int) -> bool:
    if match.group()[0] in "。！？":
        return True
    opening = _OPENING.match(text, match.end(), end)
    if opening is None:
        return False
    first = opening["first"]
    if first.islower():
        return False
    if match.group().lstrip("…")[:1] != "." or len(match.group().rstrip("\"'”’»)]")) > 1:
        return True
    before = _WORD_BEFORE.search(text, max(0, match.start() - 40), match.start())
    word = before.group(1) if before else ""
    lowered = word.lower().rstrip(".")
    if lowered in _TITLES or (lowered == "inc" and first in ",;"):
        return False
    if lowered in _LOOSE:
        return first.isupper()
    # "J. Smith", "U.S. Army": an initial is no end, except "I" and a lone capital that closes a numbered label.
    if _INITIALS.fullmatch(word + ".") and word not in ("I",):
        return first.isupper() and "." in word and _starts_word(text, opening.start("first"))
    return True


_STARTERS = frozenset(
    "the a an in on at this that these those it he she they we you i his her its their our if when while after "
    "before however but and for with as there by from under during although since one most some many no not".split()
)


def _starts_word(text: str, at: int) -> bool:
    """Whether the word at ``at`` commonly begins a sentence (after "U.S. " say)."""
    match = re.compile(r"[A-Za-z]+").match(text, at)
    return bool(match) and match.group().lower() in _STARTERS  # type: ignore[union-attr]
