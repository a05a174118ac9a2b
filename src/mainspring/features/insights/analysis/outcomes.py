"""How a conversation ended, by rules over its turns; the first rule that holds decides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["open", "resolved", "escalated", "abandoned", "refused"]
OUTCOMES: tuple[Outcome, ...] = ("open", "resolved", "escalated", "abandoned", "refused")

_THANKS = re.compile(
    r"\b(thank(s| you)|thx|ty|cheers|perfect|great|awesome|that('s| is) all|that helps|that worked|it works( now)?|"
    r"works now|solved|got it|merci|gracias|danke|obrigad[oa]|grazie)\b|감사|고마|ありがとう|谢谢",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"\b(not|n't|no|doesn'?t|didn'?t|isn'?t|won'?t|can'?t|still|but|however)\b|\?\s*$|\bthanks for nothing\b",
    re.IGNORECASE,
)
_PEOPLE = re.compile(
    r"\b(speak|talk|connect|transfer|put|get)\b.{0,30}\b(human|person|agent|representative|someone|somebody|manager|"
    r"supervisor|people)\b|\b(real|actual|live) (person|human|agent)\b|\bhuman (agent|being)\b",
    re.IGNORECASE,
)
_BEHIND_QUESTION = "\"'”’)]*"
_CLOSING = re.compile(r"\b(anything else|something else|further questions?)\b", re.IGNORECASE)
_HANDED = re.compile(
    r"\b(handed|passed|transferr?ed|forwarded|escalated|connect(ed|ing))\b.{0,60}"
    r"\b(colleague|team|person|human|agent|specialist|someone|staff)\b|\bcase [A-Z]{1,4}-?\d+\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Ended:
    """The outcome, and the rule that decided."""

    outcome: Outcome
    why: str


@dataclass(frozen=True, slots=True)
class Signs:
    """What a turn shows. ``status`` is that of its answer. ``refused``: the documents, or a policy, did not allow an
    answer. ``grounded``: the answer cites, and no sentence of it is unsupported. ``tools_ok`` and ``tools_failed``
    count calls. ``thanks``: the customer was content with what came before."""

    status: str = "completed"
    refused: bool = False
    grounded: bool = False
    rating: str = ""
    thanks: bool = False
    asks_back: bool = False
    escalated: bool = False
    tools_ok: int = 0
    tools_failed: int = 0
    sentiment: float | None = None


def thanked(text: str) -> bool:
    """Whether a customer's words are content: thanks or a success, and no objection or question beside it."""
    return bool(_THANKS.search(text)) and not _NOT.search(text)


def wants_people(text: str) -> bool:
    """Whether a customer asks for a person."""
    return bool(_PEOPLE.search(text))


def asks_back(answer: str) -> bool:
    """Whether an answer ends with a question that waits for its answer."""
    asks = answer.rstrip().rstrip(_BEHIND_QUESTION).rstrip().endswith("?")
    return asks and not _CLOSING.search(answer)


def handed_over(answer: str) -> bool:
    """Whether an answer says that people take over."""
    return bool(_HANDED.search(answer))


def ended(turns: Sequence[Signs], *, over: bool, again: bool) -> Ended:
    """The outcome of a conversation with these turns, oldest first.

    ``over``: it has been idle for long enough. ``again``: the same person came back on the same topic soon after.
    """
    if any(each.escalated for each in turns):
        return Ended("escalated", "people took over")
    if not over:
        return Ended("open", "")
    last = turns[-1]
    told = [each for each in turns if not each.thanks] or list(turns)
    if last.rating == "down":
        return Ended("refused" if told[-1].refused else "abandoned", "thumb down")
    if again:
        return Ended("abandoned", "the same topic again")
    if last.thanks or last.rating == "up":
        return Ended("resolved", "thanks" if last.thanks else "thumb up")
    if told[-1].refused:
        return Ended("refused", "no answer")
    if last.status != "completed":
        return Ended("abandoned", "the answer failed or was left")
    if last.asks_back:
        return Ended("abandoned", "a question was left open")
    if last.tools_failed and not last.tools_ok:
        return Ended("abandoned", "its tools failed")
    if last.sentiment is not None and last.sentiment <= -0.5:
        return Ended("abandoned", "angry at the end")
    if any(each.tools_ok for each in turns):
        return Ended("resolved", "its tools succeeded")
    return Ended("resolved", "answered") if last.grounded else Ended("resolved", "nothing more was asked")
