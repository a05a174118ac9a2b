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
_ITEM = re.compile(r"(?:[-*+•‣◦▪–]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])[ \t]+(?=\S)(?![A-Z]\.)")
_RULE = re.compile(r"[-=_*~|:+\s]{3,}$")
_FENCE = re.compile(r"(?:```|~~~)")
# Marks that end a sentence whatever follows: Chinese and Japanese, danda, Arabic and Urdu, Ethiopic, Armenian, Burmese,
# Khmer.
_PLAIN_MARKS = "。！？｡．।॥؟۔።፧։။។"
_DENSE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
# An end of a sentence: its mark, closing quotes or brackets, then space (none where words have none between them;
# a full-width point between digits is a decimal one).
_END = re.compile(
    rf"[.!?…]+[\"'”’»)\]]*(?=\s)|[!?]+(?=[{_DENSE}])"
    rf"|(?!(?<=\d)．\d)[{_PLAIN_MARKS}]+[」』”’）»)\"']*"
)
# A quotation that goes on in its sentence: 「はい。」と言った。
_GOES_ON = re.compile(r"\s*[とっは、，,;；]")
_OPENING = re.compile(r"\s+[\"'“‘«(\[]*(?P<first>\S)")
_WORD_BEFORE = re.compile(r"([^\s(\[\"'“‘]+)$")
_INITIALS = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]?$")
_SPACE = re.compile(r"\s*")
_LETTERS = re.compile(r"[^\W\d_]+")

# Abbreviations that a capital letter often follows without a new sentence.
_TITLES = frozenset(
    "mr mrs ms dr prof sr jr st rev gen col lt capt sgt gov sen rep hon pres fig figs eq eqs sec secs ch chap vol "
    "incl excl p pp cf vs v al ed eds e.g i.e viz approx ca tel ext dept inc. op mt ft adm maj cmdr msgr "
    "sra srta dra mme mlle nr bzw bspw vgl inkl zzgl ggf abb hrsg г ул стр рис им".split()
)
# Abbreviations that are words as well: only a number makes them abbreviations.
_NUMBERED = frozenset("no nos art nr".split())
# Abbreviations that end a sentence when a capital letter follows, and do not otherwise.
_LOOSE = frozenset("etc inc ltd co corp llc plc bros jan feb mar apr jun jul aug sep sept oct nov dec usw".split())
# "Am 3. Oktober": a point makes a number an ordinal before these.
_MONTHS = frozenset("januar februar märz april mai juni juli august september oktober november dezember".split())


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
        begin = _next_word(text, stop, end)
    if text[begin:end].strip():
        yield begin, end


def _next_word(text: str, at: int, end: int) -> int:
    match = _SPACE.match(text, at, end)
    return match.end() if match else at


def _ends_sentence(text: str, match: re.Match[str], end: int) -> bool:
    mark = match.group()
    if mark[0] in _PLAIN_MARKS:
        closed = mark[-1] not in _PLAIN_MARKS
        return not (closed and _GOES_ON.match(text, match.end(), end))
    opening = _OPENING.match(text, match.end(), end)
    if opening is None:
        # Without space only where words have none: the expression has seen to it.
        return not text[match.end() : match.end() + 1].isspace()
    first = opening["first"]
    following = _word_at(text, opening.start("first"))
    # "iPads fell." and addresses begin a sentence, "goes on" does not; ". . ." is one mark.
    opens = following[1:2].isupper() or following in ("www", "http", "https")
    if first == "." or (first.islower() and not opens):
        return False
    if mark.lstrip("…")[:1] != "." or len(mark.rstrip("\"'”’»)]")) > 1:
        return True
    before = _WORD_BEFORE.search(text, max(0, match.start() - 40), match.start())
    word = before.group(1) if before else ""
    return _ends_at_point(text, match.start() - len(word), word, first, following)


def _ends_at_point(text: str, at: int, word: str, first: str, following: str) -> bool:
    """Whether the point behind ``word``, which starts at ``at``, ends a sentence where ``following`` comes next."""
    lowered = word.lower().rstrip(".")
    if lowered in _NUMBERED:
        return not first.isdigit()
    if lowered in _TITLES or (lowered == "inc" and first in ",;"):
        return False
    if lowered in _LOOSE:
        return first.isupper()
    if word.isdigit() and len(word) < 3 and following.lower() in _MONTHS:
        return False
    # "J. Smith", "U.S. Army": an initial is no end, except "I" and what a common first word follows ("Vitamin C. It").
    if _INITIALS.fullmatch(word + ".") and word not in ("I",):
        # Behind a word with one space, not at the start of a line: "A. The first choice".
        within = "." in word or text[max(0, at - 2) : at].rstrip(" ").isalnum()
        return first.isupper() and within and following.lower() in _STARTERS
    return True


_STARTERS = frozenset(
    "the a an in on at this that these those it he she they we you i his her its their our if when while after "
    "before however but and for with as there by from under during although since one most some many no not nothing "
    "both each all every another so then thus yet also here what who why how where my even such only".split()
)


def _word_at(text: str, at: int) -> str:
    """The letters from ``at`` on; empty where there are none."""
    match = _LETTERS.match(text, at)
    return match.group() if match else ""
