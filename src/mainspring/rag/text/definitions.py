"""Names that documents define in passing: "Suds, the Engineering Pub," or "a committee, to be known as "the Board"".

Who asks for the pub means Suds, though the sentence that answers has the name alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from functools import lru_cache

from mainspring.rag.text import terms

# A name is up to three words with capitals, and what it names up to four words, before "of", "which" and their like.
_NO_NAME = r"(?!(?:On|In|At|By|Of|For|From|If|When|While|After|Before|During|Until|Since|Under|With|Through|To|As)\b)"
_NAME = rf"(?P<name>{_NO_NAME}[A-Z][\w’'-]+(?: [A-Z][\w’'-]+){{0,2}})"
_ENDS = r"(?!(?:of|which|that|who|by|as|in|for|to|shall|is|are)\b)"
_WHAT = rf"(?P<what>{_ENDS}[\w’'-]+(?: {_ENDS}[\w’'-]+){{0,3}})"
_QUOTED = rf"(?:the )?{_NAME}[\"”]"
# The words that define, and what stands in front of them, up to so many characters, or behind them.
_DEFINES = (
    (
        # "On Friday, the pub closes, ..." and "Consequently, the ..." define nothing.
        re.compile(rf", (?:the|our|an?) {_WHAT}, (?!(?:and|or)\b)(?=[a-z])"),
        re.compile(rf"(?:^|(?<!\b[OoIi]n)(?<!\b[Aa]t)(?<!\b[Bb]y)(?<!\b[Oo]f)[^\w’'-])(?!\w+ly$){_NAME}$"),
    ),
    (
        re.compile(rf" (?:known as|called|named|referred to as) (?:the )?[\"“'‘]?{_NAME}"),
        re.compile(rf"\b(?:the|our|an?) {_WHAT}(?:,? (?:to be|is|are|hereafter|hereinafter|also))?$", re.IGNORECASE),
    ),
    (
        re.compile(rf" \((?:hereafter |hereinafter )?(?:the )?[\"“]{_QUOTED}\)"),
        re.compile(rf"\b(?:the|our|an?) {_WHAT}$", re.IGNORECASE),
    ),
    (
        re.compile(rf"[\"“]{_QUOTED} (?:shall )?(?:means?|refers? to|is|denotes?) (?:the |our |an? )?{_WHAT}"),
        re.compile(""),
    ),
)
_BEFORE = 80


def named(asked: Set[str], texts: Iterable[str]) -> dict[str, frozenset[str]]:
    """The names that ``texts`` define by words of ``asked`` (content words of a question), with those words."""
    found: dict[str, frozenset[str]] = {}
    for text in texts:
        for name, words in _defined(text):
            if words & asked and not terms.content(name) & asked:
                found[name] = found.get(name, frozenset()) | (words & asked)
    return found


def meant(text: str, names: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The words that ``text`` means by the ``names`` in it."""
    return frozenset[str]().union(*(words for name, words in names.items() if name in text))


@lru_cache(2048)
def _defined(text: str) -> tuple[tuple[str, frozenset[str]], ...]:
    """The names that ``text`` defines, each with the content words of what it names."""
    found = []
    for defines, before in _DEFINES:
        for match in defines.finditer(text):
            front = before.search(text[max(0, match.start() - _BEFORE) : match.start()])
            if front is not None:
                said = front.groupdict() | match.groupdict()
                found.append((said["name"], terms.content(said["what"])))
    return tuple(found)
