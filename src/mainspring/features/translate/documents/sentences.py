"""Sentences of a text, each with the space behind it."""

from __future__ import annotations

import re

_SHORT = frozenset(
    "mr mrs ms dr prof st vs etc e.g i.e no fig sr sra srta ud uds dña mme mlle p.ex cf jr inc ltd av approx".split()
)
_END = re.compile(r"(?<![.!?…。！？])[.!?…。！？]++[\"'”’»)\]]*+(?:\s++|$)|[。！？]")
_BEFORE = 20
"""Characters before an end in which an abbreviation is looked for."""


def sentences(text: str) -> list[str]:
    """They join to ``text``."""
    found: list[str] = []
    start = 0
    for end in _END.finditer(text):
        before = text[max(start, end.start() - _BEFORE) : end.start()].split()
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


def aligned(source: str, target: str) -> list[tuple[str, str]]:
    """The sentences of a text beside those of its translation, if both have as many; otherwise the two as one."""
    one, other = ([each.strip() for each in sentences(" ".join(text.split()))] for text in (source, target))
    return list(zip(one, other, strict=True)) if len(one) == len(other) else [(source, target)]


def cut(text: str, characters: int) -> list[str]:
    """Parts of at most about so many characters, cut behind marks or, if there are none, between words."""
    parts: list[str] = []
    start = 0
    while len(text) - start > characters:
        end = start + characters
        at = max(text.rfind(mark, start, end) for mark in (", ", "; ", ": ", "， ", " – ")) + 1
        at = at if at - start > characters // 3 else text.rfind(" ", start, end) + 1
        at = at or end
        parts.append(text[start:at])
        start = at
    return [*parts, text[start:]] if start < len(text) else parts
