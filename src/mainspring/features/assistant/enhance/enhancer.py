"""Reads a message as it was meant: typos and abbreviations in plain English sentences, and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass

import mainspring.serving.judge.language as languages
from mainspring.features.assistant.enhance import protected
from mainspring.features.assistant.enhance.abbreviations import EXPANSIONS, SHORT
from mainspring.features.assistant.enhance.typos import Typos

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# The share of words that must be English where the language is not certain.
_ENGLISH = 0.6
# More changes than this share of the words: it is something else than English with typos.
_MOST = 0.5
_SENTENCE = re.compile(r"(?:^|[.!?]\s+)\W*$")


@dataclass(frozen=True, slots=True)
class Change:
    """A word and what it was read as."""

    written: str
    read: str


@dataclass(frozen=True, slots=True)
class Enhanced:
    """A text as it was meant, and what was changed; none: it is the text."""

    text: str
    changes: tuple[Change, ...] = ()


def enhanced(text: str, typos: Typos) -> Enhanced:
    """``text`` with its typos and abbreviations read as what was meant.

    Names, figures, code, quotations, addresses, other languages and texts about words stay as they are: only words in
    lower case change, or the first one of a sentence, and only where one common word was meant.
    """
    if protected.left_alone(text) or not _english(text, typos):
        return Enhanced(text)
    kept = protected.spans(text)
    found = [
        each
        for each in _WORD.finditer(text)
        if not any(begin < each.end() and each.start() < end for begin, end in kept)
    ]
    read: dict[int, str] = {}
    short: dict[int, str] = {}
    for at, each in enumerate(found):
        word = each.group()
        expansion = EXPANSIONS.get(word)
        if expansion is not None:
            (short if word in SHORT else read)[at] = expansion
        elif meant := _meant(word, text[: each.start()], typos):
            read[at] = meant
    if read:
        read |= short
    if not read or len(read) > _MOST * max(2, len(found)):
        return Enhanced(text)
    pieces, place = [], 0
    for at, each in enumerate(found):
        if at in read:
            pieces += [text[place : each.start()], read[at]]
            place = each.end()
    changes = tuple(Change(found[at].group(), read[at]) for at in sorted(read))
    return Enhanced("".join([*pieces, text[place:]]), changes)


def _meant(word: str, before: str, typos: Typos) -> str:
    if word.islower():
        return typos.meant(word)
    if word[0].isupper() and word[1:].islower() and _SENTENCE.search(before) and not typos.known(word.lower()):
        meant = typos.meant(word.lower())
        return meant.capitalize() if meant in _OPENERS else ""
    return ""


_OPENERS = frozenset(
    "what which when where while who whose whom why how could would should can please tell give show write explain "
    "describe there that this these those their they have does about because before after with without from "
    "make help find list name compare summarize summarise calculate".split()
)
"""The first words of sentences that are no names."""


def _english(text: str, typos: Typos) -> bool:
    language = languages.detect(text)
    if language not in ("en", languages.UNKNOWN):
        return False
    words = [each.lower() for each in _WORD.findall(text)]
    return bool(words) and sum(typos.known(each) or each in EXPANSIONS for each in words) >= _ENGLISH * len(words)
