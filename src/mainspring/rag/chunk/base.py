"""Chunks, chunkers, and the material for strategies: a document with its sizes, headings and tables.

A strategy chooses spans of the text; ``Material.chunks`` turns them into chunks. Whatever the strategy, no chunk
exceeds its size, and no embedded text is longer than the model reads.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from mainspring.core.plugins import Kind
from mainspring.core.settings import RagSettings
from mainspring.engines.base import Embedder
from mainspring.rag.chunk.tables import Tables
from mainspring.rag.parse.parsed import Parsed, heading_paths

CountTokens = Callable[[Sequence[str]], list[int]]
"""Tokens of each text in the embedding model's vocabulary, special tokens excluded."""

# Word pieces of English have 4-5 characters; much denser text (one endless word, base64) is cut by characters, or a
# single unknown token could stand for megabytes.
MAX_CHARACTERS_A_TOKEN = 12
_HEADING_FRACTION = 0.25
# Texts that are joined may have a token more than their parts.
_JOINT_TOKENS = 1


@dataclass(frozen=True, slots=True)
class Chunk:
    """``text[start:end]`` of the document, ``tokens`` long in the embedding model's vocabulary.

    ``page`` is that of its first character, ``heading`` (a path, or empty) that of its first words below a heading;
    ``embedded`` is the text to embed. ``parent`` is the span of the document that is read in its place once it is
    found; None: the chunk itself.
    """

    start: int
    end: int
    page: int | None
    heading: str
    tokens: int
    embedded: str
    parent: tuple[int, int] | None = None


class Chunker(Protocol):
    """Cuts documents into chunks."""

    @property
    def name(self) -> str:
        """The strategy as the settings name it."""
        ...

    async def chunk(self, parsed: Parsed, *, name: str = "", title: str = "") -> list[Chunk]:
        """The chunks of a document in the order of their starts; none for one without words.

        ``name`` is its file's (which identifies source code); ``title`` opens the heading path if the document has no
        heading of level 1. Raises ``MissingExtra`` if the strategy needs one for this document.
        """
        ...


CHUNKER: Kind[[RagSettings, Embedder], Chunker] = Kind(
    "chunker",
    Chunker,
    ("settings", "embedder"),
    builtins="mainspring.rag.chunk.chunking",
    setting="rag.chunker",
)
"""Sizes are in the tokens of the embedder, which may also embed candidate text."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Tokens: of a chunk, shared by neighbours, and what the model reads without special tokens."""

    size: int
    overlap: int
    window: int


@dataclass(frozen=True, slots=True)
class Span:
    """A span of the text that is to become a chunk. ``heading`` None: the heading above the span."""

    start: int
    end: int
    heading: str | None = None
    parent: tuple[int, int] | None = None


class Material:
    """A document that is being cut. ``size`` is the maximum of a chunk so that its heading path fits too."""

    def __init__(
        self, parsed: Parsed, count_tokens: CountTokens, limits: Limits, *, name: str = "", title: str = ""
    ) -> None:
        self.parsed = parsed
        self.text = parsed.text
        self.name = name
        self.title = title
        self.count = count_tokens
        self.tables = Tables(parsed.text if parsed.kind != "code" else "")
        self._window = limits.window
        self._heading_limit = int(limits.window * _HEADING_FRACTION)
        self._titled = any(heading.level == 1 for heading in parsed.headings)
        self._paths = heading_paths(parsed.headings)
        self._prefixes: dict[str, tuple[str, int]] = {}
        self._prepare([self._full(path) for path in ("", *(path for _, path in self._paths))])
        reserve = max((tokens + _JOINT_TOKENS for _, tokens in self._prefixes.values() if tokens), default=0)
        self.size = max(1, min(limits.size, limits.window - reserve))
        self.overlap = min(limits.overlap, self.size // 2)

    def counted(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text; equal texts are counted once."""
        distinct = list(dict.fromkeys(texts))
        tokens = dict(zip(distinct, self.count(distinct), strict=True)) if distinct else {}
        return [tokens[text] for text in texts]

    def trimmed(self, start: int, end: int) -> tuple[int, int]:
        """The same span without surrounding white space."""
        body = self.text[start:end]
        return start + len(body) - len(body.lstrip()), start + len(body.rstrip())

    def heading_at(self, start: int, end: int) -> str:
        """The heading path of the first words of a span that are no heading themselves."""
        headings = self.parsed.headings
        at = start
        first = bisect_right(headings, start, key=lambda heading: heading.start) - 1
        for index in range(max(0, first), len(headings)):
            if headings[index].start > at:
                break
            if at < headings[index].end:
                at, _ = self.trimmed(headings[index].end, end)
        index = bisect_right(self._paths, at if at < end else start, key=lambda pair: pair[0]) - 1
        return self._full(self._paths[index][1] if index >= 0 else "")

    def chunks(self, spans: Iterable[Span]) -> list[Chunk]:
        """Chunks of these spans; spans that turn out too long are cut, empty ones are left out."""
        counted = self._fitting(spans)
        headings = [
            self.heading_at(span.start, span.end) if span.heading is None else span.heading for span, _ in counted
        ]
        self._prepare(headings)
        found = []
        for (span, tokens), heading in zip(counted, headings, strict=True):
            embedded = self._embedded(span, heading, tokens)
            page = self.parsed.page_at(span.start)
            found.append(Chunk(span.start, span.end, page, heading, tokens, embedded, span.parent))
        return found

    def _full(self, path: str) -> str:
        return path if self._titled else " > ".join(part for part in (self.title, path) if part)

    def _fitting(self, spans: Iterable[Span]) -> list[tuple[Span, int]]:
        """Spans with their tokens, none above the size."""
        done: list[tuple[Span, int]] = []
        waiting = [span for span in spans if self.text[span.start : span.end].strip()]
        while waiting:
            waiting = [
                replace(span, end=span.start + len(self.text[span.start : span.end].rstrip())) for span in waiting
            ]
            counts = self.count([self.text[span.start : span.end] for span in waiting])
            longer: list[Span] = []
            for span, tokens in zip(waiting, counts, strict=True):
                length = span.end - span.start
                most = self.size * MAX_CHARACTERS_A_TOKEN
                if (tokens <= self.size and length <= most) or length < 2:
                    done.append((span, tokens))
                    continue
                limit = min(most, length - 1, max(1, int(length * self.size / max(1, tokens) * 0.9)))
                for start, end in cut(self.text, span.start, span.end, limit):
                    if self.text[start:end].strip():
                        longer.append(replace(span, start=start, end=end))
            waiting = longer
        return sorted(done, key=lambda pair: (pair[0].start, pair[0].end))

    def _prepare(self, headings: Iterable[str]) -> None:
        """Choose for each path the part of it that is embedded: outer headings go first when it is long."""
        candidates: dict[str, list[str]] = {}
        for heading in set(headings) - self._prefixes.keys():
            parts = heading.split(" > ") if heading else []
            candidates[heading] = [" > ".join(parts[index:]) for index in range(len(parts))] + [""]
        flat = list({text for texts in candidates.values() for text in texts if text})
        counts = dict(zip(flat, self.count(flat), strict=True)) if flat else {}
        for heading, texts in candidates.items():
            best = next(text for text in texts if counts.get(text, 0) <= self._heading_limit)
            self._prefixes[heading] = (best, counts.get(best, 0))

    def _embedded(self, span: Span, heading: str, tokens: int) -> str:
        prefix, prefix_tokens = self._prefixes[heading]
        room = self._window - tokens
        parts: list[str] = []
        if prefix and prefix_tokens + _JOINT_TOKENS <= room:
            parts.append(prefix)
            room -= prefix_tokens + _JOINT_TOKENS
        header = self.tables.header_at(span.start)
        if header and self.tables.header_tokens(header, self.count) + _JOINT_TOKENS <= room:
            parts.append(header)
        return "\n".join([*parts, self.text[span.start : span.end]])


def cut(text: str, start: int, end: int, limit: int) -> list[tuple[int, int]]:
    """``text[start:end]`` in pieces of at most ``limit`` characters, cut after white space if there is any."""
    pieces: list[tuple[int, int]] = []
    while end - start > limit:
        window = text[start : start + limit]
        # Between the cells of a row rather than within one.
        bar = window.rfind(" | ") + 2 if text[start] == "|" else 0
        space = max(window.rfind(" "), window.rfind("\n"))
        space = bar if bar > limit // 2 else space
        stop = start + (space + 1 if space > limit // 2 else limit)
        pieces.append((start, stop))
        start = stop
    pieces.append((start, end))
    return pieces


def windows(tokens: Sequence[int], size: int, overlap: int) -> list[tuple[int, int]]:
    """(first, last + 1) of runs of pieces that have at most ``size`` tokens and share at most ``overlap``."""
    runs: list[tuple[int, int]] = []
    first = 0
    while first < len(tokens):
        last, total = first, 0
        while last < len(tokens) and (last == first or total + tokens[last] <= size):
            total += tokens[last]
            last += 1
        runs.append((first, last))
        if last == len(tokens):
            break
        begin, shared = last, 0
        while begin - 1 > first and shared + tokens[begin - 1] <= min(overlap, size - tokens[last]):
            begin -= 1
            shared += tokens[begin]
        first = begin
    return runs
