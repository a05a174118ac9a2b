"""What an enhancer must leave as it is: code, quotations, addresses, figures, names, and texts about words."""

from __future__ import annotations

import re

_SPANS = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`|~~~.*?(?:~~~|\Z)"
    r"|\"[^\"\n]*\"|“[^”\n]*”|«[^»\n]*»|„[^“”\n]*[“”]|‘[^’\n]*’|(?<!\w)'[^'\n]+'(?!\w)"
    r"|\b(?:https?://|www\.)\S+|\S+@\S+|[~.]{0,2}/[\w./-]+|\b[A-Za-z]:\\\S+"
    r"|<[^<>\n]+>|\{[^{}\n]*\}|\$\w+|[@#]\w+|(?<!\w)--?\w[\w-]*|\b\w+\(\S*|\w*[_=\\]\w*"
    r"|\b\w+(?:[.:/]\w+)+|\w*\d\w*",
    re.DOTALL,
)
_ABOUT_WORDS = re.compile(
    r"\b(?:spell|spelled|spelt|spelling|misspel\w*|typos?|proofread\w*|grammar|translat\w*|"
    r"correct(?:ed|ion)? (?:this|the|my)|"
    r"rhymes?|anagrams?|palindromes?|synonyms?|antonyms?|letters?|syllables?|pronounce\w*|prefix|suffix|etymology|"
    r"word|words|slang|abbreviations?|acronyms?|stands? for|definition of|meaning of|mean by|does \S+ mean)\b",
    re.IGNORECASE,
)
# A message that is given something to be worked on: what follows is not the user's own words.
_GIVEN = re.compile(r":\s*\n|\n\s*\n|^\s*>", re.MULTILINE)
_CODE = re.compile(
    r"(?:^|\n)\s*(?:def |class |import |from \S+ import |#include|function |const |let |var |public |SELECT |\$ |>>> )"
    r"|[{};]\s*(?:\n|$)|=>|->|==|!=|\(\)"
)
MAX_CHARACTERS = 600


def left_alone(text: str) -> bool:
    """Whether all of ``text`` must stay as it is."""
    return (
        len(text) > MAX_CHARACTERS
        or _ABOUT_WORDS.search(text) is not None
        or _GIVEN.search(text) is not None
        or _CODE.search(text) is not None
    )


def spans(text: str) -> list[tuple[int, int]]:
    """The parts of ``text`` that must stay as they are, as (start, end), in order."""
    return [found.span() for found in _SPANS.finditer(text)]
