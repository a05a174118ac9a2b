"""Customers without a language model: they say their scenario in their own words, one answer at a time.

What they say is made of the scenario alone. They do not know the golden calls, nor how an agent works. They take an
agent's message for one of a few kinds (asks who they are, asks for a confirmation, refuses, asks for a detail, is
done) and answer as the scenario has it; what the scenario does not say they leave to the agent ("I do not remember").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

END = "No, that is all. Thank you, goodbye."
_WHO = re.compile(
    r"e-?mail|zip|postal code|full name|your name|first name|last name|user id|verify|identi(?:ty|fy)|authenticat", re.I
)
_CONFIRM = re.compile(
    r"\byes\b|\bconfirm|go ahead\?|proceed\?|is (?:that|this) (?:right|correct|ok)|shall i|should i|do you want me to"
    r"|would you like me to|do you agree",
    re.I,
)
_REFUSES = re.compile(
    r"\b(?:cannot|can't|can not|unable|not possible|impossible|not available|unavailable|not allowed|isn't possible"
    r"|no longer be|not found|could not|couldn't|does not exist|insufficient|not enough|not eligible|sorry)\b",
    re.I,
)
_ORDER = re.compile(r"order (?:id|number)|which order|what order|number of (?:the|your) order", re.I)
_PAYMENT = re.compile(r"payment|refund (?:method|to)|pay |gift card|credit card|paypal|card", re.I)
_REASON = re.compile(r"reason|\bwhy\b|no longer needed", re.I)
_MORE = re.compile(
    r"anything else|something else|any other|further (?:help|assist)|help you with\??$|how (?:can|may) i (?:help"
    r"|assist)"
    r"|what can i do|all (?:the )?items",
    re.I,
)
_GONE = re.compile(
    r"being transferred|transferr?ed (?:you )?to a (?:human|person)|person (?:will|takes)|hand(?:ed)? over", re.I
)
_ADDRESS = re.compile(r"\bnew address|street|address (?:line|should|shall)", re.I)
_ASKS = re.compile(r"\?|\bplease (?:tell|provide|give|share|confirm|let|specify|reply|answer)\b", re.I)
_WISH = re.compile(r"(?:then |also )?i (?:also )?(?:want|would like)\b", re.I)
_LATER = re.compile(r"^(?:once|after)\b|\b(?:has|have) confirmed\b", re.I)
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z(\"'])|,\s+(?:but|and)\s+(?=if\b)")
_WORD = re.compile(r"[a-z0-9#]+")
_STOP = frozenset(
    "the a an and or to of for in on is are do you i me my your it that this with be can will would".split()
)
_SECRET = re.compile(r"\((?:[^()]*\bdo not (?:reveal|tell|say|mention)[^()]*)\)", re.I)
_CONDITION = re.compile(r"^(?:but |and )?(?:if|when|once|in case|only if|unless)\b", re.I)

_PERSONS: Sequence[tuple[str, str]] = (
    # As some scenarios write it.
    (r"\byou name is\b", "my name is"),
    (r"\byou are\b", "I am"),
    (r"\byou're\b", "I'm"),
    (r"\byou were\b", "I was"),
    (r"\byou've\b", "I've"),
    (r"\byou'd\b", "I'd"),
    (r"\byou'll\b", "I'll"),
    (r"\byourself\b", "myself"),
    (r"\byours\b", "mine"),
    (r"\byour\b", "my"),
    (
        r"\b(to|for|with|from|about|at|of|tells?|gives?|let|help|send|saves?|sent|refund|asks?|gave|cost|by|on)"
        r" you\b(?! (?:want|would|need|have|can|prefer|like|are|do|did|should|will|must|may|ordered|received|just)\b)",
        r"\1 me",
    ),
    (r"\byou\b", "I"),
    (r"\bthe agent\b", "you"),
)


def first_person(text: str) -> str:
    """A scenario's "You want your order" as its customer says it: "I want my order"."""
    text = _SECRET.sub("", text)
    text = re.sub(r"\bask the agent to\b", "PLEASE", text, flags=re.I)
    text = re.sub(r"\bask the agent\b", "PLEASETELL", text, flags=re.I)
    for pattern, wanted in _PERSONS:
        text = re.sub(pattern, wanted, text, flags=re.I)
    text = text.replace("PLEASETELL", "please tell me").replace("PLEASE", "please")
    text = re.sub(r"\byou (ask|tell|say|confirm|give|refuse|insist|offer|need|want)s\b", r"you \1", text)
    text = re.sub(r"\byou has\b", "you have", text)
    text = re.sub(r"\byou is\b", "you are", text)
    text = re.sub(r" +(?=[ ,.])", "", text).replace("..", ".").strip()
    return text[:1].upper() + text[1:]


def sentences(text: str) -> list[str]:
    """The sentences of a scenario, without what says nothing."""
    return [
        each[:1].upper() + each[1:].strip()
        for each in _SENTENCE.split(text.strip())
        if _WORD.search(each.lower()) and each != "None"
    ]


@dataclass(slots=True)
class ScriptedUser:
    """A customer with wishes. ``wishes`` are said in the opening; ``conditions`` ("If it is not possible ...") when
    the agent refuses, asks or is done; ``identity`` when it asks who they are. ``patience`` bounds what is said."""

    wishes: list[str]
    conditions: list[str]
    identity: str
    patience: int = 14
    said: int = 0
    _told: set[str] = field(default_factory=set)
    _last: str = ""

    @classmethod
    def of(cls, reason: str, known: str, unknown: str, behaviour: str = "") -> ScriptedUser:
        """The customer of a scenario in the second person. Of how they behave only wishes and conditions are said."""
        told = [first_person(each) for each in sentences(reason)]
        conditions = [each for each in told if _CONDITION.match(each)]
        more = [first_person(each) for each in sentences(behaviour)]
        conditions += [each for each in more if _CONDITION.match(each) and each not in conditions]
        wishes = [each for each in told if each not in conditions]
        wishes += [each for each in more if _WISH.match(each)]
        identity = " ".join(first_person(each) for each in [*sentences(known), *sentences(unknown)])
        return cls(wishes or conditions, conditions if wishes else [], identity)

    def opening(self) -> str:
        """What the customer says first."""
        self.said += 1
        return "Hello. " + " ".join(self.wishes)

    def answer(self, message: str) -> str | None:
        """What the customer says to the agent's ``message``; None: they have left."""
        self.said += 1
        if self.said > self.patience or _GONE.search(message) or self._last == END:
            return None
        self._last = self._answer(message)
        return self._last

    def _answer(self, message: str) -> str:
        question = _question(message)
        place = _ADDRESS.search(question)
        if _WHO.search(question) and not place and self._once("who"):
            return self.identity
        if _REFUSES.search(message) and (next_one := self._condition("")):
            return next_one
        if _CONFIRM.search(question) and not _MORE.search(question):
            if first := self._condition("confirm"):
                return first
            return "Yes, please go ahead."
        if place and (known := [each for each in self.wishes if re.search(r"\d|address", each)]):
            return " ".join(known)
        if question:
            return self._detail(question)
        if next_one := self._condition(""):
            return next_one
        if self._once("remind"):
            return "Please do what I asked for. " + " ".join(self.wishes)
        return END

    def _detail(self, message: str) -> str:
        """The answer to a question about one thing."""
        everything = [*self.wishes, *self.conditions, *sentences(self.identity)]
        if _MORE.search(message):
            return self._condition("") or END
        if _ORDER.search(message):
            known = [each for each in everything if "#W" in each or re.search(r"\bW\d{5,}", each)]
            return " ".join(known) or "I do not remember the order number. Please look it up in my account."
        if _REASON.search(message):
            known = [each for each in everything if re.search(r"no longer|mistake|because|since", each, re.I)]
            return " ".join(known) or "It is no longer needed."
        if _PAYMENT.search(message):
            known = [each for each in everything if _PAYMENT.search(each)]
            return " ".join(known) or "Please use the payment method of the original order."
        if _WHO.search(message):
            return self.identity
        asked = set(_WORD.findall(message.lower())) - _STOP
        best = max(everything, key=lambda each: len(asked & set(_WORD.findall(each.lower()))), default="")
        return best if best and self._count(best) < 3 else END

    def _condition(self, about: str) -> str:
        """The next condition that was not said; ``about``: one for the moment at which a confirmation is asked for."""
        for each in self.conditions:
            confirms = "confirm" in each.lower() and not _LATER.search(each)
            if each not in self._told and confirms == bool(about):
                self._told.add(each)
                return each
        return ""

    def _once(self, key: str) -> bool:
        first = key not in self._told
        self._told.add(key)
        return first

    def _count(self, text: str) -> int:
        count = sum(each.startswith(text + "\0") for each in self._told)
        self._told.add(f"{text}\0{count}")
        return count


def _question(message: str) -> str:
    """What a message asks, from its last question on; empty: it asks nothing."""
    parts = re.split(r"(?<=[.!?:])\s+", message)
    asking = [at for at, each in enumerate(parts) if _ASKS.search(each)]
    return " ".join(parts[max(0, asking[-1] - 1) :]) if asking else ""
