"""Chunks: runs of whole sentences that fit what the embedding model reads, with their place in the document.

A chunk never exceeds its token budget (a sentence longer than that is cut at a word), begins afresh at a new page and
at a heading once it has some weight, and otherwise repeats the last sentences of the one before it. What is embedded
is the heading path and the chunk; both together fit the model's window, so nothing is silently cut.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mainspring.rag import sentences
from mainspring.rag.document import Parsed, heading_paths

CountTokens = Callable[[Sequence[str]], list[int]]

# Word pieces of English run to 4-5 characters; what is far denser than this (one endless word, base64) is cut by
# characters, or a single unknown token would stand for megabytes.
_MAX_CHARACTERS_A_TOKEN = 12
# A chunk this full ends at a heading, an emptier one takes the next section in as well.
_SECTION_FRACTION = 0.25
_HEADING_FRACTION = 0.25


@dataclass(frozen=True, slots=True)
class Chunk:
    """``text[start:end]`` of the document, ``tokens`` long in the embedding model's vocabulary.

    ``page`` and ``heading`` (a path, or empty) are those of its first sentence; ``embedded`` is what is embedded.
    """

    start: int
    end: int
    page: int | None
    heading: str
    tokens: int
    embedded: str


@dataclass(frozen=True, slots=True)
class _Tile:
    """A sentence with what separates it from the next; tiles cover the text without gaps."""

    start: int
    end: int
    tokens: int
    heading: bool
    page: int | None


def chunk(
    parsed: Parsed, count_tokens: CountTokens, *, size: int, overlap: int, window: int, title: str = ""
) -> list[Chunk]:
    """Cut ``parsed`` into chunks of at most ``size`` tokens that share about ``overlap`` tokens.

    ``window`` is how many tokens the model reads, special tokens excluded; ``title`` (the document's name, say)
    opens the heading path where the document has no heading of level 1. An empty text has no chunks.
    """
    size = min(size, window)
    # One sentence alone must still fit beside the longest heading path.
    prefix_limit = int(window * _HEADING_FRACTION)
    tiles = _tiles(parsed, count_tokens, min(size, window - prefix_limit))
    paths = heading_paths(parsed.headings)
    starts = [offset for offset, _ in paths]

    def heading_at(offset: int) -> str:
        index = bisect_right(starts, offset) - 1
        path = paths[index][1] if index >= 0 else ""
        return path if any(heading.level == 1 for heading in parsed.headings) else _join(title, path)

    spans = _pack(tiles, size, min(overlap, size // 2))
    headings = [heading_at(tiles[_first_sentence(tiles, first, last)].start) for first, last in spans]
    prefixes = _prefixes(headings, count_tokens, prefix_limit)
    chunks: list[Chunk] = []
    for (first, last), heading in zip(spans, headings, strict=True):
        prefix, prefix_tokens = prefixes[heading]
        for a, b in _fit(tiles, first, last, window - prefix_tokens):
            chunks.append(_chunk(parsed, tiles[a : b + 1], heading, prefix))
    return chunks


def _chunk(parsed: Parsed, tiles: Sequence[_Tile], heading: str, prefix: str) -> Chunk:
    start, end = tiles[0].start, tiles[-1].end
    end = start + len(parsed.text[start:end].rstrip())
    body = parsed.text[start:end]
    tokens = sum(tile.tokens for tile in tiles)
    return Chunk(start, end, parsed.page_at(start), heading, tokens, f"{prefix}\n{body}" if prefix else body)


def _join(title: str, path: str) -> str:
    return " > ".join(part for part in (title, path) if part)


def _prefixes(headings: Sequence[str], count_tokens: CountTokens, limit: int) -> dict[str, tuple[str, int]]:
    """For each path the part of it that is embedded, and its tokens: outer headings go first when it is long."""
    candidates: dict[str, list[str]] = {}
    for heading in set(headings):
        parts = heading.split(" > ") if heading else []
        candidates[heading] = [" > ".join(parts[index:]) for index in range(len(parts))] + [""]
    flat = [text for texts in candidates.values() for text in texts]
    counts = dict(zip(flat, count_tokens(flat), strict=True)) if flat else {}
    chosen: dict[str, tuple[str, int]] = {}
    for heading, texts in candidates.items():
        best = next(text for text in texts if counts[text] <= limit or not text)
        chosen[heading] = (best, counts[best])
    return chosen


def _tiles(parsed: Parsed, count_tokens: CountTokens, size: int) -> list[_Tile]:
    text = parsed.text
    found = sentences.split(text)
    if not found:
        return []
    bounds = [sentence.lead for sentence in found] + [len(text.rstrip())]
    spans = [(bounds[i], bounds[i + 1], found[i].kind == "heading") for i in range(len(found))]
    whole: list[_Tile] = []
    limit = size * _MAX_CHARACTERS_A_TOKEN
    pieces = [piece for span in spans for piece in _cut(text, *span, limit=limit)]
    while pieces:
        counts = count_tokens([text[start:end] for start, end, _ in pieces])
        longer: list[tuple[int, int, bool]] = []
        for (start, end, heading), tokens in zip(pieces, counts, strict=True):
            if tokens <= size or end - start < 2:
                whole.append(_Tile(start, end, tokens, heading, parsed.page_at(start)))
            else:
                length = max(1, int((end - start) * size / tokens * 0.9))
                longer.extend(_cut(text, start, end, heading, limit=length))
        pieces = longer
    return sorted(whole, key=lambda tile: tile.start)


def _cut(text: str, start: int, end: int, heading: bool, *, limit: int) -> list[tuple[int, int, bool]]:
    """``text[start:end]`` in pieces of at most ``limit`` characters, cut after white space where there is some."""
    pieces: list[tuple[int, int, bool]] = []
    while end - start > limit:
        window = text[start : start + limit]
        space = max(window.rfind(" "), window.rfind("\n"))
        stop = start + (space + 1 if space > limit // 2 else limit)
        pieces.append((start, stop, heading))
        start = stop
    pieces.append((start, end, heading))
    return pieces


def _pack(tiles: Sequence[_Tile], size: int, overlap: int) -> list[tuple[int, int]]:
    """(first, last) tile of each chunk."""
    spans: list[tuple[int, int]] = []
    limit = size * _MAX_CHARACTERS_A_TOKEN
    first, total = 0, 0
    for index, tile in enumerate(tiles):
        full = total + tile.tokens > size or tile.end - tiles[first].start > limit
        section = tile.heading and total >= size * _SECTION_FRACTION
        section = section or tile.page != tiles[first].page
        # Consecutive headings belong to what follows them, not to a chunk of their own.
        if index > first and (full or section) and not _only_headings(tiles, first, index):
            last = index - 1
            while not section and last > first and tiles[last].heading:
                last -= 1
            spans.append((first, last))
            first = last + 1 if section else _overlapping(tiles, first, last, index, size, overlap)
            total = sum(part.tokens for part in tiles[first:index])
            if first < index and total + tile.tokens > size:
                # Headings that do not fit beside what they head stand alone.
                spans.append((first, index - 1))
                first, total = index, 0
        elif index > first and full:
            spans.append((first, index - 1))
            first, total = index, 0
        total += tile.tokens
    if tiles:
        spans.append((first, len(tiles) - 1))
    return spans


def _first_sentence(tiles: Sequence[_Tile], first: int, last: int) -> int:
    """The first tile of a span that is no heading; its first tile where all are."""
    return next((index for index in range(first, last + 1) if not tiles[index].heading), first)


def _only_headings(tiles: Sequence[_Tile], first: int, index: int) -> bool:
    return all(tile.heading for tile in tiles[first:index])


def _overlapping(tiles: Sequence[_Tile], first: int, last: int, index: int, size: int, overlap: int) -> int:
    """Where the next chunk starts so that it repeats at most ``overlap`` tokens and still takes tile ``index``."""
    start, shared = last + 1, 0
    waiting = sum(tile.tokens for tile in tiles[start : index + 1])
    while start - 1 > first and not tiles[start - 1].heading:
        tokens = tiles[start - 1].tokens
        if shared + tokens > overlap or shared + tokens + waiting > size:
            break
        if tiles[index].end - tiles[start - 1].start > size * _MAX_CHARACTERS_A_TOKEN:
            break
        shared += tokens
        start -= 1
    return start


def _fit(tiles: Sequence[_Tile], first: int, last: int, room: int) -> list[tuple[int, int]]:
    """Split a span whose tokens and heading path together exceed the model's window."""
    parts: list[tuple[int, int]] = []
    begin, total = first, 0
    for index in range(first, last + 1):
        if index > begin and total + tiles[index].tokens > room:
            parts.append((begin, index - 1))
            begin, total = index, 0
        total += tiles[index].tokens
    parts.append((begin, last))
    return parts
