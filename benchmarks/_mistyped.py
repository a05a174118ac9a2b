"""Typing errors made over real questions: one slip of the fingers in one word of each."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_WORDS = re.compile(r"(?<![\w'’\"-])[a-z]{4,}(?![\w'’\"-])")
SLIPS = ("swap", "drop", "double", "key", "extra")


@dataclass(frozen=True, slots=True)
class Mistyped:
    """A question as it was meant and as it was typed: ``word`` became ``typed``."""

    meant: str
    text: str
    word: str
    typed: str


def mistyped(question: str, generator: random.Random) -> Mistyped | None:
    """``question`` with one slip in a word of four letters and more, in lower case; None without such a word."""
    places = list(_WORDS.finditer(question))
    if not places:
        return None
    place = generator.choice(places)
    word = typed = place.group()
    while typed == word:
        typed = _slip(word, generator.choice(SLIPS), generator)
    return Mistyped(question, question[: place.start()] + typed + question[place.end() :], word, typed)


def _slip(word: str, kind: str, generator: random.Random) -> str:
    at = generator.randrange(1, len(word))
    if kind == "swap":
        at = generator.randrange(len(word) - 1)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == "drop":
        return word[:at] + word[at + 1 :]
    if kind == "double":
        return word[:at] + word[at] + word[at:]
    if kind == "key":
        return word[:at] + _beside(word[at], generator) + word[at + 1 :]
    return word[:at] + _beside(word[at], generator) + word[at:]


def _beside(letter: str, generator: random.Random) -> str:
    """A key beside that of ``letter``."""
    row = next(index for index, keys in enumerate(_ROWS) if letter in keys)
    at = _ROWS[row].index(letter)
    near = [_ROWS[row][each] for each in (at - 1, at + 1) if 0 <= each < len(_ROWS[row])]
    for other, columns in ((row - 1, (at, at + 1)), (row + 1, (at - 1, at))):
        if 0 <= other < len(_ROWS):
            near += [_ROWS[other][each] for each in columns if 0 <= each < len(_ROWS[other])]
    return generator.choice(near)
