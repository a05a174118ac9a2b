"""Endings of English words."""

from __future__ import annotations

from collections.abc import Sequence


def without_ending(word: str, endings: Sequence[str]) -> str:
    """``word`` (lower case) without the first of ``endings`` that it has; equal for the forms of most regular words."""
    if not word.isascii() or not word.isalpha():
        return word
    for ending in endings:
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)]
            if ending in ("ied", "ies"):
                word += "y"
            elif ending[0] in "ei" and len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiouls":
                word = word[:-1]
            break
    return word[:-1] if word.endswith("e") and len(word) > 4 else word
