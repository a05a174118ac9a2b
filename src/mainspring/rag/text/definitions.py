"""Names that documents define in passing: "Suds, the Engineering Pub," or "a committee, to be known as "the Board"".

Who asks for the pub means Suds, though the sentence that answers has the name alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set

from mainspring.rag.text import terms

# A name is up to three words with capitals, and what it names up to eight words.
_NAME = r"(?P<name>[A-Z][\w’'-]+(?: [A-Z][\w’'-]+){0,2})"
_WHAT = r"(?P<what>[\w’'-]+(?: [\w’'-]+){0,7})"
_DEFINED = (
    re.compile(rf"(?<![\w’'-]){_NAME}, (?:the|our|a|an) {_WHAT}[,.;)]"),
    re.compile(
        rf"\b(?:[Tt]he|[Oo]ur|[Aa]n?) {_WHAT},? (?:to be |is |are |hereafter |hereinafter |also )?"
        rf"(?:known as|called|named|referred to as) (?:the )?[\"“'‘]?{_NAME}"
    ),
    re.compile(
        rf"\b(?:[Tt]he|[Oo]ur|[Aa]n?) {_WHAT} \((?:hereafter |hereinafter |the |“the |\"the )?[\"“]?{_NAME}[\"”]?\)"
    ),
    re.compile(rf"[\"“](?:the )?{_NAME}[\"”] (?:shall )?(?:means?|refers? to|is|denotes?) (?:the |our |an? )?{_WHAT}"),
)


def named(asked: Set[str], texts: Iterable[str]) -> dict[str, frozenset[str]]:
    """The names that ``texts`` define by words of ``asked`` (content words of a question), with those words."""
    found: dict[str, frozenset[str]] = {}
    for text in texts:
        for pattern in _DEFINED:
            for match in pattern.finditer(text):
                words = terms.content(match["what"]) & asked
                if words and not terms.content(match["name"]) & asked:
                    found[match["name"]] = found.get(match["name"], frozenset()) | words
    return found


def meant(text: str, names: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The words that ``text`` means by the ``names`` in it."""
    return frozenset[str]().union(*(words for name, words in names.items() if name in text))
