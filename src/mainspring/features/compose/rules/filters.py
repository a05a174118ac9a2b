"""What is not suggested: phrases that are too long, unsure, said already, not for the office, or about people.

Neutral words take the place of those that name a sex (``guards/rules/default.yaml``: he/she to they, chairman to
chairperson); what cannot be made neutral is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Literal

from mainspring.core import yaml_files
from mainspring.guards.detect import pii
from mainspring.guards.rules import file as rules_file
from mainspring.guards.rules.rewrite import Rewriting

Reason = Literal["long", "unsure", "duplicate", "language", "topic", "personal", "name", "person", "empty"]
"""``language`` is not for the office, ``topic`` is one that nobody wants words put in their mouth for, ``personal`` are
personal data and secrets, ``name`` is of somebody whom the mail does not name, ``person`` describes people by a group
that they belong to."""
_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_CAPITAL = re.compile(r"\b[A-Z][\w'’]*")
_KNOWN_CAPITALS = frozenset(
    "I I'm I'd I'll I've OK Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May "
    "June July August September October November December English PIN ATM ID UK US EU Re".split()
)
_TAIL = 200
# Their parts may have blanks between them; a single digit begins many of them.
_NUMBERS = pii.search(frozenset(("credit_card", "iban", "ssn", "phone")))
_SECRETS = pii.search(frozenset(("secret", "canary")))
_FEW_DIGITS, _LONG_ENOUGH = 3, 6


@dataclass(frozen=True, slots=True)
class Limits:
    """Phrases have at most ``most_words`` and at least the confidence ``least``."""

    most_words: int = 10
    least: float = 0.15


@dataclass(frozen=True, slots=True)
class Dropped:
    """A phrase that is not suggested."""

    text: str
    reason: Reason
    confidence: float


@dataclass(frozen=True, slots=True)
class AllowedPhrase:
    """A phrase that is suggested. ``neutral`` says that words were replaced."""

    text: str
    confidence: float
    neutral: bool = False


class Filters:
    """``blocked`` are further words that the operator allows in no suggestion."""

    def __init__(self, limits: Limits, blocked: Sequence[str] = ()) -> None:
        self.limits = limits
        self._blocked = blocked
        self._rules = Rewriting(rules_file.read(rules_file.DEFAULT))

    @cached_property
    def _lists(self) -> tuple[tuple[Reason, re.Pattern[str]], ...]:
        told = yaml_files.load(files(__package__).joinpath("words.yaml").read_text(encoding="utf-8"))
        nsfw = self._rules.rules.nsfw.terms
        groups: tuple[tuple[Reason, Sequence[str]], ...] = (
            ("language", (*nsfw, *told["language"], *self._blocked)),
            ("topic", told["topic"]),
            ("person", told["person"]),
        )
        return tuple((reason, _any_of(terms)) for reason, terms in groups)

    def silent(self, before: str) -> Reason | None:
        """Why nothing at all is suggested behind ``before``: it ends in what may become personal data or a secret, or
        its last sentences are about a topic of the list."""
        tail = before[-_TAIL:]
        if _may_become_personal(tail):
            return "personal"
        sentence = re.split(r"[.!?\n]", tail.rstrip())[-1]
        return next((reason for reason, terms in self._lists if reason != "person" and terms.search(sentence)), None)

    def check(
        self, before: str, around: str, text: str, confidence: float, shown: Sequence[str]
    ) -> AllowedPhrase | Dropped:
        """``before`` is the body up to the cursor, ``around`` all other text of the mail (subject, recipient), and
        ``shown`` are suggestions that stay before this one."""
        part = self._rules.part()
        plain = part.push(text) + part.flush()
        reason = self._worded(text) or self._reason(before, around, plain, confidence, shown)
        if reason is not None:
            return Dropped(plain, reason, confidence)
        return AllowedPhrase(plain, confidence, plain != text)

    def _worded(self, text: str) -> Reason | None:
        return next((reason for reason, terms in self._lists if terms.search(text)), None)

    def _reason(self, before: str, around: str, text: str, confidence: float, shown: Sequence[str]) -> Reason | None:
        words = _WORD.findall(text)
        if not words:
            return "empty"
        if len(words) > self.limits.most_words:
            return "long"
        if confidence < self.limits.least:
            return "unsure"
        if worded := self._worded(text):
            return worded
        whole = f"{before[-_TAIL:]}{text}"
        behind = len(whole) - len(text)
        if any(each.end > behind for each in pii.find(whole)) or re.search(r"\d{5,}", text):
            return "personal"
        if _repeats(before, text, shown):
            return "duplicate"
        known = f"{before} {around}".casefold()
        # A sentence's first word has a capital whatever it is.
        start = _begins(before)
        named = [each[0] for each in _CAPITAL.finditer(text) if each.start() or not start]
        if any(each not in _KNOWN_CAPITALS and each.casefold() not in known for each in named):
            return "name"
        return None


def _may_become_personal(tail: str) -> bool:
    """Whether the end of a text may be part of a number that belongs to somebody, of an address, or of a secret."""
    begun = _NUMBERS.begun.search(tail)
    if begun is not None and sum(each.isdigit() for each in begun[0]) >= _FEW_DIGITS:
        return True
    last = tail.split()[-1] if tail.split() else ""
    secret = _SECRETS.begun.search(last)
    return "@" in last or (secret is not None and len(secret[0]) >= _LONG_ENOUGH)


def _begins(before: str) -> bool:
    """Whether a sentence begins behind this text."""
    said = before.rstrip()
    return said[-1:] in ("", ".", "!", "?", ":") or "\n" in before[len(said) :]


def _repeats(before: str, text: str, shown: Sequence[str]) -> bool:
    """Whether a phrase is what was said just before (its words, or three of them in a row within the last ones), or
    the beginning of a suggestion that is shown."""
    words = [each.casefold() for each in _WORD.findall(text)]
    last = [each.casefold() for each in _WORD.findall(before[-_TAIL:])][-12:]
    if words == last[-len(words) :]:
        return True
    if len(words) >= 3 and any(last[at : at + len(words)] == words for at in range(len(last))):
        return True
    # A beginning of what is shown, or what is shown with more behind it, gives the reader no choice.
    others = [[each.casefold() for each in _WORD.findall(one)] for one in shown]
    return any(words == one[: len(words)] or one == words[: len(one)] for one in others)


def _any_of(terms: Sequence[str]) -> re.Pattern[str]:
    longest = sorted(set(terms), key=lambda each: (-len(each), each))
    parts = "|".join(r"\s+".join(map(re.escape, each.split())) for each in longest)
    return re.compile(rf"(?<![\w@])(?:{parts})(?!\w)", re.IGNORECASE)
