"""Decomposition: the parts of a question that asks several things are searched as well."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mainspring.rag.query.model import Ask, lines, soft
from mainspring.rag.query.plan import PlanStep
from mainspring.rag.text import terms

MAX_TOKENS = 90
_MOST = 4
# Longer questions are taken whole: the patterns' time grows with the square of the length.
_LONGEST = 1000
_INSTRUCTION = (
    f"Split the question into the simple questions, {_MOST} at most, that must be answered for it. Each must be "
    "understandable by itself. Write one on each line, and nothing else. If it is simple already, repeat it."
)
_QUESTION_WORD = (
    r"(?:what|which|who|whom|whose|when|where|why|how|is|are|does|do|did|can|may|must|should|will|has|have)"
)
_ENDS = re.compile(r"(?<=[?;])\s+")
_AND = re.compile(rf",?\s+(?:and|as well as|and also)\s+(?={_QUESTION_WORD}\b)", re.IGNORECASE)
# "My brother died; what papers do you need?" is one question and what it is about.
_ASKS = re.compile(
    rf"(?:^|,\s*)(?:(?:and|but|so|or|also|then)\s+)?(?:{_QUESTION_WORD}|tell|list|name|explain|describe|give|show)\b",
    re.IGNORECASE,
)
# An instruction about the answer's form is no question: "Which tools are there? Name the kinds."
_ASIDE = re.compile(
    r"(?:please )?(?:name|list|give|tell|state|say|show|write|explain|describe|count)(?: (?:the|me|us|all|of|them|it"
    r"|each|both|its|their|your|an?|one|some|in|kinds?|types?|sorts?|reasons?|details?|examples?|steps?|figures?|numbers?"
    r"|values?|names?|answers?|sources?|short|brief|detail|words?|sentences?|list|why)){1,6}(?:,? please)?[.!]?",
    re.IGNORECASE,
)
# A side begins and ends with a word, so that no blank may belong to it or to what is beside it: each run of blanks, and
# each comma of a list, would multiply the ways to read a question.
_WORD = r"(?:(?!\b(?:and|or)\b)[^\s,?])+"
_SIDE = rf"{_WORD}(?:\s++{_WORD})*"
# "How does Python differ from Java?", "how expenses, leave and remote work interact".
_DIFFER = re.compile(
    r"\bhow (?:does|do|did|is|are|was|were) (?P<one>.+?) (?:differ|different|distinct) from (?P<other>.+?)\s*[?.]?$",
    re.IGNORECASE,
)
_SIDES = rf"(?P<sides>{_SIDE}(?:\s*+,\s*+{_SIDE})*(?:\s*+,)?\s+and\s++(?:{_SIDE})?)"
_TOGETHER = re.compile(
    rf"\b(?:how|what)\s++(?:(?:do|does|are|is|can)\b\s*+)?{_SIDES}\s+"
    r"(?:interact|interplay|relate|compare|differ|fit together|work together|play together|affect each other"
    r"|influence each other|depend on each other|are (?:related|connected|different|alike)|(?:related|connected|alike)"
    r"|have in common)\b",
    re.IGNORECASE,
)
_LISTED = re.compile(
    rf"\b(?:differences?|relation(?:ship)?s?|comparison|choice|interactions?|interplay) (?:between|among|of)\s++"
    rf"(?P<sides>{_SIDE}(?:\s*+,\s*+{_SIDE})+(?:\s*+,)?\s+and\s++(?:{_SIDE})?)\s*[?.]?$",
    re.IGNORECASE,
)
_COMPARED = re.compile(
    r"\b(?:differences?|relation(?:ship)?|comparison|choice)\s+between\s++(?P<one>\S.*?)(?<!\s)\s+and\s++(?P<other>\S.*?)(?<!\s)\s*[?.]?$"
    r"|\bcompare\s++(?P<one2>\S.*?)(?<!\s)\s+(?:and|with|to|against)\s++(?P<other2>\S.*?)(?<!\s)\s*[?.]?$"
    r"|^(?P<one3>.+?)(?<!\s)\s+(?:vs\.?|versus)\s++(?P<other3>\S.*?)(?<!\s)\s*[?.]?$",
    re.IGNORECASE,
)
_LEANS = re.compile(
    r"\b(?:it|its|they|them|their|that|those|this|these|he|she|his|her|there|one|ones)\b", re.IGNORECASE
)


def by_rules(question: str) -> list[str]:
    """The parts of a question: its sentences, its clauses that begin with a question word, and both sides of a
    comparison. Fewer than two: it has none. A part that leans on the first one ("how long is it?") is read with it.
    Questions of more than 1,000 characters are not split."""
    if len(question) > _LONGEST:
        return []
    sides = _sides(question)
    if sides:
        return sides
    compared = _COMPARED.search(question)
    if compared:
        one, other = (part for part in compared.groups() if part)
        return [one, other] if terms.content(one) and terms.content(other) else []
    return [searched for _, searched in clauses(question)]


def compared(question: str) -> list[str]:
    """The things that ``question`` compares; fewer than two: it compares none."""
    compares = len(question) <= _LONGEST and (_sides(question) or _COMPARED.search(question))
    return by_rules(question) if compares else []


def clauses(question: str) -> list[tuple[str, str]]:
    """(as written, as searched) for each sentence or clause that asks something; fewer than two: none."""
    if len(question) > _LONGEST or _sides(question) or _COMPARED.search(question):
        return []
    parts = [part.strip() for end in _told(_ENDS.split(question.strip())) for part in _AND.split(end)]
    parts = parts[:1] + [part for part in parts[1:] if not _ASIDE.fullmatch(part)]
    parts = [part for part in parts if terms.content(part) or _LEANS.search(part)]
    if len(parts) < 2 or not terms.content(parts[0]):
        return []
    found = [(parts[0], parts[0])]
    for part in parts[1:]:
        leans = _LEANS.search(part) is not None or len(terms.content(part)) < 2
        found.append((part, f"{parts[0]} {part}" if leans else part))
    return found[:_MOST]


def _told(ends: Sequence[str]) -> list[str]:
    """``ends`` with each statement before a semicolon at what is asked behind it."""
    found: list[str] = []
    told = ""
    for end in ends:
        if end.endswith(";") and _ASKS.search(end) is None:
            told += f"{end} "
            continue
        found.append(told + end)
        told = ""
    return found + [told.strip()] * bool(told)


def _sides(question: str) -> list[str]:
    """The things that a question compares, if it names them in a list or as different from each other."""
    differ = _DIFFER.search(question)
    if differ:
        found = [differ["one"], differ["other"]]
    else:
        listed = _TOGETHER.search(question) or _LISTED.search(question)
        found = re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+", listed["sides"].strip()) if listed else []
    found = [side.strip() for side in found if side.strip()]
    return found[:_MOST] if len(found) > 1 and all(map(terms.content, found)) else []


async def by_model(question: str, ask: Ask, step: PlanStep, room: int) -> list[str]:
    """The parts as a capable model sees them; fewer than two: it has none, or the model failed."""
    found = list(lines(await soft(ask, step, _INSTRUCTION, question, MAX_TOKENS, room), _MOST))
    return found if len(found) > 1 else []
