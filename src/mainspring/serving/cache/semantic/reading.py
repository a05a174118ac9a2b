"""Reads a question: its words in order, and the features that decide its meaning.

English only. The rules understand nothing: any difference between two readings is a reason not to equate them, and
``likeness`` judges what the rules do not see.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

import mainspring.serving.cache.semantic.lexicon as lexicon
from mainspring.core.english import without_ending

_TOKEN = re.compile(
    r"(?P<number>[$£€¥]?\d+(?:[.,:/]\d+)*(?:%|[a-z]{1,4}\b)?)|(?P<word>[^\W\d_]+(?:[-'’.&][^\W\d_]+)*(?:\d+(?:\.\d+)*)?)"
    r"|(?P<mark>[+#&%=<>*^/\\|~@$£€¥{}()\[\]-]+)",
    re.IGNORECASE,
)
_SUFFIXES = ("ied", "ies", "ed", "es", "s")
# Sentence signs that say nothing by themselves.
_PLAIN_MARKS = ("(", ")", "-", "--", "()", "[", "]", "/")
_PARTICIPLE = re.compile(r"(?:ed|en|wn|orn|ght|ade|aid|old|ound|ept|eft|ost|ent|uilt)$")
_GOOD = ("best", "good", "possible")
_BESIDE = frozenset((*lexicon.NOTHING, *lexicon.AUXILIARIES, *_GOOD))


@dataclass(frozen=True, slots=True)
class Word:
    """``stem`` is compared; ``role`` is the word of direction before this word, ``start`` and ``end`` are its place in
    the text.

    A ``fixed`` word may not be left over on one side only, an ``optional`` one may. ``passive`` is a participle after a
    word such as "was": a person who was assured has assured nobody.
    """

    stem: str
    lower: str
    role: str
    start: int
    end: int
    fixed: bool = False
    optional: bool = False
    passive: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """The parts of a question. ``names`` are the stems of words written as names; ``speaks`` is who is spoken of beside
    third persons: the one who asks, or the one who is asked."""

    words: tuple[Word, ...]
    asks: str
    tense: str
    names: frozenset[str]
    speaks: frozenset[str]


@dataclass(slots=True)
class _Token:
    lower: str
    kind: str
    written: str
    start: int
    end: int


class _Reader:
    def __init__(self, tokens: list[_Token], asks: str) -> None:
        self._tokens = tokens
        self._asks = asks
        self.words: list[Word] = []
        self.names: set[str] = set()
        self.speaks: set[str] = set()
        self.past = self.future = False
        self._role: _Token | None = None
        self._behind_be = False

    def read(self) -> None:
        for index, token in enumerate(self._tokens):
            self._one(index, token)
            # A "not" or "really" between them changes nothing.
            kept = self._behind_be and (token.lower == "not" or token.lower in lexicon.OPTIONAL)
            self._behind_be = kept or token.lower in lexicon.BEING
        self._drop_role()

    def _one(self, index: int, token: _Token) -> None:
        lower = token.lower
        last = index == len(self._tokens) - 1
        name = self._is_name(index, token)
        if token.kind == "mark":
            self._add(index, token, lower, fixed=True)
        elif token.kind == "number" or lower in lexicon.NUMBERS:
            self._add(index, token, "#" + lexicon.NUMBERS.get(lower, lower.replace(",", "")), fixed=True)
        elif name and (token.written.isupper() or (last and len(lower) == 1)):
            # US and IT are no pronouns, and the last letter of "vitamin A" no article.
            self._add(index, token, stem(lower))
        elif lower in lexicon.SPEAKER:
            self.speaks.add("I")
        elif lower in lexicon.SPOKEN_TO:
            self.speaks.add("you")
        elif lower in lexicon.OPTIONAL:
            self.words.append(Word(lower, lower, "", token.start, token.end, optional=True))
        elif lower in lexicon.FIXED:
            self._add(index, token, lower, fixed=True)
        elif lower in lexicon.DIRECTION:
            self._drop_role()
            self._role = token
        elif lower in lexicon.QUESTION or lower in lexicon.AUXILIARIES:
            self._drop_role()
            self.past |= lower in lexicon.PAST
            self.future |= lower in lexicon.FUTURE and not (lower == "would" and self._asks == "how")
            if last and lower in ("do", "does", "did", "doing"):
                self._add(index, token, "do", fixed=True)
        elif lower not in lexicon.NOTHING:
            self._add(index, token, stem(lower), fixed=lower in lexicon.UNITS)

    def _add(self, index: int, token: _Token, compared: str, *, fixed: bool = False) -> None:
        role = self._role.lower if self._role else ""
        self._role = None
        if token.kind == "word" and self._is_name(index, token):
            self.names.add(compared)
        passive = self._behind_be and _PARTICIPLE.search(token.lower) is not None
        self.words.append(Word(compared, token.lower, role, token.start, token.end, fixed, passive=passive))

    def _drop_role(self) -> None:
        """A word of direction at the end is a word of its own: "what is it for"."""
        if self._role is not None:
            role, self._role = self._role, None
            self.words.append(Word(role.lower, role.lower, "", role.start, role.end, role.lower not in lexicon.LIGHT))

    def _is_name(self, index: int, token: _Token) -> bool:
        written = token.written
        if token.kind != "word" or not written[:1].isupper() or token.lower == "i":
            return token.lower == "i" and index == len(self._tokens) - 1 and index > 1
        return index > 0 or not (written[1:].islower() or len(written) == 1)


def read(text: str) -> Reading:
    """The reading of ``text``."""
    told, tokens = _told(_tokens(text))
    asks, tokens = _asks(tokens)
    # "Tell me the capital of France" asks for a thing.
    asks = asks or ("what" if told else "")
    reader = _Reader(tokens, asks)
    reader.read()
    tense = "past" if reader.past else "future" if reader.future else "present"
    return Reading(tuple(_in_order(reader.words)), asks, tense, frozenset(reader.names), frozenset(reader.speaks))


def _in_order(words: list[Word]) -> list[Word]:
    """The same with what "and", "or" and "versus" join in alphabetical order, if it is one word on either side."""
    ordered = list(words)
    for at in range(1, len(words) - 1):
        first, second = words[at - 1], words[at + 1]
        ends = at + 2 == len(words) or words[at + 2].role or words[at + 2].fixed
        joined = words[at].lower in ("and", "or", "versus") and first.role and not second.role and ends
        if joined and not first.fixed and not second.fixed and second.stem < first.stem:
            ordered[at - 1] = replace(second, role=first.role)
            ordered[at + 1] = replace(first, role="")
    return ordered


@lru_cache(65_536)
def stem(word: str) -> str:
    """``word`` (lower case) without a regular English ending."""
    return without_ending(word.removesuffix("'s"), _SUFFIXES)


def _tokens(text: str) -> list[_Token]:
    """The tokens of ``text``; contractions stand as the words that they are of."""
    found: list[_Token] = []
    for match in _TOKEN.finditer(text.replace("’", "'")):
        written, kind = match.group(), str(match.lastgroup)
        lower = written.lower()
        if kind == "word":
            full = lexicon.SPELLINGS.get(lower, lower)
            if full.endswith("n't"):
                full = f"{full[:-3]} not"
            found += [_Token(part, kind, written, match.start(), match.end()) for part in full.split()]
        elif kind == "number" or lower not in _PLAIN_MARKS:
            found.append(_Token(lower, kind, written, match.start(), match.end()))
    return found


def _told(tokens: list[_Token]) -> tuple[bool, list[_Token]]:
    """Whether the question asks for information, and the tokens after phrases that only say so: "please tell me", "can
    you tell me about"."""
    at = 0
    lowers = [token.lower for token in tokens]
    while at < len(lowers) and lowers[at] in ("please", "hi", "hello"):
        at += 1
    if lowers[at : at + 2] in (["can", "you"], ["could", "you"], ["would", "you"]):
        at += 2
    at += lowers[at : at + 1] == ["please"]
    if lowers[at : at + 2] != ["tell", "me"] or len(lowers) < at + 3:
        return False, tokens
    at += 2
    about = lowers[at] == "about" and len(lowers) > at + 1
    return True, tokens[at + about :]


def _asks(tokens: list[_Token]) -> tuple[str, list[_Token]]:
    """The kind of thing asked for, by the first question word, "whether", or "" without one; and the tokens without
    introductory phrases ("what is the best way to")."""
    lowers = [token.lower for token in tokens]
    for index, lower in enumerate(lowers):
        if lower in lexicon.QUESTION:
            following = lowers[index + 1] if index + 1 < len(lowers) else ""
            if lower == "how" and following in lexicon.MEASURED:
                return f"how {following}", [*tokens[: index + 1], *tokens[index + 2 :]]
            if lower in ("what", "which"):
                return _what(tokens, lowers, index)
            return {"whom": "who", "whose": "who"}.get(lower, lower), tokens
        if index == 0 and lower in lexicon.AUXILIARIES:
            return "whether", tokens
    return "", tokens


def _what(tokens: list[_Token], lowers: list[str], index: int) -> tuple[str, list[_Token]]:
    if literal := [at for at, lower in enumerate(lowers) if lower in lexicon.LITERAL]:
        return "meaning", [token for at, token in enumerate(tokens) if at not in literal]
    at = index + 1
    while at < len(lowers) and lowers[at] in _BESIDE:
        at += 1
    if at + 1 < len(lowers) and lowers[at] in ("way", "ways", "method", "methods") and lowers[at + 1] == "to":
        return "how", [*tokens[:index], *tokens[at + 2 :]]
    return "what", tokens
