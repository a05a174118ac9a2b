"""Small chunks that are embedded, each with a larger span that is read: ``parent_child`` and ``sentence_window``."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.rag.chunk.base import Material, Span
from mainspring.rag.chunk.structure import Tile, pack, tiles


def parent_child(material: Material, parent_tokens: int) -> list[Span]:
    """Children of the material's size; their parents are aligned to sections and have up to ``parent_tokens``."""
    found = tiles(material, material.size)
    spans: list[Span] = []
    for first, last in pack(found, max(parent_tokens, material.size), 0):
        inner = found[first : last + 1]
        parent = material.trimmed(inner[0].start, inner[-1].end)
        for a, b in pack(inner, material.size, material.overlap):
            spans.append(_child(material, inner[a].start, inner[b].end, parent))
    return spans


def sentence_window(material: Material, around: int, parent_tokens: int) -> list[Span]:
    """Each sentence with the headings above it; its parent has ``around`` sentences on either side, within the section
    and ``parent_tokens``."""
    found = tiles(material, material.size)
    units = _units(found, material.size)
    sections = _sections(found, units)
    tokens = [sum(tile.tokens for tile in found[first : last + 1]) for first, last in units]
    spans: list[Span] = []
    for number, (first, last) in enumerate(units):
        a, b = _around(number, sections, tokens, around, parent_tokens)
        parent = material.trimmed(found[units[a][0]].start, found[units[b][1]].end)
        spans.append(_child(material, found[first].start, found[last].end, parent))
    return spans


def _child(material: Material, start: int, end: int, parent: tuple[int, int]) -> Span:
    """A span within its parent, which has no white space around it either."""
    return Span(*material.trimmed(start, end), parent=parent)


def _units(found: Sequence[Tile], size: int) -> list[tuple[int, int]]:
    """(first, last) tile of each sentence: a lead-in stays with the next sentence if both fit."""
    units: list[tuple[int, int]] = []
    first, total = 0, 0
    for index, tile in enumerate(found):
        if index > first and total + tile.tokens > size:
            units.append((first, index - 1))
            first, total = index, 0
        total += tile.tokens
        if not tile.leads:
            units.append((first, index))
            first, total = index + 1, 0
    if first < len(found):
        units.append((first, len(found) - 1))
    return units


def _sections(found: Sequence[Tile], units: Sequence[tuple[int, int]]) -> list[int]:
    """The number of the section that each unit is in."""
    numbers: list[int] = []
    section = 0
    for first, _ in units:
        section += found[first].heading
        numbers.append(section)
    return numbers


def _around(number: int, sections: Sequence[int], tokens: Sequence[int], around: int, limit: int) -> tuple[int, int]:
    first = last = number
    total = tokens[number]
    for _ in range(around):
        for step in (-1, 1):
            at = first - 1 if step < 0 else last + 1
            inside = 0 <= at < len(sections) and sections[at] == sections[number]
            if inside and total + tokens[at] <= limit:
                total += tokens[at]
                first, last = min(first, at), max(last, at)
    return first, last
