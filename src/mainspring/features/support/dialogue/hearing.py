"""What a message says apart from its subject: yes or no, a wish for a person, anger, small talk, corrections."""

from __future__ import annotations

import re

READ = 2000
"""Characters of a message that are read, of its beginning and its end: patterns look from each place of a message to
places behind it, so that they take quadratic time."""
_END = 500
_LOOKED_AT = 20_000
_BLANKS = re.compile(r"([^\S\n])[^\S\n]+|(\n)\s+")

_YES = re.compile(
    r"^\W*(yes|yep|yeah|yup|y|sure|ok|okay|correct|exactly|right|confirm(ed)?|i confirm|please do|go ahead|do it|"
    r"that'?s (right|correct|fine|it)|sounds good|fine|perfect|great|absolutely|of course|proceed|alright|all right)\b",
    re.IGNORECASE,
)
_NO = re.compile(
    r"^\W*(no|nope|nah|n|don'?t|do not|stop|never ?mind|forget (it|that)|leave it|rather not|not now|wait|hold on|"
    r"cancel that|i('ve| have) changed my mind)\b",
    re.IGNORECASE,
)
_HUMAN = re.compile(
    r"\b(speak|talk|chat|connect|transfer|hand|put|pass|get|give|want|need|reach|contact)\b[^.?!]{0,40}\b(human|person|"
    r"real person|agent|representative|rep|someone real|somebody real|operator|manager|supervisor|colleague|"
    r"member of staff|staff|advis[eo]r|human being)\b|^\W*(human|agent|operator|representative|real person)\b|"
    r"\b(real|actual|live) (human|person|agent)\b|\bnot (a|with a|to a) (bot|robot|machine)\b|"
    r"\b(speak|talk) (to|with) (someone|somebody|anyone|a person)\b|\bescalate\b|"
    r"\b(call|phone|ring) me\b|\bmanager\b.{0,20}\bnow\b|\b(stupid|useless|dumb) (bot|robot|machine)\b",
    re.IGNORECASE,
)
_NOT_HUMAN = re.compile(r"\b(return|refund|pay|send|ship|travel|estate|user) agent\b", re.IGNORECASE)
_ANGRY = re.compile(
    r"\b(ridiculous|unacceptable|outrageous|disgrace(ful)?|terrible service|worst|furious|fed up|sick of|appalling|"
    r"disgusting|scam|fraudsters?|thieves|rip[- ]?off|lawyer|sue|trading standards|ombudsman|complaint|complain|"
    r"incompetent|pathetic|wtf|bullshit|damn|bloody|fuck\w*|shit\w*|angry|livid|last time i (buy|order)|third time|"
    r"how many times)\b",
    re.IGNORECASE,
)
_HELLO = re.compile(r"^\W*(hi|hello|hey|good (morning|afternoon|evening)|greetings|hiya)\b[^?]{0,25}$", re.IGNORECASE)
_THANKS = re.compile(
    (
        r"^\W*(ok(ay)?\W+|great\W+|perfect\W+)?(thanks?( you)?|thank "
        r"you|cheers|ta|much appreciated|appreciate it)\b[^?]{0,60}$"
    ),
    re.IGNORECASE,
)
_BYE = re.compile(
    r"^\W*((ok(ay)?|no)\W+)?(bye|goodbye|see you|that('?s| is| will be) all|that'?s everything|nothing else|"
    r"no,? thanks?( you)?|no,? that'?s (it|all)|i'?m (all )?(good|set|done))\b[^?]{0,40}$",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"\b(other|another|different|wrong) (one|order|item|parcel|product)\b|\bnot (that|this) (one|order|item)\b|"
    r"\bi mean(t)?\b|\bsorry,? (it'?s|the)\b|\bthe other\b",
    re.IGNORECASE,
)
_AMENDS = re.compile(
    r"\b(?:actually,? no|no,? wait|wait,? no|no,? sorry|scratch that|correction|sorry,? i mean|no,? i mean)\b"
    r"[,:;]?\s{0,9}(?=.{4})",
    re.IGNORECASE | re.DOTALL,
)
# A correction corrects so many characters at the least.
_AMENDED = 9
_HELP = re.compile(
    r"^\W*(help|what can you do|how can you help|can you help( me)?|i need (some )?help|what do you do)\b[^.]{0,30}$",
    re.IGNORECASE,
)


_MEANT = re.compile(r"\b(?:sorry|actually|no|rather)\b[^.?!]{0,30}\bi mean(?:t)?\b(.*?)(?:[.?!]|$)", re.IGNORECASE)


def heard(text: str) -> str:
    """What is read of a message, ``READ`` characters at most; blanks in a row are one."""
    if len(text) > _LOOKED_AT:
        text = f"{text[: _LOOKED_AT // 2]}\n{text[-_LOOKED_AT // 2 :]}"
    text = _BLANKS.sub(r"\1\2", text)
    return text if len(text) <= READ else f"{text[: READ - _END - 1]}\n{text[-_END:]}"


def meant(text: str) -> str:
    """What is meant after all, where a message corrects itself: "sorry, I mean the rucksack"."""
    found = _MEANT.search(text)
    return found[1].strip() if found else text


_TAKES_BACK = re.compile(
    r"\bchanged my mind\b|\bleave (?:it|this|that|the \w+|everything)\b[^.?!]{0,20}\bas (?:it is|they are)\b|"
    r"\bkeep (?:it|them|the \w+)\b|\bforget (?:it|about it)\b|\bnever ?mind\b",
    re.IGNORECASE,
)


def takes_back(text: str) -> bool:
    """Whether it takes a wish back."""
    return _TAKES_BACK.search(text) is not None


def yes(text: str) -> bool:
    """Whether it begins with a yes, and does not take it back."""
    return _YES.match(text) is not None and not re.search(r"\bbut (not|first|wait)\b", text, re.IGNORECASE)


def no(text: str) -> bool:
    return _NO.match(text) is not None


def wants_person(text: str) -> bool:
    return _HUMAN.search(text) is not None and _NOT_HUMAN.search(text) is None


def angry(text: str) -> bool:
    """Whether it has words of anger, or is shouted."""
    letters = [each for each in text if each.isalpha()]
    shouted = len(letters) > 20 and sum(each.isupper() for each in letters) > 0.8 * len(letters)
    return shouted or _ANGRY.search(text) is not None


_HOW_TO_COMPLAIN = re.compile(
    r"^\W{0,40}(?:where|how|who|whom|what|which)\b[^?]{0,200}\bcomplain(?:t|ts)?\b[^?]{0,200}\?", re.IGNORECASE
)


def asks_how_to_complain(text: str) -> bool:
    """Whether it asks how complaints are made, which is no complaint."""
    return _HOW_TO_COMPLAIN.match(text) is not None


def hello(text: str) -> bool:
    return _HELLO.match(text) is not None


def thanks(text: str) -> bool:
    return _THANKS.match(text) is not None


def bye(text: str) -> bool:
    return _BYE.match(text) is not None


def asks_for_help(text: str) -> bool:
    return _HELP.match(text) is not None


def other_one(text: str) -> bool:
    """Whether it says that something else was meant."""
    return _OTHER.search(text) is not None


def amended(text: str) -> str:
    """What is meant where a message corrects itself ("the jacket. No, sorry, I mean the rucksack"): the sentence of
    the correction; all of it otherwise."""
    begin = len(text) - len(text.lstrip())
    found = next((each for each in _AMENDS.finditer(text) if each.start() - begin >= _AMENDED), None)
    return re.split(r"(?<=[.!?])\s", text[found.end() :], maxsplit=1)[0] if found else meant(text)


def bare(text: str) -> bool:
    """Whether it is little more than a yes or a no."""
    return len(text.split()) <= 4
