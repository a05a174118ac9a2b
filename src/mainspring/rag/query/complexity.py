"""Chooses the number of passages for a question: few for one fact, more for lists, comparisons and several parts."""

from __future__ import annotations

import math
import re

from mainspring.rag.query import decompose
from mainspring.rag.text import terms

_MANY = re.compile(
    r"\b(?:all|every|each|list|which of|what (?:are|were) the|overview|summari[sz]e|summary|compare|differences?|"
    r"versus|vs|steps|ways|reasons|examples|conditions|requirements|exceptions)\b",
    re.IGNORECASE,
)
# A question about an interplay concerns everything said about its parts.
_INTERPLAY = re.compile(
    r"\b(?:interact\w*|interplay|relate to each other|fit together|work together|affect each other|trade-?offs?"
    r"|in depth|in detail|comprehensive\w*|thorough\w*)\b",
    re.IGNORECASE,
)
# "What is RAG?", "Who is the CEO?"
_DEFINED = re.compile(
    r"\s*(?:what|who)(?:[’']?s| is| are| was| were)\s+(?:the |an? )?\S+(?:\s\S+)?(?:\s*\?)?\s*", re.IGNORECASE
)
_LONG_WORDS = 14
_FACT, _LIST, _PART, _ALL = 0.6, 2.0, 0.75, 4.0
_LEAST, _MOST = 3, 50


def passages(question: str, usual: int) -> tuple[int, str]:
    """(how many passages, why), where ``usual`` is the number for an ordinary question."""
    if _INTERPLAY.search(question):
        return _bounded(usual * _ALL, usual), "asks how things play together"
    parts = len(decompose.by_rules(question))
    if parts > 1:
        return _bounded(usual * (1 + _PART * (parts - 1)), usual), f"{parts} parts"
    if _MANY.search(question):
        return _bounded(usual * _LIST, usual), "asks for several things"
    if _DEFINED.fullmatch(question):
        return _bounded(usual * _FACT, usual), "asks what one thing is"
    if terms.asked_kind(question) != "anything" and len(terms.content(question)) < _LONG_WORDS:
        return _bounded(usual * _FACT, usual), "asks for one fact"
    return usual, "ordinary"


def _bounded(number: float, usual: int) -> int:
    return max(min(_LEAST, usual), min(_MOST, math.ceil(number)))
