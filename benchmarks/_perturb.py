"""Labelled answers made from SQuAD: true answers in other words, and the same answers made false in one known way.

Every change is made by rule, so its label is known: a number becomes another number, a name another name, a negation
comes or goes, the sentence is one from elsewhere, or the question, turned into a statement, gets a wrong answer.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NAMES = re.compile(r"(?<=[\w,;:]\s)[A-Z][a-z’'-]+(?: [A-Z][a-z’'-]+)*")
_BE = re.compile(r"\b(?P<verb>is|are|was|were|has|have|had|can|could|will|would|may|must|should)\b(?P<negated> not)?")
_PARENTHESIS = re.compile(r"\s*\([^()]*\)|\s*\[[^\[\]]*\]")
_OPENING = re.compile(
    r"^(?P<opening>(?:In|On|At|During|By|Since|After|Before|From|Under) [^,]{2,40}), (?P<rest>.+?)\.?$"
)
_ASIDE = re.compile(r", (?:which|who|whose|where)[^,]{3,80},")
_SUBJECT = re.compile(
    r"^(?:who|what|which [\w-]+|what [\w-]+)(?= (?!do\b|does\b|did\b|can\b|could\b|would\b|should\b|will\b)[a-z]+)",
    re.IGNORECASE,
)


def reworded(sentence: str) -> str:
    """The same statement with asides left out and an opening phrase moved to the end."""
    text = _ASIDE.sub("", _PARENTHESIS.sub("", sentence)).strip()
    match = _OPENING.match(text)
    if match is None:
        return text
    opening, rest = match["opening"], match["rest"]
    return f"{rest[0].upper()}{rest[1:]} {opening[0].lower()}{opening[1:]}."


def statement(question: str, answer: str) -> str | None:
    """The question as a statement with ``answer`` in place of its question word; None where it asks otherwise."""
    match = _SUBJECT.match(question.strip())
    if match is None:
        return None
    return f"{answer[0].upper()}{answer[1:]}{question.strip()[match.end() :].rstrip('?').rstrip()}."


def number_changed(sentence: str, generator: random.Random) -> str | None:
    """With one number changed to another of as many digits; None without a number."""
    found = list(_NUMBER.finditer(sentence))
    if not found:
        return None
    match = generator.choice(found)
    digits = [index for index, character in enumerate(match[0]) if character.isdigit()]
    place = digits[-1] if len(digits) < 3 else generator.choice(digits[1:])
    other = str((int(match[0][place]) + generator.randint(1, 8)) % 10)
    changed = match[0][:place] + other + match[0][place + 1 :]
    return sentence[: match.start()] + changed + sentence[match.end() :]


def name_changed(sentence: str, others: Sequence[str], generator: random.Random) -> str | None:
    """With one name changed to one of ``others``; None without a name, or where no other is new to the sentence."""
    found = list(_NAMES.finditer(sentence))
    fresh = sorted({name for name in others if name not in sentence})
    if not found or not fresh:
        return None
    match = generator.choice(found)
    return sentence[: match.start()] + generator.choice(fresh) + sentence[match.end() :]


def negated(sentence: str) -> str | None:
    """With a negation put in or taken out; None where no verb shows where."""
    match = _BE.search(sentence)
    if match is None:
        return None
    verb = match["verb"] if match["negated"] else f"{match['verb']} not"
    return sentence[: match.start()] + verb + sentence[match.end() :]


def names(text: str) -> list[str]:
    """The names in a text, in order: capitalised words that do not begin a sentence."""
    return [match[0] for match in _NAMES.finditer(text)]
