"""A name, year, version or size of one question put in the place of another's: "And in Illinois?" after a question
about New York.

The place must be clear: one of the same kind, behind the same preposition, and nothing of the kind beside it. Where it
is not, nothing is put anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mainspring.rag.parse.language import NAMES
from mainspring.rag.text import terms

_LONGEST, _LONGEST_BEFORE = 80, 1_000
_PREPOSITIONS = frozenset(
    "in at on for with without to from by during per under within outside after before over above below until since of "
    "near via through".split()
)
_ARTICLES = {"the": "the", "a": "a", "an": "a", "my": "my", "our": "our", "your": "your"}
_LEAD = re.compile(
    r"(?:(?:and|but|or|so|then|also|now)\b,?\s+)?"
    r"(?:(?:what|how) about\s+|(?:is (?:it|that|this) )?(?:the )?same (?:question |thing )?(?=for\b|in\b|at\b))?",
    re.IGNORECASE,
)
_END = re.compile(r"(?:,?\s+(?:too|then|instead|as well|please))?[\s.?!]*", re.IGNORECASE)
_WORD = r"(?:(?:[A-Z]\.){2,}|[A-Z0-9](?:[\w&/’'.-]*\w)?)"
_LABEL = (
    r"(?:version|release|size|section|chapter|article|level|grade|zone|tier|class|band|step|form|type|category|phase"
    r"|schedule|bulletin|appendix|annex|table|floor|room|week|day|year)"
)
_UNIT = (
    r"(?:[mck]?[gml]|[kMGT]B|[kM]?[WV]|lbs?|oz|inch(?:es)?|feet|ft|miles?|tons?|tonnes?|lit(?:re|er)s?|(?:kilo)?grams?"
    r"|met(?:re|er)s?|minutes?|hours?|days?|nights?|weeks?|months?|years?|people|persons?|guests?|users?|seats?|percent)"
)
_SPAN = re.compile(
    rf"(?<![^\s(\"“])(?:(?i:(?P<label>{_LABEL}))\s(?P<value>v?\d[\w.]*\b|(?!I\b)[A-Z]{{1,4}}\b)(?![-/]\w)"
    r"|(?P<money>[$£€]\s?\d[\d.,]*\b)"
    rf"|(?P<amount>\d[\d.,]*(?:\s?%|[\s-]?(?P<unit>{_UNIT})\b))"
    rf"|(?P<name>{_WORD}(?:\s(?:of\s(?:the\s)?)?{_WORD})*))"
)
_POSSESSIVE = re.compile(r"['’]s$")
_YEAR = re.compile(r"(?:19|20)\d\d")
_DAY = re.compile(r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?")
_MONTH = re.compile(r"January|February|March|April|May|June|July|August|September|October|November|December")
_SIZE = re.compile(r"\d?X*[SML]")
_ACRONYM = re.compile(r"[A-Z]{2,5}")
_LANGUAGES = frozenset(NAMES.values())
# "In the UK" and "in Ireland" are of a kind, "in the Kestrel" and "in Ireland" are not.
_WITH_ARTICLE = re.compile(
    r"UK|U\.K\.|USA?|U\.S\.|UAE|EU|Netherlands|Philippines|Bahamas|Gambia|Maldives|District of Columbia|Isle of \w+"
    r"|United \w+(?: \w+)*|(?:\w+ )+(?:Islands|Republic|Republic of \w+)"
)


@dataclass(frozen=True, slots=True)
class _Slot:
    """A phrase and where it stands: ``start`` is where its article begins, ``inner`` where it does itself."""

    kind: str
    preposition: str
    article: str
    text: str
    start: int
    inner: int
    end: int

    @property
    def place(self) -> bool:
        """Whether its article is one of a place's name."""
        return self.article == "the" and _WITH_ARTICLE.fullmatch(self.text) is not None


def put(question: str, latest: str) -> str:
    """``question`` with what ``latest``, a follow-up, names in the place of its like; empty where none is clear."""
    latest = latest.strip()
    if len(latest) > _LONGEST or len(question) > _LONGEST_BEFORE or "\n" in question:
        return ""
    given = _named(latest)
    if given is None:
        return ""
    alike = [each for each in _slots(question) if each.kind == given.kind]
    place = _place(question, alike, given)
    if place is None:
        return ""
    if given.article == place.article or given.kind != "name":
        return question[: place.inner] + given.text + question[place.end :]
    return question[: place.start] + latest[given.start : given.end] + question[place.end :]


def _named(latest: str) -> _Slot | None:
    """All that a follow-up names, if it is one thing."""
    lead = _LEAD.match(latest)
    begin = lead.end() if lead else 0
    slot = next(_slots(latest, begin), None)
    # "Thanks?" is no name: something must lead to it.
    if slot is None or not (begin or slot.preposition):
        return None
    alone = latest[begin : slot.start].strip().lower() == slot.preposition and _END.fullmatch(latest, slot.end)
    return slot if alone else None


def _place(question: str, alike: list[_Slot], given: _Slot) -> _Slot | None:
    """The one of ``alike`` that gives way, if there is one only."""
    behind = [each for each in alike if each.preposition == given.preposition]
    if given.kind.startswith("label"):
        behind = alike
    elif not given.preposition or (not behind and given.preposition == "for"):
        # "And for Illinois?" says no more than "What about Illinois?": a name must stand behind some preposition.
        product = given.article == "the" and not given.place
        free = product or given.kind.startswith(("code", "year", "amount", "money"))
        behind = alike if free or (len(alike) == 1 and alike[0].preposition) else []
    if len(behind) != 1 or not _fits(behind[0], given) or _listed(question, behind[0]):
        return None
    return behind[0]


def _fits(place: _Slot, given: _Slot) -> bool:
    """Whether both have the same article, or none but that of a place's name."""
    if given.kind == "code" and given.article != "the" and place.preposition != given.preposition:
        return given.article == place.article and _letters(given.text) == _letters(place.text)
    if given.article == place.article or given.kind.startswith(("label", "year", "amount")):
        return True
    return given.kind == "name" and (given.place or not given.article) and (place.place or not place.article)


def _letters(code: str) -> str:
    return re.sub(r"\d.*", "", code, flags=re.DOTALL)


def _listed(question: str, slot: _Slot) -> bool:
    """Whether ``slot`` is one of several: "in New York and Texas", "in Springfield, Illinois"."""
    return re.match(r",?\s(?:and|or|&)\s|,\s*[A-Z0-9]|\s?[-–/]", question[slot.end : slot.end + 8]) is not None


def _slots(text: str, begin: int = 0) -> Iterator[_Slot]:
    """What ``text`` names from ``begin`` on. The first word of a question has a capital letter for that reason only."""
    at = begin or len(text.partition(" ")[0])
    while match := _SPAN.search(text, at):
        at = match.end()
        written = match["name"] and _POSSESSIVE.sub("", match[0])
        end = match.start() + len(written) if written else match.end()
        kind = _kind(match, written or "")
        if not kind:
            continue
        inner = start = match.start()
        words = text[max(0, inner - 40) : inner].split(" ")
        article = _ARTICLES.get(words[-2].lower(), "") if len(words) > 1 and not words[-1] else ""
        if article:
            start -= len(words[-2]) + 1
            del words[-2]
        preposition = words[-2].lower() if len(words) > 1 and not words[-1] else ""
        preposition = preposition if preposition in _PREPOSITIONS else ""
        yield _Slot(kind, preposition, article, text[inner:end], start, inner, end)


def _kind(match: re.Match[str], name: str) -> str:
    """What sort of thing is named; empty: nothing that could be put in a place."""
    if match["label"]:
        return f"label {match['label'].lower()}"
    if match["money"]:
        return f"money {match['money'][0]}"
    if match["amount"]:
        return f"amount {(match['unit'] or '%').rstrip('s')}"
    for kind, expression in (("year", _YEAR), ("day", _DAY), ("month", _MONTH), ("size", _SIZE)):
        if expression.fullmatch(name):
            return kind
    if name in _LANGUAGES:
        return "language"
    if any(_MONTH.fullmatch(word) or _DAY.fullmatch(word) for word in name.split()):
        return f"date of {len(name.split())}"
    if any(letter.isdigit() for letter in name):
        return "code" if any(letter.isalpha() for letter in name) else ""
    if all(terms.stops(word.lower()) for word in name.split()):
        return ""
    if _ACRONYM.fullmatch(name) and not _WITH_ARTICLE.fullmatch(name):
        return "acronym"
    return "name"
