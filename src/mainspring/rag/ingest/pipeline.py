"""Ingestion: documents into a collection, each parsed, chunked, embedded, written and then published in one commit.

A document is skipped if its bytes and recipe are those of its current generation; of a changed one, only chunks with
text new to the collection are embedded. A document that cannot be read is recorded as failed and the rest continue.
Whatever dies before a document's commit has published nothing; ingesting again repairs it.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

from mainspring.core.errors import Conflict, MainspringError, NotFound, UnreadableDocument
from mainspring.core.settings import RagSettings
from mainspring.engines.base import Embedder
from mainspring.engines.encode.embedders import Embedders, embedders_of
from mainspring.rag.chunk.chunking import narrowed
from mainspring.rag.connect.base import Batch, Connector, Source, SyncState
from mainspring.rag.connect.folder import Folder
from mainspring.rag.cutting.cutter import Cutter
from mainspring.rag.graph.read.reader import Reader
from mainspring.rag.ingest.publish import (
    Failure,
    IngestReport,
    Prepared,
    Publisher,
    Told,
    forget,
    generation_name,
)
from mainspring.rag.ingest.recipe import Cuttings, cut_settings
from mainspring.rag.ingest.run import IngestRun, Progress
from mainspring.rag.ingest.screening import Screener
from mainspring.rag.parse import language
from mainspring.rag.parse.parser import Parser
from mainspring.rag.parse.title import title_of
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.documents.catalogue import Document
from mainspring.stores.documents.collections import Collection, Collections
from mainspring.stores.documents.records import About, Attributes
from mainspring.stores.vectors.base import VectorStore

__all__ = ["Failure", "IngestReport", "Ingestor", "Progress", "Source", "title_of"]

# Chunks of many small files are embedded and written together: batches fill, and each write makes files.
_BATCH_CHUNKS = 256
_BATCH_DOCUMENTS = 64

Advance = Callable[[str], Awaitable[None]]
"""Keeps a source's cursor."""


class Ingestor:
    """Writes documents into collections. One call for a collection at a time is the caller's best use; several
    are safe, the last to begin a document wins. ``graphs`` reads entities and relations (None: by rules), and
    ``screener`` looks for instructions in documents."""

    def __init__(
        self,
        collections: Collections,
        blobs: Blobs,
        vectors: VectorStore,
        embedder: Embedder | Embedders,
        parser: Parser,
        settings: RagSettings,
        graphs: Reader | None = None,
        screener: Screener | None = None,
    ) -> None:
        self._collections = collections
        self._blobs = blobs
        self._vectors = vectors
        self._embedders = embedders_of(embedder)
        self._parser = parser
        self._settings = settings
        self._screener = screener
        self._cutter = Cutter(settings)
        self._graphs = None if settings.graph == "off" else graphs or Reader()

    def sizes(self, chunking: str) -> tuple[int, int]:
        """The most tokens of a chunk, and those that neighbours share, of a document that is cut so."""
        chosen = cut_settings(self._settings, chunking)
        return chosen.chunk_tokens, chosen.chunk_overlap

    async def close(self) -> None:
        """End the children that cut documents."""
        await self._cutter.close()

    async def ingest_path(
        self, collection: Collection, paths: Sequence[Path], progress: Progress | None = None
    ) -> IngestReport:
        """Ingest files and folders (recursively, hidden files left out). Raises ``NotFound`` for a missing path."""
        found = [source for path in paths for source in await asyncio.to_thread(Folder(path).sources)]
        return await self.ingest(collection, list({source.key: source for source in found}.values()), progress)

    async def sync(
        self, collection: Collection, paths: Sequence[Path], progress: Progress | None = None
    ) -> IngestReport:
        """Bring the collection in step with files and folders: what changed below ``paths`` is read again, and
        documents whose file is not there any more are removed. Raises ``NotFound`` for a missing path."""
        run = await self._begin(collection, progress)
        for path in paths:
            await self._follow(run, Folder(path), "", None)
        return await self._end(run)

    async def follow(
        self,
        collection: Collection,
        connector: Connector,
        *,
        source_id: str = "",
        cursor: str = "",
        advance: Advance | None = None,
        progress: Progress | None = None,
        groups: frozenset[str] | None = None,
    ) -> IngestReport:
        """Bring the collection in step with what ``connector`` reads. ``advance`` keeps each cursor once all before it
        is published. ``groups`` is the access list of documents without one of their own (None: unchanged). Raises the
        connector's errors; applied batches stay."""
        run = await self._begin(collection, progress, source_id)
        run.groups = groups
        try:
            await self._follow(run, connector, cursor, advance)
        finally:
            await self._end(run)
        return run.report

    async def ingest_file(
        self,
        collection: Collection,
        name: str,
        data: bytes,
        file_id: str | None = None,
        *,
        attributes: Attributes | None = None,
        groups: frozenset[str] | None = None,
        advance: Told | None = None,
    ) -> Document:
        """Ingest one file that was uploaded; its document. Attributes and groups that are not given stay. ``advance``
        is called with the progress.

        Raises ``UnreadableDocument`` or ``MissingExtra``, after recording the failure.
        """
        key = file_id or f"upload:{name}"
        before = await self._by_key(collection, key)
        about = before.about if before else About()
        source = Source(
            key,
            name,
            lambda: data,
            file_id,
            attributes=about.attributes if attributes is None else attributes,
            groups=about.groups if groups is None else groups,
            modified_at=about.modified_at,
        )
        report = await self.ingest(collection, [source], raising=True, told=advance)
        document = await self._by_key(collection, key)
        if document is None:
            raise Conflict(f"{name} was removed while it was ingested; {len(report.failed)} failures")
        return document

    async def remove(self, collection: Collection, document_id: str) -> None:
        """Forget a document, its text and its chunks. Raises ``NotFound``."""
        await self._collections.remove(collection, document_id)
        await forget(self._collections, self._vectors, collection)

    async def ingest(
        self,
        collection: Collection,
        sources: Sequence[Source],
        progress: Progress | None = None,
        *,
        raising: bool = False,
        told: Told | None = None,
    ) -> IngestReport:
        """Ingest ``sources``. With ``raising``, the first failure is raised after it is recorded.

        Raises what ``Embedders.get`` raises if the collection's model is not at hand.
        """
        run = await self._begin(collection, progress)
        run.raising = raising
        run.publisher.told = told
        await self._ingest(run, sources)
        return await self._end(run)

    async def _begin(self, collection: Collection, progress: Progress | None, source_id: str = "") -> IngestRun:
        embedder = await self._embedders.get(collection.embedder, f"collection {collection.name}")
        known = {each.source_key: each for each in await self._collections.documents(collection, None)}
        run = IngestRun(
            collection,
            known,
            Cuttings(self._settings, embedder),
            embedder.name,
            Publisher(self._collections, self._blobs, self._vectors, embedder, self._graphs, self._screener),
            source_id,
            progress,
        )
        run.report.seconds = -time.monotonic()
        if said := narrowed(self._settings, embedder):
            run.report.notices.append(said)
        return run

    async def _end(self, run: IngestRun) -> IngestReport:
        await forget(self._collections, self._vectors, run.collection)
        if run.report.chunks:
            await self._vectors.settle(run.collection.table)
            embedder = await self._embedders.get(run.collection.embedder, f"collection {run.collection.name}")
            if said := language.strange(embedder, run.report.languages):
                run.report.notices.append(said)
        run.report.seconds += time.monotonic()
        return run.report

    async def _follow(self, run: IngestRun, connector: Connector, cursor: str, advance: Advance | None) -> None:
        mine = {
            key: document
            for key, document in run.known.items()
            if document.file_id is None
            and ((run.source_id and document.about.source_id == run.source_id) or connector.owns(key))
        }
        if any(document.about.recipe != run.cuttings.of("").recipe for document in mine.values()):
            cursor = ""
        marks = {key: document.about.mark if run.current(document) else "" for key, document in mine.items()}
        async for batch in connector.changes(SyncState(cursor, marks)):
            await self._apply(run, batch)
            if batch.cursor is not None and advance is not None:
                await advance(batch.cursor)

    async def _apply(self, run: IngestRun, batch: Batch) -> None:
        run.report.failed.extend(Failure(*problem) for problem in batch.problems)
        for key in batch.kept:
            await self._kept(run, key)
        gone = {key: run.known[key] for key in batch.gone if key in run.known}
        sources = await self._move(run, gone, batch.sources)
        for key, document in gone.items():
            await self._collections.remove(run.collection, document.document_id)
            del run.known[key]
            run.report.removed.append(document.name)
        if gone:
            # Documents that are no longer wanted are removed before the long work starts.
            await forget(self._collections, self._vectors, run.collection)
        await self._ingest(run, sources)

    async def _move(self, run: IngestRun, gone: dict[str, Document], sources: Sequence[Source]) -> Sequence[Source]:
        """Give documents that vanished, and whose content came back under a new key, this new key. Returns the
        ``sources`` to read: new and changed ones, and renamed ones whose new name changes the title or the file
        type."""
        lost = {each.sha256: key for key, each in sorted(gone.items(), reverse=True) if run.current(each)}
        if not lost:
            return sources
        rest: list[Source] = []
        for source in sources:
            key = None if source.key in run.known else lost.get(await asyncio.to_thread(_sha256, source))
            if key is None or key not in gone:
                rest.append(source)
                continue
            document = gone[key]
            same = run.same(document, source)
            # The stored recipe stays empty until the document is read again, even if the process is killed before
            # that.
            about = run.about(source, document, unread=not same)
            try:
                await self._collections.describe(run.collection, document.document_id, source.key, source.name, about)
            except (Conflict, NotFound):
                # Another ingest of it has begun, or it was removed: the new file is a new document.
                rest.append(source)
                continue
            del gone[key], run.known[key]
            run.report.moved.append(source.name)
            if not same:
                run.known[source.key] = replace(document, source_key=source.key, name=source.name, about=about)
                rest.append(source)
        return rest

    async def _ingest(self, run: IngestRun, sources: Sequence[Source]) -> None:
        waiting: list[Prepared] = []
        total = run.done + len(sources)
        # The generator is closed at once if publishing fails, so that the next document is not started.
        async with aclosing(self._prepare_all(run, sources)) as coming:
            async for source, prepared in coming:
                if prepared is not None:
                    waiting.append(prepared)
                run.done += 1
                if run.progress:
                    run.progress(run.done, total, source.name)
                full = (
                    sum(len(each.cut.chunks) for each in waiting) >= _BATCH_CHUNKS or len(waiting) >= _BATCH_DOCUMENTS
                )
                if full:
                    await run.publisher.publish(run.collection, waiting, run.report)
                    waiting = []
        await run.publisher.publish(run.collection, waiting, run.report)

    async def _prepare_all(
        self, run: IngestRun, sources: Sequence[Source]
    ) -> AsyncGenerator[tuple[Source, Prepared | None], None]:
        """Each source, parsed and chunked, one ahead of the consumer: parsing runs beside embedding."""
        ahead: asyncio.Task[Prepared | None] | None = None
        try:
            for number, source in enumerate(sources):
                task = ahead or asyncio.create_task(self._prepare(run, source))
                prepared = await task
                following = sources[number + 1 : number + 2]
                ahead = asyncio.create_task(self._prepare(run, following[0])) if following else None
                yield source, prepared
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)

    async def _prepare(self, run: IngestRun, source: Source) -> Prepared | None:
        document = run.known.get(source.key)
        same = document is not None and run.same(document, source)
        if document is not None and same and source.mark and source.mark == document.about.mark:
            await self._describe(run, document, source.key, source.name, run.about(source))
            return None
        try:
            await self._collections.check_room(run.collection.tenant)
            data = await asyncio.to_thread(source.load)
        except MainspringError as error:
            self._failed(run, source.name, error)
            return None
        sha256 = (await asyncio.to_thread(hashlib.sha256, data)).hexdigest()
        if document is not None and same and document.sha256 == sha256:
            await self._describe(run, document, source.key, source.name, run.about(source))
            return None
        version = await self._collections.begin(
            run.collection, source.key, sha256, source.name, source.file_id, run.about(source)
        )
        try:
            parsed = await self._parser.parse(data, source.name)
            cut = await self._cutter.cut(
                run.cutting(source.key).chunker,
                run.embedder,
                parsed,
                name=source.name,
                title=title_of(source.name),
                graph=generation_name(version) if self._graphs is not None and self._graphs.by_rules else "",
            )
            if not cut.chunks:
                raise UnreadableDocument(f"{source.name} has no text", remedy="Check that it is the right file")
        except Exception as error:
            await run.publisher.fail(run.collection, version, error)
            if not isinstance(error, MainspringError):
                raise
            self._failed(run, source.name, error)
            return None
        run.report.warnings.extend(Failure(source.name, warning) for warning in parsed.warnings)
        return Prepared(source, version, parsed, cut)

    async def _kept(self, run: IngestRun, key: str) -> None:
        """Note a document that its connector did not read: only the source's own access list may have changed."""
        document = run.known.get(key)
        if document is None:
            run.report.unchanged.append(key)
            return
        groups = document.groups if run.groups is None else run.groups
        await self._describe(run, document, key, document.name, replace(document.about, groups=groups))

    async def _describe(self, run: IngestRun, document: Document, key: str, name: str, about: About) -> None:
        if (document.name, document.about) == (name, about):
            run.report.unchanged.append(name)
            return
        shown = (document.name, document.attributes, document.groups, document.modified_at)
        try:
            await self._collections.describe(run.collection, document.document_id, key, name, about)
        except (Conflict, NotFound) as error:
            self._failed(run, name, error)
            return
        same = shown == (name, about.attributes, about.groups, about.modified_at)
        (run.report.unchanged if same else run.report.described).append(name)

    def _failed(self, run: IngestRun, name: str, error: MainspringError) -> None:
        run.report.failed.append(Failure(name, str(error)))
        if run.raising:
            raise error

    async def _by_key(self, collection: Collection, key: str) -> Document | None:
        for document in await self._collections.documents(collection, None):
            if document.source_key == key:
                return document
        return None


def _sha256(source: Source) -> str:
    try:
        return hashlib.sha256(source.load()).hexdigest()
    except MainspringError:
        # Its own turn will say why.
        return ""
