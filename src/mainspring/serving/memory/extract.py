"""Takes notes from a conversation by rules: statements of people about themselves, names, numbers, dates, identifiers,
lasting wishes, and the most central sentences. Every note is an original sentence.

The patterns are English; in other languages only numbers, names and centrality count.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from mainspring.serving.memory.base import Exchange
from mainspring.serving.memory.notes import Note
from mainspring.serving.memory.terms import sentences, words

_MAX_CHARACTERS = 320
_FACT = re.compile(
    r"\b(?:my|our)\s+(?:[\w'’-]+\s+){1,4}(?:is|are|was|were|will be|starts?|ends?|has|have)\b"
    r"|\b(?:i am|i['’]m|i was|we are|we['’]re)\s+(?!going to|trying|looking|sorry|sure|fine|good|okay|just|not sure|"
    r"wondering|thinking)\w+"
    r"|\b(?:i|we)\s+(?:have|own|live|work|moved|study|use|drive|play|speak|manage|lead|run|come from|"
    r"grew up|was born)\b"
    r"|\b(?:i|we)(?:['’]ve| have) (?:been|always|never)\b"
    r"|\bcall me\b|\ballergic\b|\bname['’]?s?\s+(?:is\s+)?[A-Z]",
    re.IGNORECASE,
)
_STATED = re.compile(
    r"^(?:[\w'’]+,? )?(?:the|this|that|his|her|their|its)\s+(?:[\w'’-]+\s+){1,5}(?:is|are|was|were|has|have|can|ends?|"
    r"starts?|costs?|leaves?|must|needs?)\b",
    re.IGNORECASE,
)
_LASTING = re.compile(
    r"\b(?:remember|don['’]t forget|keep in mind|note that|for the record|from now on|always|never)\b"
    r"|\b(?:i|we)\s+(?:prefer|like(?! (?:an?|to)\b)|love|hate|dislike|enjoy|avoid|can['’]t|cannot|only|usually)\b"
    r"|\bfavou?rite\b",
    re.IGNORECASE,
)
_SETTLED = re.compile(
    r"\b(?:booked|confirmed|confirmation|reserved|scheduled|reference|ticket|agreed|decided|deadline|due|"
    r"order number|account|password|code|appointment|total (?:is|comes))\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d")
# Looked for only where a run of such characters begins: from every place within one it would be read to its end.
_IDENTIFIER = re.compile(
    r"(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{4,}\b|(?<!\S)[^\s@]+@[^\s@]+\.\w+|\bhttps?://\S+"
)
_DATE = re.compile(
    r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December|"
    r"Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)(?:day)?\b"
)
_NAME = re.compile(r"(?<=[\w,;:] )(?!I\b|I['’])[A-Z][\w'’-]+")
_QUESTION = re.compile(r"[?？]\s*[\"'”’)]*$")
_IDLE = re.compile(
    r"^(?:hi|hello|hey|thanks?|thank you|ok(?:ay)?|yes|no|sure|great|perfect|bye)\b[^.]{0,24}$", re.IGNORECASE
)


def notes_of(groups: Sequence[Exchange]) -> list[Note]:
    """The sentences of these exchanges that are worth keeping, with their weights, in order."""
    found = [
        (each.turn, group.number, each.message.role, sentence)
        for group in groups
        for each in group.said
        if each.message.role in ("user", "assistant")
        for sentence in sentences(each.message.content)
    ]
    central = _centrality([sentence for *_, sentence in found])
    notes = []
    for (turn, number, role, sentence), share in zip(found, central, strict=True):
        weight = _weight(sentence, role) + share
        if role == "user" and number == 0:
            # A conversation's first message states its subject.
            weight += 1.0
        if weight >= 1.0:
            text = sentence if len(sentence) <= _MAX_CHARACTERS else f"{sentence[:_MAX_CHARACTERS].rstrip()}…"
            notes.append(Note(turn, number, role, text, round(weight, 3)))
    return notes


def _weight(sentence: str, role: str) -> float:
    if _IDLE.match(sentence) or len(sentence) < 8:
        return -1.0
    details = (
        min(2, len(_NAME.findall(sentence))) * 0.5
        + (0.5 if _NUMBER.search(sentence) else 0.0)
        + (0.5 if _DATE.search(sentence) else 0.0)
        + (1.0 if _IDENTIFIER.search(sentence) else 0.0)
    )
    if role != "user":
        return (
            0.5 * details + (1.0 if _SETTLED.search(sentence) else 0.0) - (2.0 if _QUESTION.search(sentence) else 0.0)
        )
    told = (3.0 if _FACT.search(sentence) else 0.0) + (2.0 if _LASTING.search(sentence) else 0.0)
    if not told and _STATED.search(sentence):
        told = 2.0
    if _SETTLED.search(sentence):
        told += 1.0
    return told + details - (2.5 if _QUESTION.search(sentence) else 0.0)


def _centrality(texts: Sequence[str]) -> list[float]:
    """For each text, from 0 to 1, how much of the common subject of the texts is in it."""
    bags = [frozenset(words(text)) for text in texts]
    spread = Counter(word for bag in bags for word in bag)
    # A word that only one text has ties it to no other.
    scores = [sum(math.log(spread[word]) for word in bag if spread[word] > 1) / math.sqrt(len(bag) + 3) for bag in bags]
    most = max(scores, default=0.0) or 1.0
    return [score / most for score in scores]
