"""Publishing: the chunks of parsed documents are embedded and written, then each document is made current.

A process that dies before a document's commit has published nothing; its chunks are stale and are removed after the
next ingestion, like those of superseded or removed generations.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, Literal

from mainspring.core.errors import Conflict, MainspringError, NotFound, UnreadableDocument
from mainspring.engines.base import Embedder
from mainspring.rag.connect.base import Source
from mainspring.rag.cutting.messages import Cut
from mainspring.rag.graph.read.graph_model import GraphPiece
from mainspring.rag.graph.read.reader import BuildReport, Reader
from mainspring.rag.ingest import vector_reuse
from mainspring.rag.ingest.screening import Screened, Screener
from mainspring.rag.parse import language
from mainspring.rag.parse.parsed import Parsed
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.documents.catalogue import DocumentVersion, Publication
from mainspring.stores.documents.collections import Collection, Collections
from mainspring.stores.vectors.base import ChunkRow, VectorStore

Stage = Literal["parsing", "embedding", "writing"]
Told = Callable[[Stage, int, int], None]
"""Called with the current step of a file, and the number of its chunks."""
log = logging.getLogger("mainspring.rag")
WRITTEN_AT_ONCE = 1024
"""The number of chunks that are embedded and written together."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be read, and why."""

    name: str
    error: str


@dataclass(slots=True)
class IngestReport:
    """The result of an ingestion; sizes in characters, times in seconds.

    ``languages`` counts the documents by language code; ``notices`` are the resulting warnings. ``chunks`` were
    written, ``embedded`` of them with new vectors (``tokens`` in all) and ``reused`` with existing ones. ``moved``
    documents have another name or key and the same content (one whose title or type changed with it is also among
    ``updated``); ``described`` ones have other attributes, groups or times. ``flagged`` ones hold instructions,
    ``quarantined`` ones too, and cannot be found until they are released. ``graph_tokens`` are those of a chat model
    that read entities and relations.
    """

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    described: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    flagged: list[Failure] = field(default_factory=list)
    quarantined: list[Failure] = field(default_factory=list)
    warnings: list[Failure] = field(default_factory=list)
    chunks: int = 0
    embedded: int = 0
    reused: int = 0
    tokens: int = 0
    graph_tokens: int = 0
    chars: int = 0
    seconds: float = 0.0
    languages: Counter[str] = field(default_factory=Counter)
    notices: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, reports: Sequence[IngestReport]) -> IngestReport:
        """Several reports as one."""
        total = cls()
        for report in reports:
            for each in fields(cls):
                # Lists and numbers add up alike.
                setattr(total, each.name, getattr(total, each.name) + getattr(report, each.name))
        return total


@dataclass(frozen=True, slots=True)
class Prepared:
    """A parsed document on its way to be published."""

    source: Source
    version: DocumentVersion
    parsed: Parsed
    cut: Cut


class Publisher:
    """Writes prepared documents into collections."""

    def __init__(
        self,
        collections: Collections,
        blobs: Blobs,
        vectors: VectorStore,
        embedder: Embedder,
        graphs: Reader | None = None,
        screener: Screener | None = None,
    ) -> None:
        self._graphs = graphs
        self._screener = screener
        self._collections = collections
        self._blobs = blobs
        self._vectors = vectors
        self._embedder = embedder
        self.told: Told | None = None

    async def publish(self, collection: Collection, prepared: Sequence[Prepared], report: IngestReport) -> None:
        """Embed and write the chunks of all, then make each document current.

        Raises what the embedder or the store raised, after recording it with each document, and ``NotFound`` when the
        collection was deleted.
        """
        if not prepared:
            return
        try:
            prepared, screened = await self._screened(collection, prepared, report)
            await self._write(collection, prepared, report)
            published = await self._commit(collection, prepared, screened, report)
        except Exception as error:
            for each in prepared:
                await self.fail(collection, each.version, error)
            raise
        for each, done in zip(prepared, published, strict=True):
            if isinstance(done, MainspringError):
                # Another ingest of the same document overtook this one, or it was removed: nothing of this shows.
                await self._vectors.delete(collection.table, each.version.document_id, [each.version.generation])
                await self.fail(collection, each.version, done)
                report.failed.append(Failure(each.source.name, str(done)))
                continue
            report.chunks += len(each.cut.chunks)
            report.chars += len(each.parsed.text)
            report.languages[language.language_of(each.parsed.text)] += 1
            (report.updated if each.version.current else report.added).append(each.source.name)

    async def _screened(
        self, collection: Collection, prepared: Sequence[Prepared], report: IngestReport
    ) -> tuple[list[Prepared], list[Screened]]:
        """A document ready for publication, with its findings."""
        kept: list[Prepared] = []
        screened: list[Screened] = []
        for each in prepared:
            name, found = each.source.name, Screened()
            if self._screener is not None:
                found = await self._screener.screen(collection, each.version.document_id, each.parsed.text)
            if found.refused:
                problem = UnreadableDocument(f"{name} was refused: it holds {found.told}")
                await self.fail(collection, each.version, problem)
                report.failed.append(Failure(name, str(problem)))
                continue
            if found.findings:
                listed = report.quarantined if found.status == "quarantined" else report.flagged
                listed.append(Failure(name, found.told))
            kept.append(each)
            screened.append(found)
        return kept, screened

    async def fail(self, collection: Collection, version: DocumentVersion, error: Exception) -> None:
        """Record that an ingest failed."""
        reason = str(error) or type(error).__name__
        code = code_of(error)
        await self._collections.fail(collection, version.document_id, reason, generation=version.generation, code=code)

    async def _write(self, collection: Collection, prepared: Sequence[Prepared], report: IngestReport) -> None:
        """Embed and write a few chunks at a time, which bounds the loop's blocking and the memory."""
        pieces = [(each, number) for each in prepared for number in range(len(each.cut.chunks))]
        for start in range(0, len(pieces), WRITTEN_AT_ONCE):
            part = pieces[start : start + WRITTEN_AT_ONCE]
            texts = [each.cut.chunks[number].embedded for each, number in part]
            digests = [each.cut.digests[number] for each, number in part]
            advance = None if self.told is None else partial(_advance, self.told, start, len(pieces))
            made = await vector_reuse.vectors(self._vectors, collection.table, self._embedder, texts, digests, advance)
            report.tokens += made.tokens
            report.embedded += made.embedded
            report.reused += len(texts) - made.embedded
            rows = [_row(each, number, vector) for (each, number), vector in zip(part, made.rows, strict=True)]
            if self.told is not None:
                self.told("writing", start + len(rows), len(pieces))
            await self._vectors.write(collection.table, rows)

    async def _graph(self, collection: Collection, each: Prepared, report: IngestReport) -> str:
        """The document's graph; empty if none is built, or it cannot be read."""
        if self._graphs is None:
            return ""
        if each.cut.graph is not None:
            return each.cut.graph
        chunks = each.cut.chunks
        pieces = [GraphPiece(_chunk_id(each.version, number), one.start, one.end) for number, one in enumerate(chunks)]
        headings = [one.heading for one in chunks]
        built = BuildReport()
        try:
            graph = await self._graphs.read(
                collection.tenant, each.parsed.text, pieces, headings, each.source.name, built
            )
        except Exception as error:  # a document is worth more than its graph
            log.warning("the graph of %s was not read", each.source.name, exc_info=True)
            report.warnings.append(Failure(each.source.name, f"its graph was not read: {type(error).__name__}"))
            return ""
        report.warnings.extend(Failure(each.source.name, f"graph, {problem}") for problem in built.problems)
        report.graph_tokens += built.tokens
        return graph

    async def _commit(
        self,
        collection: Collection,
        prepared: Sequence[Prepared],
        screened: Sequence[Screened],
        report: IngestReport,
    ) -> Sequence[int | Conflict | NotFound]:
        texts = [await asyncio.to_thread(each.parsed.text.encode) for each in prepared]
        blobs = await asyncio.gather(*map(self._blobs.put, texts))
        graphs = [await self._graph(collection, each, report) for each in prepared]
        wanted = [
            Publication(
                each.version.document_id,
                each.version.generation,
                chars=len(each.parsed.text),
                chunks=len(each.cut.chunks),
                parser=each.parsed.parser,
                text_blob=blob,
                pages=len(each.parsed.pages) or None,
                text=each.parsed.text,
                graph=graph,
                screening=found.status,
                findings=found.findings,
            )
            for each, blob, graph, found in zip(prepared, blobs, graphs, screened, strict=True)
        ]
        try:
            return await self._collections.publish_all(collection, wanted)
        except NotFound:
            # The collection was deleted, and perhaps its chunks were before these were written.
            await self._vectors.drop(collection.table)
            raise


async def forget(collections: Collections, vectors: VectorStore, collection: Collection) -> None:
    """Delete the chunks that no reader sees any more, those of processes that died included."""
    stale = await collections.stale(collection)
    if stale:
        await vectors.forget(collection.table, stale)
        await collections.settled(collection, stale)


def generation_name(version: DocumentVersion) -> str:
    """The prefix of the ids of its chunks, before a point and their number."""
    return f"{version.document_id}.{version.generation}"


def _chunk_id(version: DocumentVersion, number: int) -> str:
    return f"{generation_name(version)}.{number}"


def _advance(told: Told, start: int, total: int, done: int, _: int) -> None:
    told("embedding", start + done, total)


def _row(each: Prepared, number: int, vector: Any) -> ChunkRow:
    version, piece = each.version, each.cut.chunks[number]
    parent_start, parent_end = piece.parent or (-1, -1)
    return ChunkRow(
        chunk_id=_chunk_id(version, number),
        document_id=version.document_id,
        generation=version.generation,
        text=each.parsed.text[piece.start : piece.end],
        start=piece.start,
        end=piece.end,
        page=piece.page,
        heading=piece.heading,
        vector=vector,
        parent_start=parent_start,
        parent_end=parent_end,
        digest=each.cut.digests[number],
    )


def code_of(error: Exception) -> str:
    """The code to keep of an error that a file failed with."""
    return error.code if isinstance(error, MainspringError) else MainspringError.code
