"""Sentences of a text, each with the space behind it."""

from __future__ import annotations

import re

_SHORT = frozenset(
    "mr mrs ms dr prof st vs etc e.g i.e no fig sr sra srta ud uds dña mme mlle p.ex cf jr inc ltd av approx".split()
)
_END = re.compile(r"[.!?…。！？]+[\"'”’»)\]]*(?:\s+|$)|[。！？]")


def sentences(text: str) -> list[str]:
    """They join to ``text``."""
    found: list[str] = []
    start = 0
    for end in _END.finditer(text):
        before = text[start : end.start()].split()
        last = before[-1].strip("([\"'«“¿¡").casefold() if before else ""
        goes_on = text[end.end() : end.end() + 1].islower()
        if end.group().strip() == "." and (
            last in _SHORT or goes_on or (len(last) == 1 and last.isalpha() and last != "i")
        ):
            continue
        found.append(text[start : end.end()])
        start = end.end()
    if start < len(text):
        found.append(text[start:])
    return found


def cut(text: str, characters: int) -> list[str]:
    """Parts of at most about so many characters, cut behind marks or, if there are none, between words."""
    parts: list[str] = []
    while len(text) > characters:
        at = max(text.rfind(mark, 0, characters) for mark in (", ", "; ", ": ", "， ", " – ")) + 1
        at = at if at > characters // 3 else text.rfind(" ", 0, characters) + 1
        at = at or characters
        parts.append(text[:at])
        text = text[at:]
    return [*parts, text] if text else parts
