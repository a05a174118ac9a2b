"""Finds facts, preferences and events in what people say of themselves, by rules. Every fact is in their own words.

The patterns are English. A fact may have a *slot*: what has one value at a time ("home", "favourite colour"), so that a
later statement supersedes an earlier one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from mainspring.guards.detect import injection, quoted_text
from mainspring.serving.memory.terms import sentences, words

Kind = Literal["fact", "preference", "event"]
_LEAST, _MOST = 6, 320
# A sentence may tell several things: "I moved to Rome and I work for Acme".
_CLAUSE = re.compile(
    r"(?:(?:(?<!\s)\s++)?(?:;|,(?:\s++(?:and|but))?)|(?<!\s)\s++(?:and|but))\s++"
    r"(?=(?:I|I['’](?:m|ve|d)|[Mm]y|[Ww]e|[Oo]ur)\b(?!\s+(?:think|guess|know|mean|hope)\b))"
)
# What is quoted, or given to be worked on, is not what the user says.
_QUOTED = re.compile(
    r"```.*?(?:```|\Z)|^[ \t]*>[^\n]*|[\"“][^\"“”\n]{12,}[\"”]"
    r"|^(?:(?:please|can you|could you)\s+)*(?:translate|summari[sz]e|rewrite|proofread|correct|fix|paraphrase|"
    r"classify|improve|edit|repeat)\b[^:\n]{0,80}:.*\Z",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
_ASKED = re.compile(r"[?？]\s*[\"'”’)]*$")
_LEAD = re.compile(
    r"^(?:(?:please\s+)?(?:remember|note|keep in mind|don['’]t forget)(?:\s+that)?|for the record|fyi|btw|by the way|"
    r"actually|so|well|yes|yeah|no|oh|hi|hello|hey|thanks|and|but|also|anyway)\b[\s,:!.-]*",
    re.IGNORECASE,
)
_TOLD = re.compile(r"^(?:please\s+)?(?:remember|note|keep in mind|don['’]t forget)(?:\s+that)?\b", re.IGNORECASE)
_UNTOLD = re.compile(
    r"^(?:please\s+)?(?:forget|delete|erase|(?:do not|don['’]t|stop)\s+"
    r"(?:remember|remembering|note|noting|keep|store))\b",
    re.IGNORECASE,
)
_SURE = re.compile(
    r"\b(?:if|unless|suppose|imagine|pretend|would|could|might|maybe|perhaps|wish|let['’]s say)\b", re.IGNORECASE
)
_I = r"\bi(?:['’]m| am|['’]ve| have|['’]d| would| do)?"
_NOW = r"(?:\s+(?:now|currently|still|just|recently|really|also|actually|always|usually|both|mostly))*"
_NOT = r"(?:\s+(?:do not|don['’]t|no longer|never|can['’]t|cannot|can not|am not|stopped|quit|gave up))?"
_SEPARATE = re.compile(
    r"\b(?:over|rather|than|instead|when|because|since|any ?more|but|so|now|these days|at all|on|at|in|with|every|from|"
    r"for|after|before|while|and)\b"
)

_JOBS = (
    "accountant|actor|architect|artist|baker|barista|carpenter|chef|consultant|cook|dentist|designer|developer|doctor|"
    "driver|editor|electrician|engineer|farmer|firefighter|freelancer|gardener|journalist|lawyer|librarian|manager|"
    "mechanic|musician|nurse|painter|paramedic|pharmacist|photographer|pilot|plumber|professor|programmer|psychologist|"
    "researcher|scientist|secretary|singer|student|surgeon|teacher|therapist|translator|vet|waiter|waitress|writer"
)
_ATTRIBUTE = (
    "name|address|birthday|job|title|employer|company|manager|boss|car|bike|size|budget|time ?zone|nationality|"
    "language|city|team|major|school|university|doctor|dentist|weight|height|goal|deadline|flight|seat|hotel|"
    "plan|subscription|laptop|phone|phone number|shoe size|blood type|star sign|anniversary"
)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a person told: in the person's words. ``slot`` (empty: none) is what has one value at a time."""

    text: str
    kind: Kind
    slot: str = ""


_SINGLE: tuple[tuple[str, Kind, str], ...] = (
    (r"\bmy name(?:['’]s| is)\s+[A-Z]|\bcall me\s+[A-Z]|\bi go by\s+[A-Z]", "fact", "name"),
    (rf"{_I}{_NOT}{_NOW}\s+(?:live|living|based|reside|residing)\s+(?:in|at|near|on|with)\b", "fact", "home"),
    (rf"{_I}{_NOW}\s+(?:moved|moving|relocated)\s+(?:back\s+)?to\b", "fact", "home"),
    (rf"{_I}{_NOT}{_NOW}\s+(?:work|working|employed)\s+(?:at|for|with)\b", "fact", "employer"),
    (rf"{_I}{_NOW}\s+(?:joined|left|quit)\s+(?:my\s+job\b|[A-Z])", "fact", "employer"),
    (rf"{_I}{_NOT}{_NOW}\s+(?:work|working)\s+as\s+an?\b", "fact", "job"),
    (rf"\bi(?:['’]m| am)\s+(?:now\s+)?an?\s+(?:[\w-]+\s+){{0,3}}(?:{_JOBS})\b", "fact", "job"),
    (r"\bi(?:['’]m| am)\s+(?:now\s+)?\d{1,3}(?:\s+years?\s+old)?(?=[\s.!,]|$)|\bi turned \d{1,3}\b", "fact", "age"),
    (r"\bi(?:['’]m| am|\s+got|\s+became)\s+(?:now\s+)?(?:married|single|engaged|divorced|widowed)\b", "fact", "status"),
    (
        rf"{_I}{_NOW}\s+(?:am|became|went|turned|gone)?\s*(?:an?\s+)?(?:vegan|vegetarian|pescatarian|omnivore)\b",
        "fact",
        "diet",
    ),
    (rf"{_I}{_NOT}{_NOW}\s+drive\s+an?\b", "fact", "car"),
    (rf"{_I}{_NOT}{_NOW}\s+have\s+(?:no|one|two|three|four|five|\d)\s+(?:kids?|children)\b", "fact", "children"),
)
_ONE = tuple((re.compile(pattern, re.IGNORECASE), kind, slot) for pattern, kind, slot in _SINGLE)
_FAVOURITE = re.compile(r"\bmy\s+favou?rite\s++([\w'’-][\w'’ -]{1,39}?)\s++(?:is|are|was)\b", re.IGNORECASE)
_MINE = re.compile(
    rf"\b(?:my|our)\s+((?:(?:new|old|current|work|home)\s+)?(?:{_ATTRIBUTE}))\s+(?:is|are)\b", re.IGNORECASE
)
_THEIRS = re.compile(
    r"\b(?:my|our)\s+((?:[\w'’-]+\s+){0,3}[\w'’-]+?)(?:['’]s\s+name)?\s+(?:is\s+)?(called|named|name is|lives?|works?|"
    r"is (?=\d{1,3}\b))",
    re.IGNORECASE,
)
_PREFER = re.compile(rf"{_I}{_NOT}{_NOW}\s+prefer\s+(.{{2,80}})", re.IGNORECASE)
_TASTE = re.compile(
    rf"{_I}{_NOT}{_NOW}\s+(?:like|love|enjoy|adore|hate|dislike|detest|(?:can['’]t|cannot)\s+stand|fond of|"
    r"liking|loving|enjoying)\s+(.{2,80})",
    re.IGNORECASE,
)
_HABIT = re.compile(
    rf"{_I}{_NOT}{_NOW}\s+(play|playing|study|studying|speak|eat|eating|drink|drinking|smoke|smoking|practi[sc]e|use|"
    r"using|attend|collect|teach|teaching)\s+(.{2,60})",
    re.IGNORECASE,
)
_ALLERGIC = re.compile(rf"{_I}(?:\s+not)?{_NOW}\s+(?:allergic|intolerant)\s+to\s+(.{{2,60}})", re.IGNORECASE)
_WISH = re.compile(r"\b(?:from now on|always|never)\b|\bi\s+(?:usually|only|avoid)\b", re.IGNORECASE)
_LIKE_TO = re.compile(r"\bi(?:['’]d| would)\s+(?:like|love|prefer)\s+(?:to|an?|some)\b", re.IGNORECASE)
_FACT = re.compile(
    rf"\bi(?:['’]m| am| was)\s+(?!going to|trying|looking|sorry|sure|fine|good|okay|ok|just|not sure|wondering|"
    rf"thinking|glad|happy|curious|here|back|ready|done|asking|interested|afraid)\w+|{_I}{_NOW}\s+(?:own|have an?|"
    r"have (?:two|three|four|my)|manage|lead|run|come from|grew up|was born|belong)\b"
    r"|\b(?:my|our)\s+(?:[\w'’-]+\s+){1,3}(?:is|are|was|were|has|have|will be|starts?|ends?)\b"
    r"|\bwe\s+(?:live|have|own|are)\b",
    re.IGNORECASE,
)
_EVENT = re.compile(
    r"\b(?:i|we)(?:['’]ve| have)?\s+(?:just\s+|recently\s+|finally\s+|already\s+|also\s+)?(?:went|gone|visited|bought|"
    r"met|saw|seen|started|began|finished|completed|adopted|won|lost|broke|got|booked|joined|signed|graduated|attended|"
    r"travell?ed|flew|drove|ran|made|built|wrote|read|watched|learned|learnt|took|found|sold|hired|ordered|received|"
    r"decided|planted|painted|cooked|tried|passed|failed|applied|celebrated|organi[sz]ed|volunteered|been)\b",
    re.IGNORECASE,
)

# Any other statement about oneself: chosen on REALTALK, where it lifts the evidence that is kept from .515 to .645.
_STATEMENT = re.compile(
    r"^(?:(?:i|we)(?:['’]?(?:ve|m|re))?|my|our)\s+"
    r"(?!(?:(?:am|are|was|were|have|had|just|really|also|still|not)\s+)*(?:need|want|wanna|would|think|thinking|guess|hope|"
    r"hoping|wonder|wondering|agree|know|see|understand|mean|wish|will|can|could|should|might|may|bet|hear|suppose|"
    r"believe|swear|promise|appreciate|say|said|asked?|asking|looking|trying|sure|sorry|glad|curious|"
    r"(?:love|like) (?:that|this|it|to)|feel like|get it|question|problem|code|error)\b)\w",
    re.IGNORECASE,
)
_CONTENT_WORDS = 3


def facts_of(text: str) -> list[Fact]:
    """The facts in a message of a user, in order. Quoted and pasted text is left out: it is not what the user says.
    Nothing is taken from a sentence that reads like an attack on a model."""
    found: list[Fact] = []
    for sentence in sentences(_own(text)):
        if _ASKED.search(sentence) or _UNTOLD.match(sentence) or injection.scan(sentence):
            continue
        told = _TOLD.match(sentence) is not None
        for clause in _clauses(sentence):
            fact = fact_of(clause)
            if fact is None and told and _LEAST <= len(clause) <= _MOST:
                fact = Fact(clause, "fact")
            if fact is not None and fact not in found:
                found.append(fact)
    return found


def fact_of(clause: str) -> Fact | None:
    """``clause`` as a fact, if it is one."""
    if not _LEAST <= len(clause) <= _MOST or _SURE.search(clause):
        return None
    if (slotted := _slotted(clause)) is not None:
        return Fact(clause, *slotted)
    if _WISH.search(clause) and not _LIKE_TO.search(clause):
        return Fact(clause, "preference")
    if _EVENT.search(clause):
        return Fact(clause, "event")
    if _FACT.search(clause):
        return Fact(clause, "fact")
    return Fact(clause, "event") if _STATEMENT.match(clause) and len(words(clause)) >= _CONTENT_WORDS else None


def kind_and_slot(text: str) -> tuple[Kind, str]:
    """Of a fact that was given as such."""
    found = fact_of(text.strip())
    return ("fact", "") if found is None else (found.kind, found.slot)


def _slotted(clause: str) -> tuple[Kind, str] | None:
    for pattern, kind, slot in _ONE:
        if pattern.search(clause):
            return kind, slot
    if (match := _FAVOURITE.search(clause)) is not None:
        return "preference", f"favourite {_object(match[1])}"
    if (match := _MINE.search(clause)) is not None:
        return "fact", f"my {_object(match[1])}"
    if (match := _THEIRS.search(clause)) is not None:
        return "fact", f"my {_object(match[1])} {_predicate(match[2])}"
    if (match := _ALLERGIC.search(clause)) is not None:
        return "fact", f"allergic {_object(match[1])}"
    if _LIKE_TO.search(clause):
        return None
    if (match := _PREFER.search(clause)) is not None:
        named = _object(match[1]).split()
        return "preference", f"prefer {named[-1]}" if named else ""
    if (match := _TASTE.search(clause)) is not None:
        return "preference", f"like {_object(match[1])}"
    if (match := _HABIT.search(clause)) is not None:
        return "fact", f"{words(match[1])[0] if words(match[1]) else match[1]} {_object(match[2])}"
    return None


def _object(text: str) -> str:
    """The content words of what a verb is about, up to where another thought begins."""
    return " ".join(words(_SEPARATE.split(re.split(r"[,.;:!()]", text)[0])[0])[:4])


def _predicate(text: str) -> str:
    verb = text.lower().strip()
    if verb in ("called", "named", "name is"):
        return "name"
    return "age" if verb.startswith("is") else verb.rstrip("s")


def _own(text: str) -> str:
    """``text`` without what is quoted or pasted."""
    parts: list[str] = []
    position = 0
    for start, end in quoted_text.spans(text):
        parts.append(text[position:start])
        position = end
    return _QUOTED.sub("\n", "\n".join([*parts, text[position:]]))


def _clauses(sentence: str) -> Iterator[str]:
    for part in _parts(sentence):
        clause = part.strip()
        while (match := _LEAD.match(clause)) is not None and match.end():
            clause = clause[match.end() :]
        clause = clause.strip(" ,.;:-")
        if clause:
            yield clause[0].upper() + clause[1:]


def _parts(sentence: str) -> Sequence[str]:
    return [part for part in _CLAUSE.split(sentence) if part]
