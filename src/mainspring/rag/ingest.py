"""Ingestion: files into a collection, each parsed, chunked, embedded, written and then published in one commit.

A file whose bytes are those of its current generation is left alone. One that cannot be read is recorded as failed
and the rest go on. Whatever dies before a file's commit has published nothing; ingesting again repairs it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mainspring.engines.base import Embedder
from mainspring.errors import Conflict, MainspringError, NotFound, UnreadableDocument
from mainspring.rag.chunk import Chunk, chunk
from mainspring.rag.document import Parsed
from mainspring.rag.parse import Parser, load
from mainspring.settings import RagSettings
from mainspring.stores.blobs import Blobs
from mainspring.stores.collections import Collection, Collections
from mainspring.stores.documents import Document, DocumentVersion
from mainspring.stores.vectors import ChunkRow, VectorStore

# Chunks of many small files are embedded and written together: batches fill, and each write makes files.
_BATCH_CHUNKS = 256
_BATCH_DOCUMENTS = 64
# Special tokens and the prefix that some models put before passages.
_RESERVED_TOKENS = 8
_IGNORED_SUFFIXES = (".tmp", ".swp", ".lock", ".part", "~")

Progress = Callable[[int, int, str], None]
"""Called with (files done, files in all, name of the one that was just done)."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be read, and why."""

    name: str
    error: str


@dataclass(slots=True)
class IngestReport:
    """What an ingestion did; sizes in bytes and characters, times in seconds."""

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    warnings: list[Failure] = field(default_factory=list)
    chunks: int = 0
    tokens: int = 0
    chars: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Source:
    """Bytes to be ingested: ``key`` names them within the collection, ``load`` reads them when it is their turn."""

    key: str
    name: str
    load: Callable[[], bytes]
    file_id: str | None = None


@dataclass(slots=True)
class _Prepared:
    """A parsed document on its way to be published."""

    source: Source
    version: DocumentVersion
    parsed: Parsed
    chunks: list[Chunk]


class Ingestor:
    """Writes documents into collections. One call for a collection at a time is the caller's best use; several
    are safe, the last to begin a document wins."""

    def __init__(
        self,
        collections: Collections,
        blobs: Blobs,
        vectors: VectorStore,
        embedder: Embedder,
        parser: Parser,
        settings: RagSettings,
    ) -> None:
        self._collections = collections
        self._blobs = blobs
        self._vectors = vectors
        self._embedder = embedder
        self._parser = parser
        self._settings = settings

    async def ingest_path(
        self, collection: Collection, paths: Sequence[Path], progress: Progress | None = None
    ) -> IngestReport:
        """Ingest files and folders (recursively, hidden files left out). Raises ``NotFound`` for a missing path."""
        return await self.ingest(collection, await asyncio.to_thread(_sources, paths), progress)

    async def sync(
        self, collection: Collection, paths: Sequence[Path], progress: Progress | None = None
    ) -> IngestReport:
        """``ingest_path``, then remove documents that came from below ``paths`` and are not there any more."""
        sources = await asyncio.to_thread(_sources, paths)
        report = await self.ingest(collection, sources, progress)
        keep = {source.key for source in sources}
        roots = [path.expanduser().resolve() for path in paths]
        for document in await self._collections.documents(collection):
            key = document.source_key
            if document.file_id is not None or key in keep:
                continue
            if any(Path(key).is_relative_to(root) for root in roots):
                await self.remove(collection, document.document_id)
                report.removed.append(document.name)
        return report

    async def ingest_file(self, collection: Collection, name: str, data: bytes, file_id: str | None = None) -> Document:
        """Ingest one file that was uploaded; its document.

        Raises ``UnreadableDocument`` or ``MissingExtra``, after recording the failure.
        """
        source = Source(file_id or f"upload:{name}", name, lambda: data, file_id)
        report = await self.ingest(collection, [source], raising=True)
        document = await self._by_key(collection, source.key)
        if document is None:
            raise Conflict(f"{name} was removed while it was ingested; {len(report.failed)} failures")
        return document

    async def remove(self, collection: Collection, document_id: str) -> None:
        """Forget a document, its text and its chunks. Raises ``NotFound``."""
        await self._collections.remove(collection, document_id)
        await self._vectors.delete(collection.id, document_id)

    async def ingest(
        self,
        collection: Collection,
        sources: Sequence[Source],
        progress: Progress | None = None,
        *,
        raising: bool = False,
    ) -> IngestReport:
        """Ingest ``sources``. With ``raising`` the first failure is raised once it is recorded.

        Raises ``Conflict`` when the collection was embedded with another model.
        """
        if collection.embedder != self._embedder.name:
            raise Conflict(
                f"collection {collection.name} was embedded with {collection.embedder}, not {self._embedder.name}",
                remedy="Set models.embedding to that model, or make a new collection",
            )
        started = time.monotonic()
        report = IngestReport()
        known = {document.source_key: document for document in await self._collections.documents(collection)}
        waiting: list[_Prepared] = []
        done = 0
        async for source, prepared in self._prepare_all(collection, sources, known, report, raising):
            if prepared is not None:
                waiting.append(prepared)
            done += 1
            if progress:
                progress(done, len(sources), source.name)
            full = sum(len(each.chunks) for each in waiting) >= _BATCH_CHUNKS or len(waiting) >= _BATCH_DOCUMENTS
            if full:
                await self._publish(collection, waiting, known, report)
                waiting = []
        await self._publish(collection, waiting, known, report)
        if report.chunks:
            await self._vectors.settle(collection.id)
        report.seconds = time.monotonic() - started
        return report

    async def _prepare_all(
        self,
        collection: Collection,
        sources: Sequence[Source],
        known: dict[str, Document],
        report: IngestReport,
        raising: bool,
    ) -> AsyncIterator[tuple[Source, _Prepared | None]]:
        """Each source, parsed and chunked, one ahead of the consumer: parsing runs beside embedding."""

        async def prepare(source: Source) -> _Prepared | None:
            return await self._prepare(collection, source, known, report, raising)

        ahead: asyncio.Task[_Prepared | None] | None = None
        try:
            for number, source in enumerate(sources):
                task = ahead or asyncio.create_task(prepare(source))
                prepared = await task
                following = sources[number + 1 : number + 2]
                ahead = asyncio.create_task(prepare(following[0])) if following else None
                yield source, prepared
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)

    async def _prepare(
        self,
        collection: Collection,
        source: Source,
        known: dict[str, Document],
        report: IngestReport,
        raising: bool,
    ) -> _Prepared | None:
        try:
            data = await asyncio.to_thread(source.load)
        except UnreadableDocument as error:
            report.failed.append(Failure(source.name, str(error)))
            if raising:
                raise
            return None
        sha256 = hashlib.sha256(data).hexdigest()
        document = known.get(source.key)
        if document is not None and document.sha256 == sha256 and document.status == "completed":
            report.unchanged.append(source.name)
            return None
        version = await self._collections.begin(collection, source.key, sha256, source.name, source.file_id)
        try:
            parsed = await self._parser.parse(data, source.name)
            chunks = await asyncio.to_thread(self._chunks, parsed, source.name)
            if not chunks:
                raise UnreadableDocument(f"{source.name} has no text", remedy="Check that it is the right file")
        except MainspringError as error:
            await self._collections.fail(collection, version.document_id, str(error), generation=version.generation)
            report.failed.append(Failure(source.name, str(error)))
            if raising:
                raise
            return None
        report.warnings.extend(Failure(source.name, warning) for warning in parsed.warnings)
        return _Prepared(source, version, parsed, chunks)

    def _chunks(self, parsed: Parsed, name: str) -> list[Chunk]:
        return chunk(
            parsed,
            self._embedder.count_tokens,
            size=self._settings.chunk_tokens,
            overlap=self._settings.chunk_overlap,
            window=self._embedder.max_tokens - _RESERVED_TOKENS,
            title=title_of(name),
        )

    async def _publish(
        self,
        collection: Collection,
        prepared: Sequence[_Prepared],
        known: dict[str, Document],
        report: IngestReport,
    ) -> None:
        """Embed and write the chunks of all, then make each document current."""
        if not prepared:
            return
        try:
            await self._write(collection, prepared, report)
        except MainspringError as error:
            for each in prepared:
                version = each.version
                await self._collections.fail(collection, version.document_id, str(error), generation=version.generation)
            raise
        for each in prepared:
            try:
                superseded = await self._commit(collection, each)
            except (Conflict, NotFound) as error:
                # Another ingest of the same document overtook this one, or it was removed: nothing of this shows.
                await self._vectors.delete(collection.id, each.version.document_id, [each.version.generation])
                report.failed.append(Failure(each.source.name, str(error)))
                continue
            if superseded:
                await self._vectors.delete(collection.id, each.version.document_id, range(1, each.version.generation))
            report.chunks += len(each.chunks)
            report.chars += len(each.parsed.text)
            before = known.get(each.source.key)
            (report.updated if before and before.generation else report.added).append(each.source.name)

    async def _write(self, collection: Collection, prepared: Sequence[_Prepared], report: IngestReport) -> None:
        texts = [piece.embedded for each in prepared for piece in each.chunks]
        embedded = await self._embedder.embed(texts)
        report.tokens += embedded.tokens
        rows: list[ChunkRow] = []
        for each in prepared:
            for number, piece in enumerate(each.chunks):
                rows.append(_row(each, number, piece, embedded.vectors[len(rows)]))
        await self._vectors.write(collection.id, rows)

    async def _commit(self, collection: Collection, each: _Prepared) -> int:
        blob = await self._blobs.put(each.parsed.text.encode())
        return await self._collections.publish(
            collection,
            each.version.document_id,
            each.version.generation,
            chars=len(each.parsed.text),
            chunks=len(each.chunks),
            parser=each.parsed.parser,
            text_blob=blob,
            pages=len(each.parsed.pages) or None,
        )

    async def _by_key(self, collection: Collection, key: str) -> Document | None:
        for document in await self._collections.documents(collection):
            if document.source_key == key:
                return document
        return None


def title_of(name: str) -> str:
    """What a file's name says about its content: ``returns-and-refunds.pdf`` -> ``returns and refunds``."""
    title = " ".join(Path(name).stem.replace("-", " ").replace("_", " ").split())[:120]
    # Names such as ``scan0012`` or ``p17`` say nothing.
    return title if re.search(r"(?<![a-z])[a-z]{3,}(?!\w)", title, re.IGNORECASE) else ""


def _row(each: _Prepared, number: int, piece: Chunk, vector: object) -> ChunkRow:
    version = each.version
    return ChunkRow(
        chunk_id=f"{version.document_id}.{version.generation}.{number}",
        document_id=version.document_id,
        generation=version.generation,
        text=each.parsed.text[piece.start : piece.end],
        start=piece.start,
        end=piece.end,
        page=piece.page,
        heading=piece.heading,
        vector=vector,
    )


def _sources(paths: Sequence[Path]) -> list[Source]:
    sources: dict[str, Source] = {}
    for given in paths:
        path = given.expanduser()
        if not path.exists():
            raise NotFound(f"{given} does not exist", remedy="Give files or folders that exist", param="path")
        root = path if path.is_dir() else path.parent
        for file in sorted(_files(path)):
            key = str(file.resolve())
            name = file.relative_to(root).as_posix()
            sources.setdefault(key, Source(key, name, partial(load, file)))
    return list(sources.values())


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found: list[Path] = []
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found.extend(
            Path(folder) / name
            for name in names
            if not name.startswith(".") and not name.endswith(_IGNORED_SUFFIXES) and Path(folder, name).is_file()
        )
    return found
