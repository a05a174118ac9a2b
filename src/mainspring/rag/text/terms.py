"""Content words of questions and sentences: stop words removed, endings stripped, weighted by rarity.

Rarity is measured among the candidates of one search, not over the collection: what every candidate says (the
subject) weighs little, what sets one apart weighs much.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from functools import lru_cache
from typing import Literal

from mainspring.core.english import without_ending
from mainspring.stores.vectors.segmentation import DENSE, pairs

_WORD = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+(?:['’](?!s\b)[^\W\d_]+)?", re.UNICODE)
_DENSE = re.compile(f"[{DENSE}]")
_MIXED = re.compile(rf"[{DENSE}]+|\d+(?:[.,:]\d+)*|(?:(?![{DENSE}])[^\W\d_])+")
_STOP = frozenset(
    "a an the of in on at to for by with from and or but not no is are was were be been being am do does did "
    "doing done has have had having what which who whom whose when where why how many much that this these "
    "those it its as into than then there their they them he she his her him hers i i'm i've i'd you your "
    "yours we our ours us my mine me about can could would should will shall may might must during after "
    "before between while so if because such also any some each other s t don't doesn't didn't isn't aren't "
    "wasn't can't cannot won't let get got just too very up out off over under again there's what's who's "
    "it's".split()
)
# Between two parts of one word, or of one number: the next text may be the second part.
_IN_WORDS, _IN_NUMBERS = frozenset("'"), frozenset(".,:")
# "3rd" says "third", too: the ending stands for the word.
_ORDINALS = dict(
    enumerate("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split(), 1)
)
_ORDINAL_ENDS = frozenset(("st", "nd", "rd", "th"))
_ORDINAL = re.compile(r"(?<![\d.,:])(\d{1,2})(?:st|nd|rd|th)\b", re.IGNORECASE)
_ORDINAL_PARTS = _ORDINAL_ENDS | frozenset(_ORDINALS.values())
_SUFFIXES = ("ingly", "edly", "ings", "ing", "ied", "ies", "ed", "es", "s", "ly")
_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|hundred|thousand|million|billion|half|"
    r"twice|third|quarter|dozen|free|none|unlimited)\b",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\b(?:1\d{3}|20\d\d)\b|\b\d{1,2}:\d\d\b|\b(?:January|February|March|April|May|June|July|August|September|October|"
    r"November|December|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|century|noon|midnight|days?|weeks?|"
    r"months?|years?)\b|\b\d{1,2}(?:st|nd|rd|th) (?:day )?of \w"
)
_NAME = re.compile(r"(?<=\S\s)[A-Z]\w+")
_ASKS_NUMBER = re.compile(
    r"\bhow (?:many|much|long|far|old|often|large|big|tall|high|fast|deep|heavy|quickly|soon)\b|\bpercent"
    r"|\bwhat (?:is the )?(?:price|cost|number|amount|percentage|temperature|size|weight|limit)\b",
    re.IGNORECASE,
)
_ASKS_DATE = re.compile(
    r"\bwhen\b|\b(?:what|which) (?:year|date|day|time|month|century)\b|\bby what time\b|\blast day\b", re.IGNORECASE
)
_ASKS_PERSON = re.compile(r"\bwho(?:m|se)?\b", re.IGNORECASE)

Asked = Literal["number", "date", "person", "anything"]


def words(text: str) -> list[str]:
    """The content words of ``text``, stemmed, in order, repetitions included."""
    return [word for word, _, _ in located(text)]


def located(text: str) -> Iterator[tuple[str, int, int]]:
    """(stem, start, end) of each content word of ``text``, in order; ``text[start:end]`` is the word as written."""
    dense = not text.isascii() and _DENSE.search(text) is not None
    ordinals = {match.end(): _ordinal(match) for match in _ORDINAL.finditer(text)}
    for match in (_MIXED if dense else _WORD).finditer(text):
        if dense and _DENSE.match(match.group()):
            # These scripts have no spaces between words, so pairs of neighbouring characters replace words.
            for at, pair in enumerate(pairs(match.group())):
                yield pair, match.start() + at, match.start() + at + len(pair)
            continue
        word = match.group().lower().replace("’", "'")
        if ordinals and word in _ORDINAL_ENDS:
            word = ordinals.get(match.end(), word)
        if word and word not in _STOP:
            yield stem(word), match.start(), match.end()


def _ordinal(match: re.Match[str]) -> str:
    """The word for "3rd"; empty beyond twelve, where people write numbers."""
    return _ORDINALS.get(int(match[1]), "")


def plain(text: str) -> list[str]:
    """All words of ``text`` in lower case as they are written, stop words included, numbers left out."""
    found = (match.group().lower().replace("’", "'") for match in _WORD.finditer(text))
    return [word for word in found if not word[0].isdigit()]


def stops(word: str) -> bool:
    """Whether ``word`` (lower case) says nothing by itself."""
    return word in _STOP


def content(text: str) -> frozenset[str]:
    """The set of content words of ``text``."""
    # Candidates of a search are read by this: each word once.
    written = {word.lower().replace("’", "'") for word in set(_WORD.findall(text))}
    if not written.isdisjoint(_ORDINAL_ENDS):
        said = _ORDINAL.sub(lambda match: f"{match[1]} {_ordinal(match)} ", text)
        written = {word.lower().replace("’", "'") for word in set(_WORD.findall(said))}
    return frozenset(map(stem, written - _STOP))


def among(asked: Set[str], text: str) -> frozenset[str]:
    """``content(text) & asked``, without cutting all of ``text`` into words: searches read every candidate by this."""
    lower = text.lower().replace("’", "'")
    if "\u0130" in text or "\u03a3" in text:
        # Their lower case depends on their context.
        return content(text) & asked
    if not _ORDINAL_PARTS.isdisjoint(asked) and _ORDINAL.search(text):
        return content(text) & asked
    found = set()
    for wanted in asked:
        # Suffixes are stripped at the end of a word, except the y that replaces "ies".
        prefix = wanted[:-1] if wanted.endswith("y") and len(wanted) > 1 else wanted
        number = prefix[0].isdecimal()
        start = lower.find(prefix)
        while start >= 0:
            before = lower[start - 1] if start else " "
            if before in (_IN_NUMBERS if number else _IN_WORDS):
                return content(text) & asked
            inside = before.isdecimal() if number else before.isalnum() and not before.isdecimal()
            match = None if inside else _WORD.match(lower, start)
            word = match.group() if match else ""
            if word and word not in _STOP and stem(word) == wanted:
                found.add(wanted)
                break
            start = lower.find(prefix, start + 1)
    return frozenset(found)


@lru_cache(65_536)
def stem(word: str) -> str:
    """``word`` (lower case) without a common English ending; equal for the forms of most regular words."""
    return without_ending(word, _SUFFIXES)


def rarity(question: Set[str], passages: Iterable[Set[str]]) -> dict[str, float]:
    """A weight for each word of ``question``: high if few of ``passages`` have it. The weights sum to 1."""
    sets = list(passages)
    counts = Counter(word for words_ in sets for word in words_ & question)
    weights = {word: math.log(1 + len(sets) / (counts[word] + 0.5)) for word in question}
    total = sum(weights.values()) or 1.0
    return {word: weight / total for word, weight in weights.items()}


def overlap(weights: Mapping[str, float], found: Iterable[str]) -> float:
    """The weight of the question's words that are in ``found``, from 0 to 1."""
    return sum(weights.get(word, 0.0) for word in found)


def asked_kind(question: str) -> Asked:
    """The kind of thing that a question asks for, if its wording shows it."""
    date, number = _ASKS_DATE.search(question), _ASKS_NUMBER.search(question)
    # "How much may a meal cost when I travel?" asks for an amount.
    if date and not (number and number.start() < date.start()):
        return "date"
    if number:
        return "number"
    return "person" if _ASKS_PERSON.search(question) else "anything"


def offers(kind: Asked, sentence: str, question: Set[str]) -> float:
    """1 if ``sentence`` has a thing of the ``kind`` asked for, -1 if it has none, 0 if this is unknown."""
    if kind == "anything":
        return 0.0
    if kind == "person":
        names = {stem(match.group().lower()) for match in _NAME.finditer(sentence)}
        return 1.0 if names - question else -1.0
    pattern = _DATE if kind == "date" else _NUMBER
    return 1.0 if pattern.search(sentence) else -1.0
