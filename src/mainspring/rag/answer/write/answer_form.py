"""Detects the form of answer that a question wants: its form, its plainness, its language. Rules decide, for English
questions; the language is detected for others too."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from mainspring.rag.parse import language
from mainspring.rag.query import decompose, wishes

Form = Literal["plain", "yes_no", "comparison", "summary", "arithmetic"]

_YES_NO = re.compile(
    r"^\W*(?:(?:and|but|so|also|then)\s+)?(?:is|are|was|were|am|do|does|did|can|could|may|might|must|should|shall|will|"
    r"would|has|have|had|isn['’]t|aren['’]t|don['’]t|doesn['’]t|can['’]t)\s+(?!you\s+(?:explain|tell|summari[sz]e|show|"
    r"give|list|describe|compare|help|say|put|translate|repeat|rephrase|reword|elaborate|shorten|simplify))\w",
    re.IGNORECASE,
)
_ALTERNATIVE = re.compile(r"\bor\s+(?!not\b)\w", re.IGNORECASE)
_COMPARED = re.compile(
    r"\b(?:compare[ds]?|comparison|differ(?:s|ent|ence|ences)?|versus|vs\.?|rather than|better|cheaper|faster|longer)"
    r"\b",
    re.IGNORECASE,
)
_SIDES = re.compile(r"\b(?:and|or|than|from|to|vs|versus)\b", re.IGNORECASE)
_SUMMARY = re.compile(
    r"\b(?:summari[sz]e|summary|sum\s+up|overview|tl;?dr|key\s+points|main\s+points|gist|in\s+a\s+nutshell|"
    r"what\s+(?:is|does)\s+(?:the|this|that)\s+[\w\s-]{0,40}?(?:about|cover)\b)",
    re.IGNORECASE,
)
# "Summarise the returns policy" searches for the policy.
_SUMMARY_LEAD = re.compile(
    r"\A\W*(?:please\s+)?(?:(?:can|could|would|will) you\s+)?(?:please\s+)?"
    r"(?:summari[sz]e|sum up|outline|(?:give|show|write|tell)(?: me| us)? (?:an?|the) (?:(?:short|brief|quick) )?"
    r"(?:summary|overview|gist|outline) (?:of|over|on)|what are the (?:key|main) points (?:of|in)|in a nutshell,?)\s+"
    r"(?=\S+\s+\S)",
    re.IGNORECASE,
)
_SOME = r"for\s+(?:two|three|four|five|six|seven|eight|nine|ten|\d+)\s+\w+s\b"
# Between two words that belong together the first does not stand again: each would look for the second one.
_ARITHMETIC = re.compile(
    r"\b(?:how\s+(?:much|many)\s+(?:more|less|fewer|longer|cheaper|dearer|heavier|lighter|higher|lower)|"
    r"in\s+total|altogether|sum\s+of|combined|added\s+up|"
    r"how\s+(?:much|many)\b(?:(?!\bhow\s+(?:much|many)\b).)*\btogether|average\s+of|mean\s+of|"
    r"(?:percent(?:age)?|per\s+cent)\s+(?:change|increase|decrease|of)|by\s+how\s+(?:much|many)|"
    rf"{_SOME}(?:(?!\b{_SOME}).)*\bcost|cost(?:(?!\bcost).)*\b{_SOME})\b",
    re.IGNORECASE,
)
_SIMPLE = re.compile(
    r"\b(?:(?:explain|put|say|tell)\b[^.?!]{0,60}?\bsimply|(?:more|simply)\s+(?:simply|put|explained)|in\s+(?:simple|plain|easy)\s+(?:words|terms|language|english)|simple\s+terms|eli5|like\s+i['’]?m\s+"
    r"(?:five|5|ten|a\s+child)|for\s+a\s+(?:child|beginner|layperson)|without\s+jargon)\b",
    re.IGNORECASE,
)
_CODES = {name.lower(): code for code, name in language.NAMES.items()}
# "In Spanish" stands apart, or behind a wish: "Which courses are taught in Spanish?" wants no Spanish.
_ANSWERED_IN = re.compile(
    r"(?:^|(?<=[.?!,;:]))\s*(?:(?:and|please|(?:can|could|would) you)\s+)*"
    r"(?:(?:answer|reply|respond|write|explain|say|tell\s+me|translate|put|repeat|give|show|describe|list|compare"
    r"|summari[sz]e)\b[^.?!\n]{0,60}?\b)?"
    rf"in(?:to)?\s+(?P<name>{'|'.join(_CODES)})(?:\s+(?:please|language))?(?:,?\s+please)?\s*[.?!]*$",
    re.IGNORECASE,
)
_IN_LANGUAGE = re.compile(
    rf"(?<![\s,])[\s,]*(?:\b(?:please\s+)?(?:answer|reply|respond|write)\s+)?\bin(?:to)?\s+(?:{'|'.join(_CODES)})\b[\s\w,]{{0,20}}[.?!]{{0,5}}$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Wish:
    """``form`` of the answer, whether in ``simple`` words, and the code of the ``language`` to write in ("en")."""

    form: Form = "plain"
    simple: bool = False
    language: str = "en"


def wish(question: str) -> Wish:
    """The form that ``question`` wants (in its last line, if earlier questions precede it)."""
    last = question.strip().rsplit("\n", 1)[-1]
    asked = language.detect(last)
    named = _ANSWERED_IN.search(last)
    written = _CODES[named["name"].lower()] if named else "en" if asked in (language.UNKNOWN, "en") else asked
    # "Say that in Spanish" wishes the answer of the question before, which is of that question's form.
    plain = wishes.searched(question).strip().rsplit("\n", 1)[-1]
    form = _form(last) if plain == last or _SUMMARY.search(last) else _form(plain)
    return Wish(form, _SIMPLE.search(last) is not None, written)


def _form(question: str) -> Form:
    if _ARITHMETIC.search(question):
        return "arithmetic"
    if _SUMMARY.search(question):
        return "summary"
    if len(decompose.by_rules(question)) == 2 and _COMPARED.search(question):
        return "comparison"
    if _YES_NO.match(question):
        return "comparison" if _COMPARED.search(question) and _ALTERNATIVE.search(question) else "yes_no"
    return "comparison" if _COMPARED.search(question) and _SIDES.search(question) else "plain"


def subject(question: str) -> str:
    """``question`` without the words about the form of the answer: the text to search for."""
    if wishes.of_form(question):
        return question
    stripped = _IN_LANGUAGE.sub("", question) if _ANSWERED_IN.search(question) else question
    stripped = _SUMMARY_LEAD.sub("", _SIMPLE.sub("", stripped))
    return re.sub(r"\s{2,}", " ", stripped).strip(" ,;:-") or question
