"""Finds claims in a written sentence that its cited source does not have: numbers, units, names, dates, polarity.

Rules that anyone can check, and strict ones: a sentence that they reject is written again or replaced by the source's
own words, so that a false alarm costs style and a miss costs truth. The rules do not understand the text: a false
combination of things from the source passes. Therefore a source is a sentence, a list item or a row with its
surroundings, and never a page.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mainspring.rag.answer.evidence.values import Value, values
from mainspring.rag.answer.evidence.values import negative as says_no
from mainspring.rag.answer.write.numbers import identifiers, numbers
from mainspring.rag.text import terms

Rare = Callable[[str], bool]
"""Whether a word (lower case) is rare in general text."""
Kind = Literal["number", "unit", "name", "date", "negation", "turned", "words"]

# The source must contain this share of a sentence's content words: words of the question alone are asked and not
# supported ("the body can be repaired for free" with a note about coffee).
LEAST_SHARED = 0.5
# Easier words are other words.
LEAST_SIMPLE = 0.25
_UNIT_WORDS = {
    "gbp": ("£", "gbp", "pound"),
    "usd": ("$", "usd", "dollar"),
    "eur": ("€", "eur", "euro"),
    "%": ("%", "percent", "per cent"),
    "minute": ("second", "minute", "hour", "min", "hr"),
    "day": ("day", "week"),
    "working day": ("working day", "business day"),
    "night": ("night",),
    "month": ("month", "year"),
}
# Things that a number may count without a unit beside it: the surrounding words decide.
_FREE = ("count", "year")
_ONE = frozenset({1.0})
_WORD = re.compile(r"[^\W_]+(?:['’.&-][^\W_]+)*")
_CLAUSE = re.compile(
    r"[;:|()]|(?<=\w)[.!?]\s+"
    r"|(?:,\s+|(?<![\s,])\s+)(?:but|unless|except|although|though|however|while|whereas)\s+|,\s+(?:and\s+)?",
    re.IGNORECASE,
)
_TOLD_APART = re.compile(
    r"(?:[;,]\s+|(?<![\s;,])\s+)(?:and|but|while|whereas|compared\s+(?:to|with)|than)\s+|[;,]\s+", re.IGNORECASE
)
_OPENING = re.compile(r"(?<!\s)\s*(?P<word>yes|no)(?:[,.:;!]\s*|\s*\Z|\s+[—–-]\s+)", re.IGNORECASE)
_BOUND = re.compile(r"\bno(?:t)?\s+\w+\s+than\b", re.IGNORECASE)
_EXCEPTION = re.compile(
    r"\b(?:unless|except|only|without|until|before|if|excluding|exclud\w+|other than|apart from)\b", re.IGNORECASE
)
_PAIRS = tuple(
    (re.compile(rf"\b(?:{one})\b", re.IGNORECASE), re.compile(rf"\b(?:{other})\b", re.IGNORECASE))
    for one, other in (
        (r"increas\w*|ris\w+|rose|grew|grow\w*|higher", r"decreas\w*|declin\w*|fell|fall\w*|reduc\w*|lower\w*"),
        (r"before|prior to", r"after|following"),
        (r"at least|minimum|no less than|or more", r"at most|maximum|no more than|up to|or less"),
        (r"more than|over|above|exceed\w*", r"less than|under|below"),
        (r"allow\w*|permit\w*|may", r"forbid\w*|forbidden|prohibit\w*|ban|banned"),
        (r"includ\w*", r"exclud\w*"),
        (r"with", r"without"),
        (r"free", r"charge[ds]?|costs?"),
        (r"paid|full pay|half pay", r"unpaid"),
        (r"accept\w*", r"reject\w*|refus\w*|declin\w*"),
        (r"mandatory|required|compulsory", r"optional|voluntary"),
    )
)
_HOW_MANY = re.compile(r"\bhow many (?:\w+ )?(?P<unit>minute|hour|day|week|month|year)s?\b", re.IGNORECASE)
_SHORT = 3
# Capitalised words that name nothing, at any place.
_PLAIN = frozenset("i i'm i'd i'll i've yes no ok".split())


@dataclass(frozen=True, slots=True)
class Problem:
    """``text`` of the sentence that its source does not support, and why."""

    kind: Kind
    text: str

    def described(self) -> str:
        """The instruction for rewriting the sentence."""
        match self.kind:
            case "negation" | "turned":
                return f'"{self.text}" says the contrary of the source'
            case "words":
                return "it says what the source does not say"
            case _:
                return f'"{self.text}" is not in the source'


def problems(
    sentence: str,
    source: str,
    question: str = "",
    names: str = "",
    *,
    translated: bool = False,
    least: float = LEAST_SHARED,
    rare: Rare | None = None,
) -> list[Problem]:
    """The parts of ``sentence`` that ``source`` does not support; empty if it supports all.

    ``names`` are words around the source (its document's name and headings), which also support names, units, plain
    words and amounts. Words of the ``question`` may be repeated, except those that ``rare`` counts as names; its
    numbers and names only if the source has them. ``least`` is the share of the content words that the source or its
    surroundings must contain. In a ``translated`` sentence, only numbers and identifiers can be compared.
    """
    body = _OPENING.sub("", sentence, count=1)
    around = f"{names}\n{source}"
    found = _numbers(body, around)
    if translated:
        return found
    found += _units(body, around)
    found += _names(body, source, names)
    found += _asked(body, around, question, rare) if rare is not None else []
    found += _polarity(body, source)
    if shared(body, around) < least:
        found.append(Problem("words", body))
    return found


def shared(sentence: str, source: str, question: str = "") -> float:
    """The share of the content words of ``sentence``, without values, that are in ``source`` or ``question``; 1 if it
    has none."""
    said = terms.content(_without_values(sentence))
    if not said:
        return 1.0
    return len(said & (terms.content(source) | terms.content(question))) / len(said)


def beside(sentence: str, question: str) -> bool:
    """Whether ``sentence`` cannot be an answer to ``question``: it is a value alone, without a subject; it has no word
    of the question, and so answers another one; it has only the question's words; or it has months where days are asked
    for."""
    body = _OPENING.sub("", sentence, count=1)
    said, asked = terms.content(_without_values(body)), terms.content(question)
    there = values(body)
    return not said & asked or (not there and not said - asked) or _measures_otherwise(there, question)


def _measures_otherwise(there: list[Value], question: str) -> bool:
    """Whether ``question`` asks how many of a unit of time, and no value of an answer is of its kind."""
    asked = _HOW_MANY.search(question)
    wanted = values(f"2 {asked['unit']}") if asked else []
    return bool(there and wanted) and all(value.key != wanted[0].key for value in there)


def fit(sentence: str, source: str, question: str) -> float:
    """How well ``source`` goes with ``sentence``, from 0 to 2: its words, and those of them that the question lacks."""
    said, asked, there = terms.content(sentence), terms.content(question), terms.content(source)
    added = said - asked
    return sum(len(words & there) / len(words) for words in (said, added or said) if words)


def _without_values(sentence: str) -> str:
    for value in reversed(values(sentence)):
        sentence = f"{sentence[: value.start]} {sentence[value.end :]}"
    return sentence


def rival(sentence: str, source: str, other: str) -> bool:
    """Whether ``other`` fits the words of ``sentence`` better than ``source`` does, and has another value of the same
    kind than the one that the sentence takes from ``source``: then the value probably belongs to another thing."""
    said = [value for value in values(sentence) if value.kind not in ("year",)]
    if not said:
        return False
    words = terms.content(_without_values(sentence))
    if len(words & terms.content(other)) <= len(words & terms.content(source)):
        return False
    theirs = values(other)
    known = {(value.key, value.amount) for value in theirs}
    kinds = {value.key for value in theirs}
    return all((value.key, value.amount) not in known for value in said) and any(value.key in kinds for value in said)


def clauses(sentence: str) -> list[str]:
    """The clauses of a sentence that says something of several things."""
    return [clause.strip() for clause in _TOLD_APART.split(sentence) if clause.strip()]


def unsupported_numbers(sentence: str, source: str) -> list[str]:
    """The numbers and identifiers of ``sentence`` that ``source`` does not have, as they are written."""
    return [problem.text for problem in _numbers(sentence, source)]


def _numbers(sentence: str, source: str) -> list[Problem]:
    there, scales = _amounts(source), source.lower()
    found = []
    for number in numbers(sentence):
        if there.intersection(number.amounts):
            continue
        if number.word and _ONE.issuperset(number.amounts):
            # "One of them", "the first thing to do": no amount.
            continue
        # A table in millions has the number here and the scale in its head.
        if number.scale and number.scale in scales and _bare(sentence[number.start : number.end]) in there:
            continue
        if _converted(sentence, number.start, source):
            continue
        found.append(Problem("number", sentence[number.start : number.end].strip()))
    known = set(identifiers(source))
    found += [
        Problem("name", name)
        for name in identifiers(sentence)
        if name not in known and not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", source.lower())
    ]
    return found


def _amounts(text: str) -> set[float]:
    return {amount for number in numbers(text) for amount in number.amounts}


def _bare(text: str) -> float:
    match = re.match(r"\d+(?:,\d{3})*(?:\.\d+)?", text)
    return float(match.group().replace(",", "")) if match else -1.0


def _converted(sentence: str, at: int, source: str) -> bool:
    """Whether the number at ``at`` is part of a value that the source has in another unit of the same kind."""
    ours = next((value for value in values(sentence) if value.start <= at < value.end), None)
    if ours is None or ours.kind in _FREE:
        return False
    return any((other.key, other.amount) == (ours.key, ours.amount) for other in values(source))


def _units(sentence: str, source: str) -> list[Problem]:
    theirs = values(source)
    known = {(value.key, value.amount) for value in theirs}
    lowered = source.lower()
    found = []
    for value in values(sentence):
        if value.kind in _FREE or (value.key, value.amount) in known or _dated(value, lowered):
            continue
        amounts = _amounts(value.text)
        same = [other for other in theirs if amounts & _amounts(other.text)]
        # Another unit follows the number, or the unit is nowhere.
        other_unit = same and all(each.kind not in _FREE or _counts(each) for each in same)
        words = _UNIT_WORDS.get(value.unit, (value.unit,))
        named = value.kind in ("date", "time") or any(word and word in lowered for word in words)
        if (same and other_unit) or not named:
            found.append(Problem("date" if value.kind in ("date", "time") else "unit", value.text))
    return found


def _counts(value: Value) -> bool:
    """Whether a count is of something, so that it is no bare number."""
    return value.kind == "count" and bool(value.unit)


def _dated(value: Value, source: str) -> bool:
    """Whether ``source`` contains each part of a date, in any order."""
    if value.kind not in ("date", "time"):
        return False
    parts = re.findall(r"[^\W\d_]{3,}|\d+", value.text.lower())
    return all(re.search(rf"(?<!\d){re.escape(part[:3] if part.isalpha() else part)}", source) for part in parts)


def _asked(sentence: str, around: str, question: str, rare: Rare) -> list[Problem]:
    """The rare words that ``sentence`` has from the question alone."""
    repeated = (terms.content(sentence) & terms.content(question)) - terms.content(around)
    lowered = around.lower()
    written = {terms.stem(word): word for word in terms.plain(sentence)}
    return [
        Problem("name", written[stem])
        for stem in sorted(repeated)
        if stem in written and written[stem] not in lowered and rare(written[stem])
    ]


def _names(sentence: str, source: str, names: str) -> list[Problem]:
    """Names are capitalised words that do not open the sentence, words with a capital inside, and an opening word
    before another capital. The name of a document may be written in one word."""
    known = {word.lower() for match in _WORD.finditer(f"{names}\n{source}") for word in _forms(match.group())}
    run_together = re.sub(r"[\W_]", "", names.lower())
    dated = {word for value in values(sentence) if value.kind in ("date", "time") for word in _WORD.findall(value.text)}
    found = []
    places = list(_WORD.finditer(sentence))
    for number, match in enumerate(places):
        word = match.group()
        opens = number == 0 or sentence[: match.start()].rstrip()[-1:] in '.!?:"“‘('
        inside = any(letter.isupper() for letter in word[1:]) and not word.isdigit()
        follower = places[number + 1].group() if number + 1 < len(places) else ""
        joined = follower[:1].isupper() and not terms.stops(word.lower())
        if (not word[:1].isupper() and not inside) or (opens and not inside and not joined):
            continue
        if word.lower() in _PLAIN or terms.stops(word.lower()) or any(form.lower() in known for form in _forms(word)):
            continue
        if len(word) > _SHORT and word.lower() in run_together:
            continue
        if word in dated or any(letter.isdigit() for letter in word):
            # They are compared by type.
            continue
        found.append(Problem("name", word))
    return found


def _forms(word: str) -> list[str]:
    """``word`` without a possessive, and the parts of a hyphenated one; also stemmed."""
    bare = re.sub(r"['’]s?\Z", "", word)
    parts = re.split(r"[-’'&.]", bare)
    return [bare, *parts, *(terms.stem(part.lower()) for part in (bare, *parts))]


def _polarity(sentence: str, source: str) -> list[Problem]:
    clauses = [clause for clause in _CLAUSE.split(source) if clause and terms.content(clause)]
    found: list[Problem] = []
    for said in [clause for clause in _CLAUSE.split(sentence) if clause and len(terms.content(clause)) > 1]:
        words = terms.content(said)
        nearest = max(clauses, key=lambda clause: _likeness(words, terms.content(clause)), default="")
        if not words & terms.content(nearest):
            # No clause denies a topic that none mentions.
            found += [Problem("negation", said.strip())] if negative(said) else []
            continue
        # A "not" must be in the clause itself; a missing one may be expressed in another way.
        if negative(said) != negative(nearest) and (negative(said) or negative(sentence) != negative(source)):
            found.append(Problem("negation", said.strip()))
    return found or _turned(sentence, source)


def negative(text: str) -> bool:
    """Whether ``text`` says no; "no wider than" is a bound."""
    return says_no(_BOUND.sub(" ", text))


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / (len(other) ** 0.5 or 1.0)


def _turned(sentence: str, source: str) -> list[Problem]:
    for pair in _PAIRS:
        for ours, theirs in (pair, pair[::-1]):
            match = ours.search(sentence)
            if match and not theirs.search(sentence) and theirs.search(source) and not ours.search(source):
                return [Problem("turned", match.group())]
    return []


def agrees(yes: bool, question: str, source: str) -> bool:
    """Whether "yes" (or "no") to ``question`` goes with the polarity of ``source``: a question that asks whether
    something is so is answered yes by a source that does not deny it."""
    return yes == (negative(question) == negative(source)) or bool(_EXCEPTION.search(source) and not yes)


def opening(sentence: str) -> tuple[bool | None, str]:
    """(whether it opens with yes (no: False, neither: None), the rest)."""
    match = _OPENING.match(sentence)
    if not match:
        return None, sentence
    return match["word"].lower() == "yes", sentence[match.end() :]
