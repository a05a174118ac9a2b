"""Finds exact names in a question (identifiers, proper names, years), and looks for them in texts.

An identifier ("--max-duration", "BORG_RSH", "N8770M", "3.2") matches only exactly: one different character makes
another thing. One of a series ("exit code 42") matches its number near its noun. A name matches its words next to each
other, however they are joined: "Made Tech" matches "madetech/".
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Kind = Literal["identifier", "numbered", "name", "year"]

_QUOTED = re.compile(r"[`\"“]([^`\"”“\n]{2,60})[`\"”]")
_OPTION = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*(?<![-_])")
_CONSTANT = re.compile(r"\b[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+\b|(?<![\w.])_[a-z][\w-]+")
_VERSION = re.compile(
    r"\bv?\d+(?:\.\d+){2,}\b|\bv\d+(?:\.\d+)*\b|(?<=version )\d+(?:\.\d+)*|(?<=section )\d+(?:\.\d+)*",
    re.IGNORECASE,
)
# No identifier has so much before its first digit; without a bound "x-x-x-..." would be read to its end from each part.
_MIXED = re.compile(r"\b(?=[\w-]{0,100}\d)(?=[\w-]{0,100}[A-Za-z])[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\b")
# "exit code 42", "zone 3": one of a series, which has others beside it.
_NUMBERED = re.compile(
    r"\b(?:(?:exit|error|status|return|response|postal|area|fault) )?(?:codes?|errors?|status|signals?|ports?|levels?"
    r"|zones?|tiers?|bands?|grades?|class|category|phases?|stages?|steps?|chapters?|sections?|articles?|appendix|annex"
    r"|tables?|figures?|rooms?|gates?|platforms?|floors?|lines?|routes?|rules?|forms?"
    r"|schedules?) (?P<number>\d++)(?![\w.,:-]*\d)",
    re.IGNORECASE,
)
# "3rd", "10am", "5kg", "90-day" and "24h" count or measure, "Q3" and "FY2024" are periods, "under-10" is an age.
_MEASURE = re.compile(
    r"\d+(?:st|nd|rd|th|am|pm|k|m|bn|kg|g|mg|km|cm|mm|ml|l|h|s|ms|min|gb|mb|tb|kb|v|w|kw|hz|ghz|mhz|x|mph|ft|c|f|p)"
    r"|\d+-[a-z]+(?:-[a-z]+)*|[qh]\d|fy\d+|\d{2,4}s|[a-z]+-\d|(?:under|over|aged?)-\d{1,3}s?|(?:one|two|three|four|five|six|ten)-.*",
    re.IGNORECASE,
)
# A year of birth lies in a range of the documents.
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_BORN = re.compile(r"\bborn\b[^.!?;\d]{0,24}(?:\d{1,2}(?:st|nd|rd|th)?,?[^.!?;\d]{0,24})?$", re.IGNORECASE)
# "Nvidia's Compute" is two names, "Let's Encrypt" and "Queen's Gambit" are one each.
_WORD = r"[A-Z][\w’'.-]*(?<![.’'-])"
_NAME = re.compile(rf"(?<![\w’'-]){_WORD}(?:(?:\s+(?:&\s+|of\s+|de\s+)?|\s*/\s*){_WORD})*")
# Words with a capital that are not names of a required thing.
_NO_NAMES = frozenset(
    "january february march april may june july august september october november december monday tuesday wednesday "
    "thursday friday saturday sunday i i'm i'd i'll i've id ok pdf url html http https api faq tv uk us eu usa english "
    "german french spanish british european american asian african australian canadian chinese japanese indian russian "
    "italian dutch swedish korean mexican brazilian scottish irish welsh general "
    "euro christmas easter mr mrs ms dr sir madam".split()
)
_QUESTION_WORDS = frozenset(
    "besides unlike despite "
    "what which who whom whose when where why how is are was were do does did can could may might must shall should "
    "will would has have had if in on at to for from by with within during after before the a an my our your their "
    "there this that these those tell explain describe name list give show compare summarise summarize outline "
    "translate define state find write and or but so also please under "
    "according about into of as some any all every each not no am".split()
)
_LETTERS = re.compile(r"[^\W_]+")
# Longer runs of words are sentences. Words of at least this many letters may be misspelt by this much.
_LONGEST_NAME, _FUZZY, _CLOSE, _APART = 8, 6, 0.85, 2
# How far the number of a series stands in front of its noun or behind it, in characters.
_BESIDE, _BEHIND = 40, 1_200
_STATES = dict(
    each.split(":")
    for each in (
        "alabama:AL,alaska:AK,arizona:AZ,arkansas:AR,california:CA,colorado:CO,connecticut:CT,delaware:DE,florida:FL,"
        "georgia:GA,hawaii:HI,idaho:ID,illinois:IL,indiana:IN,iowa:IA,kansas:KS,kentucky:KY,louisiana:LA,maine:ME,"
        "maryland:MD,massachusetts:MA,michigan:MI,minnesota:MN,mississippi:MS,missouri:MO,montana:MT,nebraska:NE,"
        "nevada:NV,new hampshire:NH,new jersey:NJ,new mexico:NM,new york:NY,north carolina:NC,north dakota:ND,ohio:OH,"
        "oklahoma:OK,oregon:OR,pennsylvania:PA,rhode island:RI,south carolina:SC,south dakota:SD,tennessee:TN,texas:TX,"
        "utah:UT,vermont:VT,virginia:VA,washington:WA,west virginia:WV,wisconsin:WI,wyoming:WY"
    ).split(",")
)
"""States of the USA as addresses have them."""
# More names are a text that was pasted; each is looked for in each passage.
_MOST_NAMES = 100
_LONGEST = 200
"""Characters of a name that an expression is made for."""
_SQUASH = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class ExactName:
    """Something that a question names; ``text`` is its spelling there."""

    text: str
    kind: Kind


@lru_cache(1024)
def named(question: str) -> tuple[ExactName, ...]:
    """The names in ``question``, each once, in the order of kinds: identifiers, numbered ones, years,
    names."""
    found: dict[str, ExactName] = {}
    taken = bytearray(len(question))

    def add(text: str, kind: Kind, span: tuple[int, int]) -> None:
        if taken.find(1, *span) < 0:
            taken[span[0] : span[1]] = b"\1" * (span[1] - span[0])
            found.setdefault(text.lower(), ExactName(text, kind))

    for pattern in (_OPTION, _CONSTANT, _VERSION, _MIXED):
        for match in pattern.finditer(question):
            if pattern is not _MIXED or not _MEASURE.fullmatch(match.group()):
                add(match.group(), "identifier", match.span())
    for match in _NUMBERED.finditer(question):
        add(match.group(), "numbered", match.span())
    for match in _YEAR.finditer(question):
        if not _BORN.search(question[max(0, match.start() - 60) : match.start()]):
            add(match.group(), "year", match.span())
    for match in _NAME.finditer(question):
        for text, start in _names(question, match):
            add(text, "name", (start, start + len(text)))
    return tuple(found.values())[:_MOST_NAMES]


def identifiers(question: str) -> tuple[str, ...]:
    """The identifiers among what ``question`` names."""
    return tuple(each.text for each in named(question) if each.kind == "identifier")


def has(text: str, each: ExactName) -> bool:
    """Whether ``text`` contains the name."""
    if each.kind == "identifier":
        return exact(text, each.text)
    if each.kind == "numbered":
        return _numbered(text, each.text)
    if each.kind == "year":
        # "fatalities_00_14" covers 2000 to 2014, too.
        return re.search(rf"(?<!\d){each.text}(?!\d)|[_'’]{each.text[2:]}(?!\d)", text) is not None
    state = _STATES.get(each.text.lower())
    if state and re.search(rf"\b{state}\b", text):
        return True
    if squashed(each.text) in squashed(text):
        return True
    if each.text.endswith("s") and re.search(rf"\b{re.escape(each.text[:-1])}\b", text):
        # "Macs" where a text says "a Mac".
        return True
    owner, owned = _owned(each.text)
    if owned and has(text, ExactName(owner, "name")):
        # "Larkfield's Glasgow" does not match a text about Larkfield only.
        return has(text, ExactName(owned, "name"))
    return _nearly(each.text, text)


def _numbered(text: str, name: str) -> bool:
    """Whether ``text`` has the number of ``name`` ("exit code 42") not far behind its noun: in a table the noun is in
    the header."""
    noun, number = name.rsplit(" ", 2)[-2:]
    stem = re.escape(noun.lower().rstrip("s"))
    numbers = [match.start() for match in re.finditer(rf"(?<![\w.,:]){number}(?![\w]|[.,:]\d)", text)]
    if not numbers:
        return False
    nouns = [match.start() for match in re.finditer(stem, text, re.IGNORECASE)]
    return any(-_BESIDE < place - each < _BEHIND for place in numbers for each in nouns)


def _owned(name: str) -> tuple[str, str]:
    """("Larkfield", "Glasgow") of "Larkfield's Glasgow"; empty if nothing is owned."""
    owner, mark, owned = name.replace("’s ", "'s ").partition("'s ")
    return (owner, owned) if mark else ("", "")


def _nearly(name: str, text: str) -> bool:
    """Whether ``text`` has ``name`` with one wrong letter or in another order: all words of a name of one or two, close
    to each other, and more than half of a longer one."""
    wanted = [word for word in _LETTERS.findall(name.replace("’s", "'s").replace("'s", " ").lower()) if len(word) > 2]
    if not wanted or len(wanted) > _LONGEST_NAME:
        return False
    places = _words(text)
    found = [places.get(_known(word, places), ()) for word in wanted]
    if len(wanted) > 2:
        return 2 * sum(map(bool, found)) > len(wanted)
    if len(wanted) == 1:
        return bool(found[0])
    return any(abs(one - other) <= _APART for one in found[0] for other in found[1])


def _known(word: str, known: Mapping[str, Sequence[int]]) -> str:
    """``word`` as it is written in ``known``; empty if ``known`` lacks it."""
    if word in known:
        return word
    if len(word) < _FUZZY:
        return ""
    near = [each for each in known if abs(len(each) - len(word)) <= 1 and each[:3] == word[:3]]
    return next(iter(difflib.get_close_matches(word, near, n=1, cutoff=_CLOSE)), "")


@lru_cache(64)
def _words(text: str) -> dict[str, list[int]]:
    """The places of each word (lower case), as numbers of words."""
    found: dict[str, list[int]] = {}
    for number, word in enumerate(_LETTERS.findall(text.lower())):
        found.setdefault(word, []).append(number)
    return found


def exact(text: str, identifier: str) -> bool:
    """Whether ``text`` contains ``identifier`` as a word of its own, in any case; a very long one anywhere, as it
    is written."""
    if len(identifier) > _LONGEST:
        # An expression of thousands of characters takes its time, and more so in any case.
        return identifier in text
    return re.search(rf"(?<![\w-]){re.escape(identifier)}(?![\w]|-\w)", text, re.IGNORECASE) is not None


def missing(question: str, texts: Iterable[str]) -> tuple[ExactName, ...]:
    """The names of ``question`` that are in none of ``texts``."""
    kept = list(texts)
    return tuple(each for each in named(question) if not any(has(text, each) for text in kept))


@lru_cache(64)
def squashed(text: str) -> str:
    """The letters and digits of ``text`` in lower case, without anything between them."""
    return _SQUASH.sub("", text).lower()


def _names(question: str, match: re.Match[str]) -> list[tuple[str, int]]:
    """(name, where it begins) of a run of capitalised words, which may begin with the word that opens the sentence."""
    text, start = match.group(), match.start()
    at = start
    while at and question[at - 1].isspace():
        at -= 1
    opens = not at or question[at - 1] in ".?!:"
    words = text.split()
    lead = 0
    while lead < len(words) and re.sub(r"['’].*", "", words[lead].lower()) in _QUESTION_WORDS:
        start += len(words[lead])
        while start < match.end() and question[start].isspace():
            start += 1
        lead, opens = lead + 1, False
    words = words[lead:]
    name = question[start : match.end()]
    name = re.sub(r"['’]s$", "", name)
    plain = name.lower().rstrip(".")
    if len(plain) < 2 or not words or plain in _NO_NAMES or all(word.lower() in _NO_NAMES for word in words):
        return []
    # A single word that opens the sentence is a name only where it looks like one.
    if opens and len(words) == 1 and not re.search(r"[A-Z0-9]", name[1:]) and not match.group().endswith(("'s", "’s")):
        return []
    return [(name, start)]
