"""Fixtures of the rag room: real stores in a temporary home, and the default embedder where it is pulled."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from mainspring import stores
from mainspring.core.errors import ModelNotPulled
from mainspring.core.settings import RagSettings, Settings
from mainspring.core.types import Context, Principal
from mainspring.engines.base import Embedded, Embedder
from mainspring.engines.catalogue.pull import Puller
from mainspring.engines.encode.embedder import OpenVinoEmbedder
from mainspring.rag.answer.responder import DocumentAnswerer
from mainspring.rag.ingest.pipeline import Ingestor
from mainspring.rag.parse.parser import Parser
from mainspring.rag.search.retrieve import Retriever
from mainspring.rag.text import terms
from mainspring.stores import Stores
from mainspring.stores.documents.collections import Collection

HANDBOOK = Path(__file__).parents[2] / "samples" / "handbook"


class WordEmbedder:
    """A deterministic embedder: hashed content words, so that texts which share words have a high cosine."""

    name = "words"
    dimensions = 1024
    max_tokens = 64

    def __init__(self) -> None:
        self.embedded = 0

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        self.embedded += len(texts)
        vectors = np.full((len(texts), self.dimensions), 1e-3, np.float32)
        for row, text in enumerate(texts):
            for word in terms.words(text):
                vectors[row, zlib.crc32(word.encode()) % self.dimensions] += 1
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return Embedded(vectors, sum(self.count_tokens(texts)))

    async def close(self) -> None:
        return None


@dataclass
class Room:
    """Everything a test of this room needs, over one collection."""

    stores: Stores
    embedder: Embedder
    parser: Parser
    ingestor: Ingestor
    retriever: Retriever
    collection: Collection
    settings: RagSettings

    def answerer(self, **arguments: object) -> DocumentAnswerer:
        chosen = {"collection": self.collection} | arguments
        return DocumentAnswerer(self.retriever, self.stores.collections, self.settings, **chosen)  # type: ignore[arg-type]

    async def documents(self) -> dict[str, str]:
        """Name and status of each document."""
        found = await self.stores.collections.documents(self.collection, None)
        return {document.name: document.status for document in found}


async def furnish(home: Path, embedder: Embedder, rag: RagSettings) -> AsyncIterator[Room]:
    settings = Settings(home=home, rag=rag)
    async with stores.open(settings) as opened:
        parser = Parser(rag)
        shared = (opened.collections, opened.blobs, opened.vectors, embedder)
        collection = await opened.collections.create("default", "handbook", embedder=embedder.name)
        try:
            yield Room(
                opened,
                embedder,
                parser,
                Ingestor(*shared, parser, rag),
                Retriever(*shared, rag),
                collection,
                rag,
            )
        finally:
            await parser.close()


@pytest.fixture
async def room(tmp_path: Path, read_here: None) -> AsyncIterator[Room]:
    """With the embedder of hashed words: fast, and exact about which words are shared."""
    async for made in furnish(tmp_path / "home", WordEmbedder(), RagSettings(refuse_below=0.05)):
        yield made


@pytest.fixture
def real_embedder() -> OpenVinoEmbedder:
    """The default embedder, or a skip that says how to get it."""
    try:
        return OpenVinoEmbedder(Puller(Settings()).local("all-minilm-l6-v2"))
    except ModelNotPulled as error:
        pytest.skip(str(error))


@pytest.fixture
async def real_room(tmp_path: Path, real_embedder: OpenVinoEmbedder) -> AsyncIterator[Room]:
    """With the default embedder and settings."""
    async for made in furnish(tmp_path / "home", real_embedder, RagSettings()):
        yield made
    await real_embedder.close()


@pytest.fixture
def asker() -> Context:
    return Context(Principal("default", "key"))
