"""Builds graphs of documents at ingestion, and later for documents without one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mainspring.core.types import Context, Principal, Priority
from mainspring.rag.graph.read.graph_model import GraphPiece
from mainspring.rag.graph.read.model_written import ModelReader
from mainspring.rag.graph.read.rules import extract
from mainspring.rag.parse.title import title_of
from mainspring.rag.search.retrieve import Retriever
from mainspring.stores.documents.collections import Collection, Collections
from mainspring.stores.documents.graphs import Graphs as GraphStore
from mainspring.stores.events.log import EventLog

Progress = Callable[[int, int], None]
"""Called with (documents done, documents in all)."""
_BATCH = 64


@dataclass(slots=True)
class BuildReport:
    """The result of building graphs; ``tokens`` are a model's."""

    documents: int = 0
    entities: int = 0
    relations: int = 0
    tokens: int = 0
    problems: list[str] = field(default_factory=list)


class Reader:
    """Reads graphs by rules, and additionally with ``model`` if there is one; ``facts`` records the cost."""

    def __init__(self, model: ModelReader | None = None, facts: EventLog | None = None) -> None:
        self._model = model
        self._facts = facts

    @property
    def by_rules(self) -> bool:
        """Whether only the rules read the text: then another process can read it as well."""
        return self._model is None

    async def read(
        self,
        tenant: str,
        text: str,
        pieces: Sequence[GraphPiece],
        headings: Sequence[str],
        name: str,
        built: BuildReport | None = None,
    ) -> str:
        """The serialised graph of the text of the document ``name``."""
        graph = await asyncio.to_thread(extract, text, pieces, headings, title_of(name))
        built = built or BuildReport()
        if self._model is not None:
            context = Context(Principal(tenant, "ingest"), priority=Priority.BATCH)
            graph, spent = await self._model.read(text, graph, context)
            built.tokens += spent.tokens
            built.problems += spent.problems
            if self._facts is not None and context.settlement.records:
                await self._facts.append(*context.settlement.records)
        built.documents += 1
        built.entities += len(graph.entities)
        built.relations += len(graph.relations)
        return await asyncio.to_thread(graph.dump)


class GraphBuilder:
    """Makes the graphs of documents that are in a collection already, from their chunks and texts."""

    def __init__(self, collections: Collections, store: GraphStore, retriever: Retriever, reader: Reader) -> None:
        self._collections = collections
        self._store = store
        self._retriever = retriever
        self._reader = reader

    async def build(
        self, collection: Collection, *, again: bool = False, progress: Progress | None = None
    ) -> BuildReport:
        """Make the graphs that are missing, or all of them ``again``. Documents that were replaced or removed in the
        meantime are skipped. Raises ``NotFound`` if the collection is gone."""
        current = dict(await self._collections.current(collection, None))
        wanted = current if again else await self._store.missing(collection, current)
        built = BuildReport()
        names = sorted(wanted)
        for start in range(0, len(names), _BATCH):
            part = {name: wanted[name] for name in names[start : start + _BATCH]}
            await self._store.put(collection, await self._batch(collection, part, built))
            if progress:
                progress(min(len(names), start + _BATCH), len(names))
        return built

    async def _batch(
        self, collection: Collection, part: dict[str, int], built: BuildReport
    ) -> list[tuple[str, int, str]]:
        documents = await self._collections.named(collection, part, None)
        made = []
        for document_id, rows in (await self._retriever.spans(collection, part)).items():
            document = documents.get(document_id)
            if document is None or document.generation != part[document_id]:
                continue
            text = await self._retriever.text(document.text_blob)
            pieces = [GraphPiece(row.chunk_id, row.start, row.end) for row in rows]
            headings = [row.heading for row in rows]
            graph = await self._reader.read(collection.tenant, text, pieces, headings, document.name, built)
            made.append((document_id, part[document_id], graph))
        return made
