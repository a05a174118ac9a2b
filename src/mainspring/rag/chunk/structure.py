"""Chunks of whole sentences: along headings and pages (``structure``), or simply one after the other (``sentence``).

A chunk begins afresh at a new page and at a heading once it has some weight, and otherwise repeats the last sentences
of the one before it. Headings and the header rows of tables stay with what follows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.rag.chunk.base import MAX_CHARACTERS_A_TOKEN, Material, Span, cut
from mainspring.rag.text import sentences

# A chunk that is at least this full ends at a heading; an emptier one includes the next section.
_SECTION_FRACTION = 0.25


@dataclass(frozen=True, slots=True)
class Tile:
    """A sentence with the separator before the next one; tiles cover the text without gaps.

    ``leads``: it says what follows it is about (a heading, the header row of a table).
    """

    start: int
    end: int
    tokens: int
    heading: bool
    leads: bool
    page: int | None


def structure(material: Material) -> list[Span]:
    """Sentences along the document's sections and pages."""
    found = tiles(material, material.size)
    return spans(found, pack(found, material.size, material.overlap))


def sentence(material: Material) -> list[Span]:
    """Sentences one after the other, as many as fit."""
    found = tiles(material, material.size)
    return spans(found, pack(found, material.size, material.overlap, sections=False))


def spans(found: Sequence[Tile], runs: Sequence[tuple[int, int]]) -> list[Span]:
    """The text that each (first, last) run of tiles covers."""
    return [Span(found[first].start, found[last].end) for first, last in runs]


def tiles(material: Material, size: int) -> list[Tile]:
    """The sentences of a document; sentences of more than ``size`` tokens are cut into pieces."""
    text = material.text
    found = sentences.split(text)
    if not found:
        return []
    first = len(text) - len(text.lstrip())
    bounds = [first, *(sentence.lead for sentence in found[1:]), len(text.rstrip())]
    whole: list[Tile] = []
    pieces = [
        (start, end, number)
        for number, _ in enumerate(found)
        for start, end in cut(text, bounds[number], bounds[number + 1], size * MAX_CHARACTERS_A_TOKEN)
    ]
    while pieces:
        counts = material.count([text[start:end] for start, end, _ in pieces])
        longer: list[tuple[int, int, int]] = []
        for (start, end, number), tokens in zip(pieces, counts, strict=True):
            if tokens <= size or end - start < 2:
                heading = found[number].kind == "heading"
                leads = heading or material.tables.is_header(found[number].lead)
                whole.append(Tile(start, end, tokens, heading, leads, material.parsed.page_at(start)))
            else:
                length = max(1, int((end - start) * size / tokens * 0.9))
                longer.extend((a, b, number) for a, b in cut(text, start, end, length))
        pieces = longer
    return sorted(whole, key=lambda tile: tile.start)


def pack(found: Sequence[Tile], size: int, overlap: int, *, sections: bool = True) -> list[tuple[int, int]]:
    """(first, last) tile of each chunk. Without ``sections``, headings and pages do not start one."""
    runs: list[tuple[int, int]] = []
    limit = size * MAX_CHARACTERS_A_TOKEN
    first, total = 0, 0
    for index, tile in enumerate(found):
        full = total + tile.tokens > size or tile.end - found[first].start > limit
        section = tile.heading and total >= size * _SECTION_FRACTION
        section = sections and (section or tile.page != found[first].page)
        # A lead-in belongs to the text after it, not to a chunk of its own.
        if index > first and (full or section) and not _only_leads(found, first, index):
            last = index - 1
            while not section and last > first and found[last].leads:
                last -= 1
            runs.append((first, last))
            # A lead-in starts a new chunk: an overlap before it might be all that the next chunk has.
            fresh = section or tile.leads
            first = last + 1 if fresh else _overlapping(found, first, last, index, size, overlap)
            total = sum(part.tokens for part in found[first:index])
            if first < index and total + tile.tokens > size:
                # Headings that do not fit with their text stand alone.
                runs.append((first, index - 1))
                first, total = index, 0
        elif index > first and full:
            runs.append((first, index - 1))
            first, total = index, 0
        total += tile.tokens
    if found:
        runs.append((first, len(found) - 1))
    return runs


def _only_leads(found: Sequence[Tile], first: int, index: int) -> bool:
    return all(tile.leads for tile in found[first:index])


def _overlapping(found: Sequence[Tile], first: int, last: int, index: int, size: int, overlap: int) -> int:
    """Where the next chunk starts so that it repeats at most ``overlap`` tokens and still takes tile ``index``."""
    start, shared = last + 1, 0
    waiting = sum(tile.tokens for tile in found[start : index + 1])
    while start - 1 > first and not found[start - 1].leads:
        tokens = found[start - 1].tokens
        if shared + tokens > overlap or shared + tokens + waiting > size:
            break
        if found[index].end - found[start - 1].start > size * MAX_CHARACTERS_A_TOKEN:
            break
        shared += tokens
        start -= 1
    return start
