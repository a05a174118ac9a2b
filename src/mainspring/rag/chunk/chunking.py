"""Chunks of documents: the one way to get them, whichever strategy the settings choose.

``chunker`` makes what ingestion uses. Strategies: ``structure`` (sentences along headings and pages), ``sentence``,
``fixed`` (token windows), ``recursive`` (paragraphs down to words), ``semantic`` (where the subject changes), ``code``
(along the syntax tree), ``parent_child`` and ``sentence_window`` (small ones are embedded, larger ones read), ``auto``
(``code`` for source files whose grammar is here, ``structure`` for everything else).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mainspring.core.settings import RagSettings
from mainspring.engines.base import Embedder
from mainspring.rag.chunk.base import Chunk, Chunker, CountTokens, Limits, Material, Span
from mainspring.rag.chunk.structure import sentence, structure, tiles
from mainspring.rag.chunk.windows import fixed, recursive
from mainspring.rag.parse.parsed import Parsed

__all__ = ["Chunk", "Chunker", "CountTokens", "chunk", "chunker", "narrowed"]

# Special tokens and the prefix that some models put before passages.
RESERVED_TOKENS = 8

_Strategy = Callable[[Material], list[Span]]


def chunk(
    parsed: Parsed, count_tokens: CountTokens, *, size: int, overlap: int, window: int, title: str = ""
) -> list[Chunk]:
    """Cut ``parsed`` along its structure into chunks of at most ``size`` tokens that share about ``overlap`` tokens.

    ``window`` is how many tokens the model reads, special tokens excluded; ``title`` (the document's name, say)
    opens the heading path where the document has no heading of level 1. An empty text has no chunks.
    """
    return _cut(structure, Material(parsed, count_tokens, Limits(size, overlap, window), title=title))


def chunker(settings: RagSettings, embedder: Embedder) -> Chunker:
    """The chunker that ``rag.chunker`` names, with sizes in the tokens of ``embedder``; ``semantic`` embeds with it."""
    limits = Limits(settings.chunk_tokens, settings.chunk_overlap, embedder.max_tokens - RESERVED_TOKENS)
    if settings.chunker == "semantic":
        return _Semantic(limits, embedder, settings.semantic_percentile)
    return _Plain(settings.chunker, limits, embedder, settings)


def narrowed(settings: RagSettings, embedder: Embedder) -> str:
    """What to say where chunks cannot be as long as the settings want them; empty where they can."""
    most = embedder.max_tokens - RESERVED_TOKENS
    if settings.chunk_tokens <= most:
        return ""
    return (
        f"rag.chunk_tokens is {settings.chunk_tokens}, but {embedder.name} reads {embedder.max_tokens} tokens: "
        f"chunks have {most} at most"
    )


def _cut(strategy: _Strategy, material: Material) -> list[Chunk]:
    return material.chunks(strategy(material))


class _Plain:
    """A strategy that needs no vectors, run in a thread."""

    def __init__(self, name: str, limits: Limits, embedder: Embedder, settings: RagSettings) -> None:
        self.name = name
        self._limits = limits
        self._embedder = embedder
        self._settings = settings

    async def chunk(self, parsed: Parsed, *, name: str = "", title: str = "") -> list[Chunk]:
        """See ``Chunker``."""

        def work() -> list[Chunk]:
            strategy = self._strategy(parsed, name)
            return _cut(strategy, Material(parsed, self._embedder.count_tokens, self._limits, name=name, title=title))

        return await asyncio.to_thread(work)

    def _strategy(self, parsed: Parsed, name: str) -> _Strategy:
        from mainspring.rag.chunk import parents, syntax
        from mainspring.rag.chunk.code import code

        settings = self._settings
        if self.name in ("code", "auto"):
            source = parsed.kind == "code" and (self.name == "code" or syntax.available(name))
            return code if source else structure
        simple = {"structure": structure, "sentence": sentence, "fixed": fixed, "recursive": recursive}
        if self.name == "parent_child":
            return lambda material: parents.parent_child(material, settings.parent_tokens)
        if self.name == "sentence_window":
            return lambda material: parents.sentence_window(material, settings.window_sentences, settings.parent_tokens)
        return simple[self.name]


class _Semantic:
    """Breaks where the cosine of neighbouring sentences is low; each sentence is embedded for it."""

    name = "semantic"

    def __init__(self, limits: Limits, embedder: Embedder, percentile: float) -> None:
        self._limits = limits
        self._embedder = embedder
        self._percentile = percentile

    async def chunk(self, parsed: Parsed, *, name: str = "", title: str = "") -> list[Chunk]:
        """See ``Chunker``."""
        from mainspring.rag.chunk import semantic

        def prepare() -> Material:
            return Material(parsed, self._embedder.count_tokens, self._limits, name=name, title=title)

        material = await asyncio.to_thread(prepare)
        found = await asyncio.to_thread(tiles, material, material.size)
        cosines = semantic.similarities(await semantic.embedded(material, found, self._embedder))
        spans = semantic.semantic(material, found, cosines, self._percentile)
        return await asyncio.to_thread(material.chunks, spans)
