"""A library in a temporary directory, with the real embedder and stores, for benchmarks of retrieval."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from _report import data_sets, skip
from mainspring import stores
from mainspring.core.errors import ModelNotPulled
from mainspring.core.settings import RagSettings, Settings
from mainspring.core.types import Context, Principal
from mainspring.engines import builtin
from mainspring.engines.catalogue.pull import Puller
from mainspring.engines.encode.embedder import OpenVinoEmbedder
from mainspring.features.evaluate.ablate.vector_cache import KeptEmbedder
from mainspring.rag.answer.responder import DocumentAnswerer
from mainspring.rag.ingest.pipeline import Ingestor, IngestReport, Source
from mainspring.rag.parse.parser import Parser
from mainspring.rag.search.retrieve import Retriever
from mainspring.stores.documents.collections import Collection, Collections


@dataclass(frozen=True, slots=True)
class Bench:
    """One collection, and what searches and answers from it."""

    collection: Collection
    collections: Collections
    embedder: OpenVinoEmbedder | KeptEmbedder
    ingestor: Ingestor
    retriever: Retriever
    settings: Settings

    async def fill(self, texts: Iterable[tuple[str, str]]) -> IngestReport:
        """Ingest (name, text) pairs as text files."""
        sources = [Source(name, f"{name}.txt", text.encode) for name, text in texts]
        return await self.ingestor.ingest(self.collection, sources)

    def answerer(self) -> DocumentAnswerer:
        return DocumentAnswerer(self.retriever, self.collections, self.settings.rag, collection=self.collection)

    def context(self) -> Context:
        return Context(Principal(self.collection.tenant, "benchmark"))


@asynccontextmanager
async def bench(rag: RagSettings | None = None, *, keep: Path | None = None) -> AsyncIterator[Bench]:
    """An empty library under a temporary home, with the default settings and ``rag`` in place of theirs. Vectors of
    passages are kept in the folder ``keep`` (None: nowhere)."""
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home), rag=rag or RagSettings())
        try:
            pulled = Puller(settings).local(settings.models.embedding)
        except ModelNotPulled as error:
            skip(str(error))
        async with stores.open(settings) as opened:
            embedder: OpenVinoEmbedder | KeptEmbedder = OpenVinoEmbedder(pulled, settings.engines.threads)
            if keep:
                embedder = KeptEmbedder(embedder, keep)
            parser = Parser(settings.rag)
            reranker = builtin.reranker(settings)
            shared = (opened.collections, opened.blobs, opened.vectors, embedder)
            try:
                yield Bench(
                    await opened.collections.create("default", "bench", embedder=embedder.name),
                    opened.collections,
                    embedder,
                    Ingestor(*shared, parser, settings.rag),
                    Retriever(*shared, settings.rag, reranker),
                    settings,
                )
            finally:
                await parser.close()
                await embedder.close()
                if reranker is not None:
                    await reranker.close()


def data(part: str) -> Path:
    """A folder of the public data sets; ends the benchmark where ``MAINSPRING_DATA`` does not name it."""
    folder = data_sets() / part
    if not folder.exists():
        skip("MAINSPRING_DATA does not name the folder of public data sets (docs/reference/benchmarks-data.md)")
    return folder
