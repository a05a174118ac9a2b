"""The place of a unit in its document: the item that labels it, the items that it names, the heading above it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mainspring.rag.text import sentences

# An item with nested items is their label if it has at most this many words, and so are the words that open an item.
LABEL_WORDS = 12
_LABEL = re.compile(r"[^\n:]{1,120}?:(?=\s)")
# "Yield: 20 waffles"
_PAIR = re.compile(r"[^\W\d][^\W\d]{0,30}: .{0,40}\d")
# An item that only names those below it has at most this many words.
_NAME_WORDS = 5


def over(found: Sequence[tuple[sentences.Sentence, str]], number: int, text: str, base: int) -> str:
    """The label of the item ``found[number]`` in its list: the nearest item before it with less indentation, if that is
    short, such as a date; of a further sentence of a long item the words that open the item ("KILLDELAY:"). Empty if
    there is none. ``base`` is where the chunk begins in ``text``."""

    def indent(at: int) -> int:
        return _indent(text, base + found[at][0].lead)

    first = number
    while first and _goes_on(found[first][0]) and found[first - 1][0].kind == "item":
        first -= 1
    if first < number and (label := opening(found[first][1])):
        return label
    own = indent(first)
    for at in range(first - 1, -1, -1):
        if found[number][0].kind != "item" or found[at][0].kind != "item":
            return ""
        if not _goes_on(found[at][0]) and indent(at) < own:
            return found[at][1] if len(found[at][1].split()) <= LABEL_WORDS else ""
    return ""


def opening(item: str) -> str:
    """The words that open ``item``, up to their colon, if they name it; else empty."""
    found = _LABEL.match(item)
    return found.group() if found and len(found.group().split()) <= LABEL_WORDS else ""


def _goes_on(unit: sentences.Sentence) -> bool:
    """Whether a unit is a further sentence of an item: only the first has the marker."""
    return unit.kind == "item" and unit.lead == unit.start


def names_items(found: Sequence[tuple[sentences.Sentence, str]], number: int, text: str, base: int) -> bool:
    """Whether ``found[number]`` is an item of a few words that only names the items below it ("Supervision
    requirements"): those have it as their label."""
    if number + 1 == len(found) or found[number][0].kind != "item" or found[number + 1][0].kind != "item":
        return False
    body = found[number][1].rstrip(" *_`")
    says = body.endswith((".", "!", "。")) or any(map(str.isdigit, body)) or len(body.split()) > _NAME_WORDS
    here, below = (_indent(text, base + found[at][0].lead) for at in (number, number + 1))
    return not says and here < below


def _indent(text: str, place: int) -> int:
    """The number of characters in front of ``place`` in its line."""
    return place - (text.rfind("\n", 0, place) + 1)


def titles(text: str, start: int, end: int) -> bool:
    """Whether ``text[start:end]`` is the first line of a document, by itself and no sentence: its title."""
    alone = text.startswith("\n\n", end) and "\n" not in text[start:end]
    says = _PAIR.match(text[start:end]) or text[start:end].rstrip("*_`").endswith((".", "!", "?", "。", ":"))
    return alone and not text[:start].strip() and not says


def below(path: str, title: str) -> str:
    """The path of a section ``title`` of the document that ``path`` leads into."""
    return f"{path.split(' > ', 1)[0]} > {title}" if path else title
