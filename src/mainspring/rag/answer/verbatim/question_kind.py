"""Detects the kind of thing that a question asks for, and whether a sentence has it.

The sentence that repeats a question often says nothing more. An answer contains a reason if the question asks for one,
a value with its unit, a name or an identifier that the question lacks, or a yes or no.
"""

from __future__ import annotations

import re
from typing import Literal

from mainspring.rag.answer.evidence.values import Value, of_question, values
from mainspring.rag.text import terms

Wanted = Literal["reason", "value", "identifier", "name", "polarity", "anything"]

_MONEY = re.compile(r"\bhow much\b|\b(?:price|cost|fee|pay|paid|charge|salary|revenue|amount)s?\b", re.IGNORECASE)
_LASTS = re.compile(r"\bhow (?:long|soon|quickly|old|often|far in advance)\b|\bnotice\b|\bdeadline\b", re.IGNORECASE)
_SHARE = re.compile(r"\bpercent|\bpercentage|\bshare\b|\brate\b|\bdiscount\b", re.IGNORECASE)
_COUNTED = re.compile(r"\bhow many (?P<what>[a-z-]+(?: [a-z-]+)?)", re.IGNORECASE)
_DATES = ("date", "year", "time")

_ASKS_AGE = re.compile(r"\bhow old\b|\b(?:what|which) age\b|\bage of\b", re.IGNORECASE)
_AGE = re.compile(r"\bage[ds]?:? \d|\d[ -]years?[ -](?:old|of age)\b", re.IGNORECASE)
_ASKS_REASON = re.compile(
    r"\bwhy\b|\bhow come\b|\bfor what reason\b|\bwhat(?:['’]s| is| was| are| were) the (?:reason|cause)"
    r"|\bwhat (?:\w+ )?(?:caused|causes|explains|explained|led to)\b",
    re.IGNORECASE,
)
_REASON = re.compile(
    r"\b(?:because|due to|owing to|on account of|thanks to|so that|in order to|caused by|cause|reasons?|as a result of"
    r"|to (?:avoid|prevent|protect|ensure|reduce|keep|make sure|save)|resulted? (?:in|from)|led to|driven by"
    r"|reflecting|attributable to|which means|this means|therefore|otherwise"
    r"|since (?:i|you|we|they|he|she|it|this|that|these|those|there|no|not|most|many|all|only))\b",
    re.IGNORECASE,
)
_ASKS_POLARITY = re.compile(
    r"\W*(?:and |but |so )?(?:can|could|may|might|must|should|shall|will|would|do|does|did|is|are|was|were|am|has|have"
    r"|had)\b",
    re.IGNORECASE,
)
_ASKS_OPENLY = re.compile(r"\b(?:how|what|which|who|whose|when|where|why)\b", re.IGNORECASE)
_YES_OR_NO = re.compile(r"\W*(?:yes|no|nope|absolutely|certainly|of course|never|not (?:at all|yet))\b", re.IGNORECASE)
_DENIES = re.compile(
    r"\b(?:not|cannot|never|no longer|none|nobody|without|forbidden|prohibited|only)\b|n['’]t\b", re.IGNORECASE
)
_THINGS = (
    "option|flag|switch|parameter|argument|variable|command|setting|directive|tag|attribute|property|field|key|value"
    "|function|method|class|module|package|file|folder|directory|path|port|header|endpoint|address|domain|subdomain"
    "|record|code|identifier|id|keyword|macro|environment"
)
_ASKS_IDENTIFIER = re.compile(
    rf"\b(?:which|what)\b(?: (?!is\b|are\b|does\b|do\b)[\w'’/-]+){{0,4}}? (?:{_THINGS})s?\b"
    rf"|\bwhat (?:is|are|was) the (?:[\w'’/-]+ ){{0,3}}?(?:{_THINGS})s?\b"
    r"|\bwhat name\b|\bhow (?:is|are) .{1,60} (?:named|called)\b",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"`[^`\n]+`|(?<![\w-])--?[a-z][\w-]+|\b\w+_\w[\w.]*|(?<!\w)_\w+|\b[A-Z]{2,}(?:[_-][A-Z0-9]+)+\b|\b\w+\.[a-z]\w+\b"
    r"|(?<!\w)[~.]?/[\w.-]+|\b[a-z]+(?:[A-Z][a-z0-9]+)+\b|\b[a-z]+-\d+\b|:\d{2,5}\b|\b\d{2,5}/(?:tcp|udp)\b"
)
_ASKS_NAME = re.compile(
    r"\bwh(?:o|om|ose)\b|\b(?:which|what) (?!year|day|date|month|time|is|are|was|were|do|does|did)\w+", re.IGNORECASE
)
_NAME = re.compile(r"(?<=[\w,;:)’'] )[`*_\"“]*(?P<name>[A-Z][\w’'&-]+)")


_ASKS_MEANING = re.compile(
    r"\bwhat (?:is|are|does|do) .{1,80}\b(?:mean|stand for|refer to|short for)\b|\bmeaning of\b|\bdefinition of\b"
    r"|^\W*what(?:['’]s| is| are) (?:an? |the )?[\w-]++(?: [\w-]++)?+\W*$",
    re.IGNORECASE,
)
_ASKS_THE_SAME = re.compile(r"\W*(?:(?:and|but|so)\s+)?(?:(?:what|how) about|what (?:if|else))\b", re.IGNORECASE)
_ASKS_OTHERWISE = re.compile(
    r"\W*(?:(?:and|but|so)\s+)?(?:how (?:are|is|do|does|did|can|was|were)|where|why)\b", re.IGNORECASE
)
_EXPLAINS = re.compile(r"[*_`\"“]{0,3}(?P<term>[^\n:*_`\"”–—]{1,40}?)[*_`\"”]{0,3}(?::|\s+[-–—])[*_`]{0,3}\s+\S")


def wanted(question: str) -> Wanted:
    """The kind of thing that ``question`` asks for, if its wording shows it."""
    last = question.rpartition("\n")[2]
    if _ASKS_REASON.search(last):
        return "reason"
    if _ASKS_POLARITY.match(last) and not _ASKS_OPENLY.search(last):
        return "polarity"
    if terms.asked_kind(last) in ("number", "date") or _SHARE.search(last) or _MONEY.search(last):
        return "value"
    if _ASKS_IDENTIFIER.search(last):
        return "identifier"
    return "name" if _ASKS_NAME.search(last) else "anything"


def defined(text: str, question: str, asked: frozenset[str]) -> float:
    """The share of the words of the term that ``text`` explains ("DIA - Duration of insulin action") that are in
    ``question`` (content words ``asked``), if that asks what something means; else 0."""
    if not _ASKS_MEANING.search(question.rpartition("\n")[2]):
        return 0.0
    match = _EXPLAINS.match(text)
    own = terms.content(match["term"]) if match else frozenset[str]()
    return len(own & asked) / len(own) if own else 0.0


def asks(heading: str) -> bool:
    """Whether ``heading`` is a question: the text below answers it."""
    return heading.rstrip(" *_`").endswith(("?", "？", "؟"))


def has(kind: Wanted, text: str, question: str, asked: frozenset[str]) -> float:
    """The degree to which ``text`` has the wanted kind beyond ``question`` (content words ``asked``): from 0 to 1.

    If the question wants anything, it is always 0, so that all sentences are equal.
    """
    if kind == "reason":
        return float(_REASON.search(text) is not None)
    if kind == "value":
        if _ASKS_AGE.search(question) and _AGE.search(text):
            return 1.0
        return float(bool(answering(text, question)))
    if kind == "identifier":
        return float(any(not terms.content(match.group()) <= asked for match in _CODE.finditer(text)))
    if kind == "name":
        return float(any(terms.content(match["name"]) - asked for match in _NAME.finditer(text)))
    if kind == "polarity":
        return 1.0 if _YES_OR_NO.match(text) else 0.5 if _DENIES.search(text) else 0.0
    return 0.0


def latest(question: str) -> str:
    """The last line of a follow-up if its own wording says what it asks for ("How are they elected?"), else all."""
    last = question.rpartition("\n")[2]
    if _ASKS_THE_SAME.match(last):
        return question
    return last if _ASKS_OTHERWISE.match(last) or wanted(last) != "anything" else question


def answering(sentence: str, question: str) -> list[Value]:
    """The values of ``sentence`` of the kind that ``question`` asks for."""
    kind = terms.asked_kind(question)
    if kind not in ("number", "date") and not _SHARE.search(question) and not _MONEY.search(question):
        return []
    asked = {value.amount for value in of_question(question)}
    found = [value for value in values(sentence) if value.amount not in asked and any(map(str.isalnum, value.text))]
    counted = _COUNTED.search(question)
    if counted:
        stems = terms.content(counted["what"])
        units = [value for value in found if value.unit and terms.stem(value.unit.split()[-1]) in stems]
        if units:
            return units
        return [value for value in found if value.kind in ("count", "duration") and any(map(str.isdigit, value.text))]
    wanted_kinds: list[tuple[str, ...]] = []
    if _LASTS.search(question):
        wanted_kinds = [("duration",), _DATES]
    elif kind == "date":
        wanted_kinds = [("date",), ("time",), ("year",), ("duration",)]
    elif _SHARE.search(question):
        wanted_kinds = [("percent",), ("money",)]
    elif _MONEY.search(question):
        wanted_kinds = [("money",), ("percent",), ("duration",), ("measure",)]
    else:
        wanted_kinds = [("measure",), ("duration",), ("money",), ("percent",), ("count",)]
    for kinds in wanted_kinds:
        of_kind = [value for value in found if value.kind in kinds]
        if of_kind:
            return of_kind
    return []
