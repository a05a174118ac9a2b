"""Follow-up questions made to stand alone: "and in winter?" after "When does the shop open in summer?"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mainspring.core.types import Message
from mainspring.rag.query import wishes
from mainspring.rag.query.model import Ask, ModelAsk, soft
from mainspring.rag.query.plan import PlanStep
from mainspring.rag.text import slots, terms

MAX_TOKENS = 80
_INSTRUCTION = (
    "Rewrite the last question so that it can be understood without the conversation. Put names in place of pronouns. "
    "Write the question only, and do not answer it."
)
_TURNS = 6
_CHARACTERS = 600
# A question with fewer content words than this leans on the one before it.
_STANDS_ALONE = 2
_ELLIPSIS = re.compile(
    r"^\s*(?:and|or|but|so|then|also|what about|how about|what if|why|why not|same (?:for|question|thing|again)"
    r"|the same|instead|otherwise|for (?:example|instance)|anything else"
    r"|(?:any (?:others?|more|exceptions?|examples?)|(?:what(?: is|['’]s) )?the (?:first|second|third|last|next|other)"
    r" (?:one|option|point|step|case|item)|(?:give|show) me (?:an|another|some) examples?|are you sure)"
    r"(?=[\s.?!]*$))\b",
    re.IGNORECASE,
)
# "In a shop?", "For members, too?": a place or a case of the earlier question.
_FRAGMENT = re.compile(
    r"^\s*(?:in|at|on|for|with|without|to|from|by|during|per|under|as|if|when|within|outside|after|before)\s"
    r"(?:(?!\b(?:what|which|who|whom|where|when|why|how|is|are|do|does|did|can|may|must|should|will|has|have)\b).)*+\s*$",
    re.IGNORECASE,
)
# "The smallest size it applies to": "it" refers to nothing in the question.
_RELATIVE = re.compile(r"\b(?P<noun>[a-z]+)\s+(?:it|they|he|she)\s+[a-z]+", re.IGNORECASE)
_CONDITION = re.compile(r"\b(?:if|when|while|because|since|before|after|once|until|unless|though)\b", re.IGNORECASE)
_REFERS = re.compile(
    r"\b(?:it|its|they|them|their|theirs|he|him|his|she|hers?|those|these|ones|the (?:former|latter|same|other)"
    r"|(?:this|that)(?=\s*(?:one|[?.,!]|$)|\s+(?:is|was|does|do|did|has|can|will|would|apply|cost|mean|work|be|take"
    r"|need|require|include|happen|start|end|last|in|into|for|again|more|to|from|with|without)\b))(?!\w)",
    re.IGNORECASE,
)


def leans(question: str) -> bool:
    """Whether a question is probably not understood without the one before."""
    if wishes.of_form(question):
        return True
    if len(terms.content(question)) < _STANDS_ALONE or _ELLIPSIS.match(question) or _FRAGMENT.match(question):
        return True
    if any(not terms.stops(match["noun"].lower()) for match in _RELATIVE.finditer(_CONDITION.split(question)[0])):
        return True
    refers = _REFERS.search(question)
    # "When a grinder jams, how is it cleaned?" names what it refers to.
    return refers is not None and len(terms.content(question[: refers.start()])) < _STANDS_ALONE


def by_rules(question: str, before: Sequence[str]) -> str:
    """``question`` so that it stands alone: the latest self-contained question of ``before`` with what ``question``
    names in the place of its like; where that place is not clear, both questions and the one right before. The
    question itself where it leans on none."""
    if not before or not leans(question):
        return question
    at = next((at for at in reversed(range(len(before))) if not leans(before[at])), None)
    if at is None:
        return "\n".join(dict.fromkeys([before[0], before[-1], question]))
    base, whole = _standing(before[at], before[at + 1 :])
    found = slots.put(base, question) if whole and not wishes.of_form(question) else ""
    last = [] if whole and not wishes.of_form(before[-1]) else [before[-1]]
    return found or "\n".join(dict.fromkeys([base, *last, question]))


def _standing(question: str, later: Sequence[str]) -> tuple[str, bool]:
    """``question`` as the follow-ups ``later`` left it, and whether it says what all of them named."""
    for each in later:
        if wishes.of_form(each):
            continue
        found = slots.put(question, each)
        if not found:
            return question, False
        question = found
    return question, True


async def condensed(question: str, history: Sequence[Message], ask: ModelAsk | None, step: PlanStep, room: int) -> str:
    """``question`` so that it stands alone: as a capable model rewrites it, else by rules. ``step`` says which."""
    said = [each.content.strip() for each in history if each.role == "user" and each.content.strip()]
    found = ""
    if said and ask is not None and ask.capable and leans(question):
        found = await by_model(question, history, ask, step, room)
    step.note = step.note or ("by a model" if found else "")
    found = found or by_rules(question, said)
    step.changed = found != question
    return found


async def by_model(question: str, history: Sequence[Message], ask: Ask, step: PlanStep, room: int) -> str:
    """The question as a capable model rewrites it; empty if it failed."""
    said = [f"{each.role}: {each.content.strip()[:_CHARACTERS]}" for each in history[-_TURNS:] if each.content.strip()]
    text = "\n".join([*said, f"Last question: {question}"])
    return await soft(ask, step, _INSTRUCTION, text, MAX_TOKENS, room)
