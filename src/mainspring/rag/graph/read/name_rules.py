"""Names in a sentence, by rules: capitalised words, codes, dates, amounts, and compound terms.

English and languages that write names as it does; where every noun is capitalised (German) names are found among
them, and scripts without capitals have none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mainspring.rag.graph.read.graph_model import Kind
from mainspring.rag.text import terms

_MONTH = (
    "(?:January|February|March|April|May|June|July|August|September|October|November|December"
    "|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)"
)
_DATE = re.compile(
    rf"\b(?:\d{{1,2}}(?:st|nd|rd|th)?\s+{_MONTH}\.?,?\s+\d{{3,4}}|{_MONTH}\.?\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{3,4}}"
    rf"|{_MONTH}\s+\d{{3,4}}|\d{{4}}-\d\d-\d\d)\b"
)
_AMOUNT = re.compile(
    r"[£$€¥]\s?\d[\d,]*(?:\.\d+)?(?:\s?(?:million|billion|thousand|m|bn|k)\b)?"
    # It does not begin within a number: "1,1,1,..." would be read to its end from each of its digits.
    r"|\b(?<![\d,],)\d[\d,]*(?:\.\d+)?\s?"
    r"(?:%|(?:percent|(?:working |business |calendar )?(?:second|minute|hour|day|week|month|year)s?"
    r"|kilomet(?:er|re)s?|met(?:er|re)s?|miles?|feet|km|cm|mm|kg|g|mg|lb|litres?|liters?|ml|GB|MB|TB|euros?|dollars?"
    r"|pounds?|people|inhabitants|employees)\b)",
)
_CODE = re.compile(
    r"\b(?:[A-Z]{1,6}[-/]?\d{1,6}[A-Z]?(?:-\d{1,4})?|[a-z]+(?:_[a-z0-9]+)+(?:\(\))?|[a-z]+(?:[A-Z][a-z0-9]+)+"
    r"|[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]+){1,5}|[A-Z]+(?:_[A-Z0-9]+)+)(?![\w-])"
)
_TOKEN = re.compile(r"[^\W_]+(?:['’&.-][^\W_]+)*")
_INSIDE = frozenset("of the de la le van von der den del di da du dos das al el bin ibn y".split())
_ABBREVIATED = frozenset("mr mrs ms dr st jr sr prof gen col capt sgt lt rev hon mt ft no".split())
# Capitalised at the beginning of sentences, and no part of a name there.
_OPENING = frozenset(
    "however although though since despite unlike like until upon within without whether either neither both several "
    "many most some all any each every few other another such there here now then once twice first second third later "
    "earlier today currently originally finally eventually initially additionally furthermore moreover meanwhile "
    "instead please see note never always often sometimes usually only even still yet according based following "
    "including during between among along around near inside outside above below under over across through against "
    "toward towards two three four five six seven eight nine ten one none nobody everyone someone anyone what which "
    "who whom whose when where why how yes no thus hence therefore because unless except per via plus".split()
)
# Offices: "the CEO of X Corp" names two things, a role and an organisation.
ROLES = frozenset(
    "ceo cfo cto coo cio cmo cso cpo president vice-president chairman chairwoman chairperson chair director head "
    "founder co-founder cofounder mayor minister secretary governor owner captain manager treasurer principal editor "
    "author leader commissioner ambassador chancellor dean king queen prince emperor capital".split()
)
_PRONOUNS = frozenset("he she his her".split())
_LONGEST = 8
_LONGEST_PHRASE = 4


@dataclass(frozen=True, slots=True)
class FoundName:
    """``text[start:end]`` is a name of this kind. ``unsure``: one word that begins a sentence, capitalised anyway."""

    name: str
    kind: Kind
    start: int
    end: int
    unsure: bool = False


def names(text: str, start: int, end: int, *, phrases: bool = True) -> list[FoundName]:
    """The names in ``text[start:end]``, a sentence or a cell: in order, without overlaps."""
    found = [
        FoundName(_clean(match.group()), kind, match.start(), match.end())
        for kind, pattern in _PATTERNS
        for match in pattern.finditer(text, start, end)
    ]
    taken = _apart(found)
    found = list(taken)
    tokens = [match for match in _TOKEN.finditer(text, start, end) if not _within(match, taken)]
    used: set[int] = set()
    at = 0
    while at < len(tokens):
        stop = _run(text, tokens, at)
        if stop == at:
            at += 1
            continue
        made = _name(text, tokens[at:stop], at == 0 or _opens(text, tokens[at].start(), start))
        if made is not None:
            found.append(made)
            used.update(range(at, stop))
        at = stop
    if phrases:
        found += _phrases(text, tokens, used)
    return sorted(found, key=lambda each: each.start)


def pronoun(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Where a sentence opens with a pronoun for a person."""
    match = _TOKEN.search(text, start, end)
    if match is None or match.group().lower() not in _PRONOUNS:
        return None
    return match.start(), match.end()


def titled(line: str) -> bool:
    """Whether a heading is capitalised like a name."""
    words = [word for word in _TOKEN.findall(line) if word.lower() not in _INSIDE and not terms.stops(word.lower())]
    return bool(words) and all(word[0].isupper() or word[0].isdigit() for word in words)


def _apart(found: list[FoundName]) -> list[FoundName]:
    """The longest of those that overlap."""
    kept: list[FoundName] = []
    for each in sorted(found, key=lambda one: (one.start - one.end, one.start)):
        if all(each.end <= other.start or each.start >= other.end for other in kept):
            kept.append(each)
    return kept


def _within(match: re.Match[str], taken: list[FoundName]) -> bool:
    return any(each.start < match.end() and match.start() < each.end for each in taken)


def _opens(text: str, at: int, start: int) -> bool:
    """Whether only quotes and brackets, or a colon, precede ``at``."""
    before = text[max(start, at - 3) : at].rstrip(" \"'“‘(")
    return not before or before[-1] in ":;—"


def _capital(token: str) -> bool:
    return token[0].isupper() or (token[0].isdigit() and any(letter.isupper() for letter in token))


def _run(text: str, tokens: list[re.Match[str]], at: int) -> int:
    """The index after the last token of the name that starts with token ``at``; ``at`` if none does."""
    if not _capital(tokens[at].group()):
        return at
    stop = at + 1
    while stop < len(tokens) and stop - at < _LONGEST:
        last, token = tokens[stop - 1], tokens[stop]
        gap = text[last.end() : token.start()]
        if gap == " " or (gap == ". " and (len(last.group()) == 1 or last.group().lower() in _ABBREVIATED)):
            word = token.group()
            if word.lower() in ROLES and last.group().endswith(("'s", "’s")):
                break
            if _capital(word) or (word.isdigit() and len(word) <= 3):
                stop += 1
                continue
            office = tokens[stop - 1].group().lower() in ROLES
            joined = stop if office and token.group() == "of" else _joined(text, tokens, stop)
            if joined > stop:
                stop = joined
                continue
        break
    return stop


def _joined(text: str, tokens: list[re.Match[str]], at: int) -> int:
    """The index after words such as "of" and "de la" and the capitalised word that follows; ``at`` if there are no such
    words."""
    place = at
    while place < len(tokens) and place < at + 2 and tokens[place].group() in _INSIDE:
        place += 1
    if place == at or place >= len(tokens):
        return at
    gaps = [text[tokens[i].end() : tokens[i + 1].start()] for i in range(at, place)]
    return place + 1 if all(gap == " " for gap in gaps) and _capital(tokens[place].group()) else at


def _name(text: str, run: list[re.Match[str]], opening: bool) -> FoundName | None:
    while run and (terms.stops(run[0].group().lower()) or (opening and run[0].group().lower() in _OPENING)):
        run, opening = run[1:], False
    while run and (run[-1].group().lower() in _INSIDE or run[-1].group() == "I"):
        run = run[:-1]
    if not run:
        return None
    start, end = run[0].start(), run[-1].end()
    name = _clean(text[start:end])
    if all(each.group().lower() in ROLES for each in run):
        # An office relates a person to the name after it.
        return None
    if len(name) < 2 or (len(run) == 1 and name.lower() in _ABBREVIATED):
        return None
    short = len(run) == 1 and name.isupper() and 2 <= len(name) <= 6 and name.isalpha()
    return FoundName(name, "acronym" if short else "name", start, end, unsure=opening and len(run) == 1 and not short)


def _phrases(text: str, tokens: list[re.Match[str]], used: set[int]) -> Iterator[FoundName]:
    """Two to four words in lower case that stand together, without stop words (Rose et al. 2010)."""
    run: list[re.Match[str]] = []
    for index, token in enumerate([*tokens, None]):
        word = token.group() if token is not None else ""
        fits = bool(word) and index not in used and word.islower() and len(word) > 2 and not terms.stops(word)
        joined = bool(run) and token is not None and text[run[-1].end() : token.start()] in (" ", "-")
        if run and not (fits and joined):
            if 2 <= len(run) <= _LONGEST_PHRASE:
                yield FoundName(_clean(text[run[0].start() : run[-1].end()]), "phrase", run[0].start(), run[-1].end())
            run = []
        if fits and token is not None:
            run.append(token)


def _clean(name: str) -> str:
    name = " ".join(name.split())
    return name[:-2] if name.endswith(("'s", "’s")) else name


_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (("date", _DATE), ("amount", _AMOUNT), ("code", _CODE))
