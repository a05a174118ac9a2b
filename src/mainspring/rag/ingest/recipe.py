"""How documents are cut, and the recipe of a document: a digest of everything except its bytes that determines its
chunks.

A document with another recipe than the current one is read again even if its bytes are the same. Documents are cut by
the settings, or by sizes of their own: their ``chunking`` is then ``TOKENS/OVERLAP``.
"""

from __future__ import annotations

from dataclasses import dataclass

import mainspring.stores.sql.rows as rows
from mainspring.core.settings import RagSettings
from mainspring.engines.base import Embedder
from mainspring.rag.chunk.chunking import Chunker, chunker

# To be raised whenever parsing or chunking makes other chunks of the same bytes under the same settings.
VERSION = 6
# Settings of these names, and those that begin with them and an underscore, decide about chunks.
_DECIDING = ("chunk", "chunker", "ocr", "parser", "layout", "parent", "semantic", "window")


def recipe(settings: RagSettings, embedder: Embedder) -> str:
    """The digest for documents that are read under ``settings`` for ``embedder``."""
    deciding = {
        name: value
        for name, value in settings.model_dump(mode="json").items()
        if name in _DECIDING or name.startswith(tuple(f"{each}_" for each in _DECIDING))
    }
    return rows.digest(rows.dump([VERSION, embedder.name, embedder.max_tokens, deciding]))[:32]


def chunking(tokens: int, overlap: int) -> str:
    """The sizes of a document's own: the most tokens of a chunk, and those that neighbours share."""
    return f"{tokens}/{overlap}"


def cut_settings(settings: RagSettings, own: str) -> RagSettings:
    """The settings for a document with these sizes of its own (empty: none)."""
    if not own:
        return settings
    tokens, overlap = map(int, own.split("/"))
    return settings.model_copy(update={"chunk_tokens": tokens, "chunk_overlap": overlap})


@dataclass(frozen=True, slots=True)
class Cutting:
    """A chunker, and the recipe of the documents that it cuts."""

    chunker: Chunker
    recipe: str


class Cuttings:
    """The cuttings of one embedder, each made once."""

    def __init__(self, settings: RagSettings, embedder: Embedder) -> None:
        self._settings = settings
        self._embedder = embedder
        self._made: dict[str, Cutting] = {}

    def of(self, own: str) -> Cutting:
        """The cutting of documents with these sizes of their own (empty: none)."""
        if own not in self._made:
            chosen = cut_settings(self._settings, own)
            self._made[own] = Cutting(chunker(chosen, self._embedder), recipe(chosen, self._embedder))
        return self._made[own]
