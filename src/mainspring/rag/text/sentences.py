"""Sentences with offsets: prose sentences, list items, headings, table rows and code, each a span of the text.

A block is what blank lines, headings, list markers, fences and table rows separate; sentences never cross blocks. A
table row is a line that starts with a pipe. Lines that merely wrap belong to one sentence. A list item is one unit
with all its sentences and its indented paragraphs, and so is fenced code, unless they are long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mainspring.rag.answer.verbatim.roles import Role, key, repeats, role_of

__all__ = ["Kind", "Role", "Sentence", "key", "repeats", "role_of", "split"]

Kind = Literal["sentence", "heading", "item", "row", "code"]

# A longer item is shown sentence by sentence, longer code in parts: characters.
_WHOLE_ITEM = 600
_WHOLE_CODE = 1500

_SAYS_YES_OR_NO = re.compile(r"(?:yes|no)[.!]", re.IGNORECASE)
_LINE = re.compile(r"[^\n]*\n?")
_HEADING = re.compile(r"#{1,6}\s+\S")
_ITEM = re.compile(
    # "(701) 461-2232" is a telephone number.
    r"(?!\(\d{3}\)[ \t]+\d{3}[ \t.-]\d{4}(?!\d))"
    r"(?:[-*+•‣◦▪■●○–]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)]|\((?:ii|iii|iv|vi|vii|viii|ix|xi|xii)\))[ \t]+(?=\S)(?![A-Z]\.)"
)
_RULE = re.compile(r"[-=_*~|:+\s]{3,}$")
_FENCE = re.compile(r"^[ \t]*+(`{3,}+|~{3,}+)[ \t]*+([^`\n]*+)$", re.MULTILINE)
_CODE_LINE = re.compile(r"[{};=<>\[\]\\]|\w\(|^\s{2,}\S|^[$#%>]")
# Marks that end a sentence whatever follows: Chinese and Japanese, danda, Arabic and Urdu, Ethiopic, Armenian, Burmese,
# Khmer.
_PLAIN_MARKS = "。！？｡．।॥؟۔።፧։။។"
_DENSE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
# An end of a sentence: its mark, closing quotes or brackets, then space (none if words have none between them;
# a full-width point between digits is a decimal one).
_END = re.compile(
    rf"(?<![.!?…])[.!?…]+[\"'”’»)\]]*(?=\s)|(?<![!?])[!?]+(?=[{_DENSE}])"
    rf"|(?!(?<=\d)．\d)[{_PLAIN_MARKS}]+[」』”’）»)\"']*"
)
# A quotation that continues in its sentence: 「はい。」と言った。
_GOES_ON = re.compile(r"\s*[とっは、，,;；]")
_OPENING = re.compile(r"\s+[\"'“‘«(\[]*(?P<first>\S)")
_WORD_BEFORE = re.compile(r"([^\s(\[\"'“‘]+)$")
# "ITEM 7. RISKS": the number of a part at the beginning of a line.
_PART = re.compile(
    r"^[ \t]*(?:item|part|section|chapter|note|article|clause|annex|appendix|schedule|exhibit|table|figure)[ ]+\Z",
    re.IGNORECASE | re.MULTILINE,
)
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

    ``lead`` is where its marker begins (``start`` without one): cut there, the rest keeps its kind. ``role`` says what
    it can be used for (``roles``).
    """

    start: int
    end: int
    kind: Kind
    lead: int
    role: Role = "statement"

    @property
    def showable(self) -> bool:
        """Whether it may be shown as an answer."""
        return self.role == "statement"


def split(text: str) -> list[Sentence]:
    """The sentences of ``text`` in order; they never overlap, and leave out only white space and markers."""
    found: list[Sentence] = []
    for block in _blocks(text):
        spans = _spans(text, block)
        alone = len(spans) == 1 and "\n" not in text[block.start : block.end]
        lead = block.lead
        for start, end in spans:
            role = role_of(text[start:end], block.kind, alone=alone)
            found.append(Sentence(start, end, block.kind, min(lead, start), role))
            lead = len(text)
    return found


def _spans(text: str, block: Sentence) -> list[tuple[int, int]]:
    """The units of a block."""
    length = block.end - block.start
    if block.kind in ("heading", "row") or (block.kind == "item" and length <= _WHOLE_ITEM):
        return [(block.start, block.end)]
    if block.kind == "code":
        return [(block.start, block.end)] if length <= _WHOLE_CODE else _parts(text, block.start, block.end)
    spans = list(_sentences(text, block.start, block.end))
    if len(spans) > 1 and _SAYS_YES_OR_NO.fullmatch(text, *spans[0]):
        # "Yes. Once a year." is one answer.
        spans[:2] = [(spans[0][0], spans[1][1])]
    return spans


def _parts(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Long code in parts: split before lines at the margin after a blank line, else between lines."""
    parts: list[tuple[int, int]] = []
    begin = last = start
    blank = False
    for match in _LINE.finditer(text, start, end):
        line = match.group()
        if not line.strip():
            blank = True
            continue
        at = match.start() + len(line) - len(line.lstrip())
        stop = match.start() + len(line.rstrip())
        if at > begin and (stop - begin > _WHOLE_CODE or (blank and not line[0].isspace())):
            parts.append((begin, last))
            begin = at
        last, blank = stop, False
    return [*parts, (begin, last)]


def _blocks(text: str) -> Iterator[Sentence]:
    """Each block, trimmed."""
    at = 0
    for code in _fenced(text):
        yield from _prose_blocks(text, at, code.lead)
        if code.start < code.end:
            yield Sentence(code.start, code.end, "code", code.lead)
        at = code.until
    yield from _prose_blocks(text, at, len(text))


def _prose_blocks(text: str, begin: int, stop: int) -> Iterator[Sentence]:
    """The blocks of ``text[begin:stop]``, which has no fences."""
    block: Sentence | None = None
    gap = False
    for match in _LINE.finditer(text, begin, stop):
        line = match.group()
        if not line:
            break
        stripped = line.strip()
        lead = match.start() + len(line) - len(line.lstrip())
        kind = _line_kind(stripped)
        if kind == "blank" and block is not None and _underlines(text, block, match.start(), stripped):
            yield replace(block, kind="heading")
            block = None
            continue
        if not stripped and block is not None and block.kind == "item":
            # The item may continue in an indented paragraph.
            gap = True
            continue
        if kind == "continued" and not (gap and not _goes_on(text, block, lead, stop)):
            end = lead + len(stripped)
            block = replace(block, end=end) if block else Sentence(lead, end, "sentence", lead)
            gap = False
            continue
        if block is not None:
            yield block
            block = None
        gap = False
        if kind == "continued":
            block = Sentence(lead, lead + len(stripped), "sentence", lead)
        elif kind == "heading":
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


def _underlines(text: str, block: Sentence, at: int, stripped: str) -> bool:
    """Whether the line at ``at`` makes the single line above it a heading."""
    single = block.kind == "sentence" and "\n" not in text[block.start : at].rstrip(" ")[:-1]
    return single and len(stripped) >= 3 and stripped == stripped[0] * len(stripped) and stripped[0] in "=-"


def _goes_on(text: str, item: Sentence | None, lead: int, stop: int) -> bool:
    """Whether the paragraph at ``lead``, behind a blank line, is part of the item: indented, and not too long."""
    if item is None:
        return False
    indent = lead - (text.rfind("\n", 0, lead) + 1)
    end = text.find("\n\n", lead, stop)
    long = (end if end >= 0 else stop) - item.start > _WHOLE_ITEM
    return indent > item.lead - (text.rfind("\n", 0, item.lead) + 1) and not long


def _line_kind(stripped: str) -> str:
    if not stripped or (len(stripped) >= 3 and _RULE.match(stripped)):
        return "blank"
    if _HEADING.match(stripped):
        return "heading"
    if stripped.startswith("|"):
        return "row"
    if _ITEM.match(stripped):
        return "item"
    return "continued"


@dataclass(frozen=True, slots=True)
class _Code:
    """Fenced code: ``text[start:end]`` is the code between the fences, ``text[lead:until]`` includes them."""

    lead: int
    start: int
    end: int
    until: int


def _fenced(text: str) -> list[_Code]:
    """The fenced blocks of a text. A part of a document may begin or end within one."""
    fences = list(_FENCE.finditer(text))
    found, unclosed, odd = _paired(text, fences)
    if fences and not fences[0][2] and (odd or (unclosed and _begins_within(text, fences))):
        found, unclosed, _ = _paired(text, fences[1:])
        found.insert(0, _code(text, 0, 0, fences[0].start(), fences[0].end()))
    if unclosed is not None:
        found.append(_code(text, unclosed.start(), unclosed.end(), len(text), len(text)))
    return found


def _paired(text: str, fences: Sequence[re.Match[str]]) -> tuple[list[_Code], re.Match[str] | None, bool]:
    """(the blocks between pairs of fences, the unclosed fence, whether an opening fence is inside a block)."""
    found: list[_Code] = []
    opening: re.Match[str] | None = None
    odd = False
    for fence in fences:
        if opening is None:
            opening = fence
        elif fence[1].startswith(opening[1]) and not fence[2]:
            found.append(_code(text, opening.start(), opening.end(), fence.start(), fence.end()))
            opening = None
        else:
            odd = odd or fence[1][0] == opening[1][0]
    return found, opening, odd


def _begins_within(text: str, fences: Sequence[re.Match[str]]) -> bool:
    """Whether a text with an odd number of fences begins within code, rather than ends there."""
    before, after = text[: fences[0].start()], text[fences[-1].end() :]
    return bool(before.strip()) and (not after.strip() or _codelike(before) > _codelike(after))


def _codelike(text: str) -> float:
    """The share of lines that look like code."""
    lines = [line for line in text.split("\n") if line.strip()]
    return sum(bool(_CODE_LINE.search(line)) for line in lines) / max(1, len(lines))


def _code(text: str, lead: int, begin: int, stop: int, until: int) -> _Code:
    body = text[begin:stop]
    start = begin + len(body) - len(body.lstrip())
    return _Code(lead, start, max(start, begin + len(body.rstrip())), until)


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
    if word and _PART.search(text, max(0, at - 20), at):
        return False
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
    """The letters from ``at`` on; empty if there are none."""
    match = _LETTERS.match(text, at)
    return match.group() if match else ""
