"""Messages that only wish the answer before in another form ("in simple terms, please", "tell me more", "where does it
say that?"): there is nothing in them to search for."""

from __future__ import annotations

import re

from mainspring.rag.parse.language import NAMES

# A longer message has something of its own to say.
_LONGEST = 100
_YOU = r"(?:(?:please|ok(?:ay)?|and|but|sorry|no|now)[\s,.]+)*(?:(?:can|could|would|will) you\s+)?(?:please\s+)?"
_ANSWER = r"(?:\s+(?:it|this|that|me|us|again|(?:the|your) (?:last )?answer))*"
_THAT = r"(?:it|this|that)"
_WAYS = (
    "in into for as to with without like more less much a an the my one two three i['’]m other different fewer simple "
    "simpler simply plain easy easier clearly briefly shortly short shorter brief words? terms? sentences? points? "
    "bullet list table language child beginner layperson jargon five details? bit little again differently slowly"
).split()
_HOW = rf"(?:\s+(?:{'|'.join([*_WAYS, *(name.lower() for name in NAMES.values())])}|\d{{1,3}}\b),?)*"
_PLACE = r"(?:where|which (?:document|page|section|source|file|chapter))"
_FORM = re.compile(
    rf"\W*{_YOU}(?:"
    r"(?:explain|say|put|repeat|rephrase|reword|translate|summari[sz]e|shorten|simplify|answer|reply|write|elaborate"
    rf"|expand)(?:\s+on)?{_ANSWER}{_HOW}"
    r"|go on|continue"
    r"|(?:(?:tell|give|show) me\s+)?(?:(?:some|a (?:bit|little|few)|even|much)\s+)*more"
    rf"(?:\s+(?:details?|information|info))?(?:\s+(?:about|on|of) {_THAT})?"
    r"|(?:(?:make (?:it|that)|a (?:bit|little)|much)\s+)*(?:(?:more|less)\s+)?"
    r"(?:shorter|longer|briefer|simpler|simply|briefly|detailed)"
    rf"|in{_HOW}"
    rf"|(?:{_PLACE}|who)\s+(?:does it\s+)?(?:says?|states?|mentions?)\s+{_THAT}"
    rf"|{_PLACE}\s+(?:is|does|did)\s+{_THAT}\s+(?:from|in|come from|stand|written)"
    rf"|(?:what(?: is|['’]s)|show me) (?:the|your) (?:source|exact wording)(?:\s+(?:of|for) {_THAT})?"
    r")[\s,]*(?:please)?[\s.?!]*",
    re.IGNORECASE,
)
_MORE = re.compile(
    r"\b(?:more|go on|continue|elaborate|expand)\b(?!\s+(?:simpl|clear|brief|short|slow|precise))", re.IGNORECASE
)


def of_form(message: str) -> bool:
    """Whether ``message`` wishes the answer before in another form, and nothing else."""
    return len(message) <= _LONGEST and _FORM.fullmatch(message) is not None


def more(question: str) -> int:
    """How often the last lines of a condensed ``question`` ask for more of its answer."""
    times = 0
    for line in reversed(question.splitlines()[1:]):
        if not of_form(line) or _MORE.search(line) is None:
            break
        times += 1
    return times


def searched(question: str) -> str:
    """The lines of ``question`` that are to be searched; all if none has anything to search for."""
    lines = question.splitlines()
    kept = [line for line in lines if not of_form(line)]
    return "\n".join(kept) if 0 < len(kept) < len(lines) else question
