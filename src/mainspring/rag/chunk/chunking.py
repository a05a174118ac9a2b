"""Chunks of documents: the one way to get them, whichever strategy the settings choose.

``chunker`` makes what ingestion uses. Strategies: ``structure`` (sentences along headings and pages), ``sentence``,
``fixed`` (token windows), ``recursive`` (paragraphs down to words), ``semantic`` (where the subject changes), ``code``
(along the syntax tree), ``parent_child`` and ``sentence_window`` (small ones are embedded, larger ones read), ``auto``
(``code`` for source files whose grammar is here, ``structure`` for everything else).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mainspring.core import plugins
from mainspring.core.plugins import Registry, hookimpl
from mainspring.core.settings import RagSettings
from mainspring.engines.base import Embedder
from mainspring.rag.chunk import parents
from mainspring.rag.chunk.base import CHUNKER, Chunk, Chunker, CountTokens, Limits, Material, Span
from mainspring.rag.chunk.structure import sentence, structure, tiles
from mainspring.rag.chunk.windows import fixed, recursive
from mainspring.rag.parse.parsed import Parsed

__all__ = [
    "Chunk",
    "Chunker",
    "CountTokens",
    "CutRecipe",
    "PlainChunker",
    "chunk",
    "chunker",
    "cut_by",
    "narrowed",
]

# Special tokens and the prefix that some models put before passages.
RESERVED_TOKENS = 8

_Strategy = Callable[[Material], list[Span]]
_Choose = Callable[[Parsed, str], _Strategy]


def chunk(
    parsed: Parsed, count_tokens: CountTokens, *, size: int, overlap: int, window: int, title: str = ""
) -> list[Chunk]:
    """Cut ``parsed`` along its structure into chunks of at most ``size`` tokens that share about ``overlap`` tokens.

    ``window`` is how many tokens the model reads, special tokens excluded; ``title`` (the document's name, say)
    opens the heading path if the document has no heading of level 1. An empty text has no chunks.
    """
    return _cut(structure, Material(parsed, count_tokens, Limits(size, overlap, window), title=title))


def chunker(settings: RagSettings, embedder: Embedder) -> Chunker:
    """The chunker that ``rag.chunker`` names, with sizes in the tokens of ``embedder``.

    Raises ``SettingsError`` with the nearest name if there is no such strategy.
    """
    return plugins.registry().make(CHUNKER, settings.chunker, settings, embedder)


@hookimpl
def mainspring_register(registry: Registry) -> None:
    """``factory(settings, embedder) -> Chunker``."""
    for name in _CHOICES:
        registry.add(CHUNKER, name, partial(_plain, name))
    registry.add(CHUNKER, "semantic", _Semantic)


def narrowed(settings: RagSettings, embedder: Embedder) -> str:
    """A warning if chunks cannot be as long as the settings want; empty if they can."""
    most = embedder.max_tokens - RESERVED_TOKENS
    if settings.chunk_tokens <= most:
        return ""
    return (
        f"rag.chunk_tokens is {settings.chunk_tokens}, but {embedder.name} reads {embedder.max_tokens} tokens: "
        f"chunks have {most} at most"
    )


def _cut(strategy: _Strategy, material: Material) -> list[Chunk]:
    return material.chunks(strategy(material))


@dataclass(frozen=True, slots=True)
class CutRecipe:
    """How a strategy of ours that needs no vectors cuts: all that it depends on besides the document and its
    tokenizer."""

    strategy: str
    limits: Limits
    parent_tokens: int
    window_sentences: int


def cut_by(recipe: CutRecipe, parsed: Parsed, count_tokens: CountTokens, *, name: str, title: str) -> list[Chunk]:
    """The chunks of a document; see ``Chunker``. Raises ``MissingExtra``."""
    material = Material(parsed, count_tokens, recipe.limits, name=name, title=title)
    return _cut(_CHOICES[recipe.strategy](recipe)(parsed, name), material)


class PlainChunker:
    """A chunker that needs no vectors, and works in a thread here: another process can cut by its ``recipe``."""

    def __init__(self, recipe: CutRecipe, embedder: Embedder) -> None:
        self.name = recipe.strategy
        self.recipe = recipe
        self.embedder = embedder

    async def chunk(self, parsed: Parsed, *, name: str = "", title: str = "") -> list[Chunk]:
        """See ``Chunker``."""
        count = self.embedder.count_tokens
        return await asyncio.to_thread(cut_by, self.recipe, parsed, count, name=name, title=title)


class _Semantic:
    """Breaks where the cosine of neighbouring sentences is low; each sentence is embedded for it."""

    name = "semantic"

    def __init__(self, settings: RagSettings, embedder: Embedder) -> None:
        self._limits = _limits(settings, embedder)
        self._embedder = embedder
        self._percentile = settings.semantic_percentile

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


def _plain(name: str, settings: RagSettings, embedder: Embedder) -> Chunker:
    recipe = CutRecipe(name, _limits(settings, embedder), settings.parent_tokens, settings.window_sentences)
    return PlainChunker(recipe, embedder)


def _along(strategy: _Strategy) -> Callable[[CutRecipe], _Choose]:
    return lambda _: lambda _parsed, _name: strategy


def _code(_: CutRecipe, *, always: bool) -> _Choose:
    """Source files along their syntax, ``always`` or where their grammar is installed; everything else by structure."""

    def choose(parsed: Parsed, name: str) -> _Strategy:
        from mainspring.rag.chunk import syntax
        from mainspring.rag.chunk.code import code

        return code if parsed.kind == "code" and (always or syntax.available(name)) else structure

    return choose


def _parent_child(recipe: CutRecipe) -> _Choose:
    return lambda _parsed, _name: lambda material: parents.parent_child(material, recipe.parent_tokens)


def _sentence_window(recipe: CutRecipe) -> _Choose:
    return lambda _parsed, _name: (
        lambda material: parents.sentence_window(material, recipe.window_sentences, recipe.parent_tokens)
    )


def _limits(settings: RagSettings, embedder: Embedder) -> Limits:
    return Limits(settings.chunk_tokens, settings.chunk_overlap, embedder.max_tokens - RESERVED_TOKENS)


# No parts of the registry: the chunkers that it has under these names are one, with a recipe.
_CHOICES: dict[str, Callable[[CutRecipe], _Choose]] = {
    "structure": _along(structure),
    "sentence": _along(sentence),
    "fixed": _along(fixed),
    "recursive": _along(recursive),
    "code": partial(_code, always=True),
    "auto": partial(_code, always=False),
    "parent_child": _parent_child,
    "sentence_window": _sentence_window,
}
