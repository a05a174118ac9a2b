"""Extracts relations of two entities from a sentence or a table's row, by patterns: "X of Y", a verb between them,
is-a, cells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mainspring.rag.graph.read.name_rules import FoundName
from mainspring.rag.text import terms

_FARTHEST = 90
_VERBS = (
    r"(?:\w+(?:ed|wn|ght)|is|was|are|were|has|had|have|made|led|won|run|runs|built|held|met|sold|gave|took|became|"
    r"leads|owns|makes|sells|manages|reports|writes|approves|signs|covers|includes|contains|requires|uses|starred|"
    r"plays|serves|borders|stars|features|replaces|handles|answers|checks|keeps|sits|lies|stands|lives|works|set)"
)
_PREPOSITION = r"(?:by|of|in|from|at|to|with|for|on|as|into|under|near)"
_BETWEEN = (
    # "... directed by", "was born in", "reports to"
    re.compile(rf"(?:^|[\s(])(?P<said>{_VERBS}(?:\s+\w+)?\s+{_PREPOSITION})(?:\s+(?:the|an?))?\s*$"),
    # "is the capital of", "son of", "part of"
    re.compile(r"(?:^|[\s,])(?P<said>\w+\s+of)(?:\s+(?:the|an?))?\s*$"),
    # "'s director"
    re.compile(r"^['’]s\s+(?P<said>[a-z]+(?:\s[a-z]+)?)(?:\s*,)?\s*$"),
    # "married", "owns the"
    re.compile(rf"^\s*(?:,?\s*(?:who|which|that)\s+)?(?P<said>(?:also\s+)?{_VERBS})(?:\s+(?:the|an?))?\s*$"),
    # "(born"
    re.compile(r"\(\s*(?P<said>born|died|founded|established)(?:\s+on)?\s*$"),
    # ", in", "at", "near"
    re.compile(r"^\s*,?\s*(?P<said>in|at|near|from)\s+(?:the\s+)?$"),
)
# "The CEO of X Corp is Elon Musk", "X Corp's CEO is Elon Musk", "Globex is led by its CEO, Hank Scorpio".
_OFFICE_OF = re.compile(r"(?:^|[\s(])(?P<said>\w+(?:\s\w+)?)\s+of\s+(?:the\s+)?$")
_IS = re.compile(r"^\s*(?:,[^,]{1,40},\s*)?(?:is|was|are|were)\s+$")
_OWNED = re.compile(r"^(?:['’]s)?\s+(?P<said>[A-Za-z]+(?:\s[a-z]+){0,2}?)(?:\s*,|\s+(?:is|was))\s*$")
_ITS = re.compile(r"\b(?:by|with|under)\s+(?:its|their|the)\s+(?P<said>[A-Za-z]+(?:\s[a-z]+)?)\s*,?\s*$")
_IS_A = re.compile(
    r"^\s*(?:\([^()]{0,120}\)\s*)?(?:,[^,]{1,60},\s*)?(?:is|was|are|were)\s+(?:one of the|an?|the)\s+"
    r"(?P<what>[^.;:,()]{3,80})"
)
_ENDS = re.compile(
    r"\s+(?:of|in|by|from|for|that|which|who|whose|and|with|on|at|to|based|directed|written|located)\b.*$"
)
# "and died in", ", and was made by": of the sentence's subject.
_GOES_ON = re.compile(rf"^[^()]{{0,12}}(?:,|\band\b|\bbut\b)\s+(?:(?:also|then|later)\s+)?{_VERBS}\b")
_SUBJECTS = frozenset(("name", "term", "acronym", "code"))
_CELL = re.compile(r"\|")
_AUXILIARY = re.compile(r"^(?:also )?(?:is|was|are|were|has|had|have) (?=\w+ \w)")
_MOST_CELLS = 24


@dataclass(frozen=True, slots=True)
class StatedRelation:
    """``first`` and ``second`` are indices into the names of the sentence."""

    first: int
    predicate: str
    second: int


def between(text: str, found: Sequence[FoundName]) -> Iterator[StatedRelation]:
    """The text before each name relates it to the previous name or to the sentence's first name.

    Names in a parenthesis that is closed by then are passed over, and so are phrases.
    """
    named = [number for number, each in enumerate(found) if each.kind != "phrase"]
    for last, second in pairwise(named):
        gap = text[found[last].end : found[second].start]
        if len(gap) > _FARTHEST or "\n\n" in gap or re.search(r"[.;!?]\s", gap):
            continue
        office = _office(text, found[last], gap)
        if office:
            yield StatedRelation(last, office, second)
            continue
        predicate = _predicate(gap)
        if predicate:
            goes_on = _GOES_ON.match(gap)
            first = _main(found, second) if goes_on else _before(text, found, second)
            if first is not None:
                yield StatedRelation(first, predicate, second)


def _main(found: Sequence[FoundName], second: int) -> int | None:
    return next((number for number in range(second) if found[number].kind in _SUBJECTS), None)


def _before(text: str, found: Sequence[FoundName], second: int) -> int | None:
    for first in range(second - 1, max(-1, second - 5), -1):
        gap = text[found[first].end : found[second].start]
        if len(gap) > 2 * _FARTHEST:
            return None
        if found[first].kind in _SUBJECTS and gap.count(")") <= gap.count("("):
            return first
    return None


def is_a(text: str, found: Sequence[FoundName], end: int) -> tuple[int, str, int, int] | None:
    """(index, kind, position) if a sentence says what the first name is."""
    if not found:
        return None
    match = _IS_A.match(text, found[0].end, end)
    if match is None:
        return None
    what = _ENDS.sub("", match["what"]).strip()
    if not what or len(what.split()) > 6 or not re.search(r"[a-z]{3}", what):
        return None
    return 0, what, match.start("what"), match.start("what") + len(what)


def cells(row: str) -> list[tuple[str, str, int, int]]:
    """(column, value, start, end of the value) of each cell of a row ``Column: value | Column: value``."""
    made: list[tuple[str, str, int, int]] = []
    place = 0
    for part in [*_CELL.finditer(row), None]:
        stop = part.start() if part is not None else len(row)
        column, colon, value = row[place:stop].partition(": ")
        if colon and value.strip() and column.strip():
            start = row.index(value.strip(), place + len(column))
            made.append((column.strip(), value.strip(), start, start + len(value.strip())))
        place = part.end() if part is not None else stop
    return made[:_MOST_CELLS]


def _office(text: str, name: FoundName, gap: str) -> str:
    """The relation of the next name to ``name`` if the text between, ``gap``, names an office."""
    before = _OFFICE_OF.search(text[max(0, name.start - _FARTHEST) : name.start])
    if before is not None and _IS.match(gap) and not re.search(r"[.;!?]\s", before.group()):
        return _role(before["said"])
    its = _ITS.search(gap)
    if its is not None:
        return _role(its["said"])
    owned = (
        _OWNED.match(gap)
        if text[name.start : name.end + 2].endswith(("'s", "’s")) or text[name.end - 2 : name.end] in ("'s", "’s")
        else None
    )
    return _role(owned["said"]) if owned is not None else ""


def _role(said: str) -> str:
    words = [word for word in said.lower().split() if not terms.stops(word)]
    return " ".join(words)


def _predicate(gap: str) -> str:
    for pattern in _BETWEEN:
        match = pattern.search(gap)
        if match is not None:
            words = " ".join(match["said"].split())
            if not all(terms.stops(word) for word in words.split()) or words in ("in", "at", "near", "from", "has"):
                return _AUXILIARY.sub("", words.lower())
    return ""
