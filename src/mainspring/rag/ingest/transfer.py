"""Transfer: writes a collection to a file and reads it into any store, with its vectors unchanged.

An export is of the documents whose latest ingest is read; an import makes a new collection of the importing tenant.
Each document of it is published in one commit. An import that dies leaves a collection marked as incomplete in its
metadata, and repeating the import resumes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict, InvalidRequest, MainspringError, NotFound, StoreError
from mainspring.engines.base import Embedder
from mainspring.engines.catalogue.pull import PulledModel
from mainspring.rag.ingest import archive
from mainspring.rag.ingest.archive import Archive, ArchiveEntry, Manifest, PackedDocument
from mainspring.rag.ingest.publish import forget
from mainspring.rag.ingest.reindex import reembedded
from mainspring.stores import Stores
from mainspring.stores.documents.catalogue import About, Document, DocumentVersion, Publication
from mainspring.stores.documents.collections import Collection
from mainspring.stores.vectors.base import ChunkRow

# Documents whose chunks travel together, and chunks after which no more are added to them.
_BATCH_DOCUMENTS, _BATCH_CHUNKS = 64, 1024
# The metadata of a collection whose import is not complete: the digest of the manifest.
UNFINISHED = "mainspring.import"

# Roles of an embedding model's files that determine its vectors.
_DECIDING = ("config", "tokenizer", "weights")

Progress = Callable[[int, int], None]
"""Called with (documents done, documents in all)."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written. ``left_out`` names documents whose latest ingest is not complete."""

    manifest: Manifest
    bytes: int
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The new collection; ``documents`` of it were imported now, ``kept`` by an earlier run of the same import."""

    collection: Collection
    documents: int
    kept: int
    chunks: int


async def export_collection(
    stores: Stores,
    collection: Collection,
    path: Path,
    *,
    fingerprint: str = "",
    progress: Progress | None = None,
) -> ExportReport:
    """Write all of ``collection``, regardless of access, to the new file ``path``, which only its owner can read.
    ``fingerprint`` is that of the collection's embedder (empty: unknown).

    Raises ``Conflict`` for an existing file and for a collection that changes meanwhile, ``InvalidRequest`` for one
    without chunks, ``StoreError``.
    """
    if await asyncio.to_thread(path.exists):
        raise Conflict(f"the file {path} exists already", remedy="Choose another name, or move it away", param="file")
    found = await stores.collections.documents(collection, None)
    complete = [each for each in found if each.status == "completed"]
    if not any(each.chunks for each in complete):
        raise InvalidRequest(f"collection {collection.name} has no chunks to export", remedy="Ingest documents first")
    about = archive.CollectionInfo(
        name=collection.name,
        groups=tuple(sorted(collection.groups)),
        metadata=dict(collection.metadata),
        description=collection.description,
    )
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as directory:
            writer = await asyncio.to_thread(archive.ArchiveWriter, Path(directory))
            done = 0
            for batch in _batches(complete):
                await _add(stores, collection, writer, batch)
                done += len(batch)
                if progress:
                    progress(done, len(complete))
            manifest = await asyncio.to_thread(writer.finish, about, collection.embedder, fingerprint)
            size = await asyncio.to_thread(_settle, writer.path, path)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written: {error.strerror or error}", remedy="Check its folder and the free space"
        ) from error
    left_out = tuple(each.name for each in found if each.status != "completed")
    return ExportReport(manifest, size, left_out)


async def import_collection(
    stores: Stores,
    path: Path,
    embedder: Embedder,
    *,
    tenant: str,
    name: str | None = None,
    groups: frozenset[str] = frozenset(),
    fingerprint: str = "",
    reembed: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Make a collection of ``tenant`` from the file ``path``, under ``name`` (None: its own). Access lists stay;
    ``groups`` are the importer's. With ``reembed``, ``embedder`` computes new vectors; its fingerprint is
    ``fingerprint`` (empty: unknown).

    Raises ``InvalidRequest`` for a file that is not whole, ``Conflict`` for a name that is taken, for vectors of
    another embedder, and if another import of the same collection runs.
    """
    source = await asyncio.to_thread(Archive, path)
    try:
        if not reembed:
            check_embedder(source.manifest, embedder.name, fingerprint)
        collection = await _claim(stores, source, tenant, name, groups, embedder.name)
        run = _Import(stores, source, collection, embedder, reembed, progress)
        await run.all()
        about = source.manifest.collection
        seen_by = groups | collection.groups
        done = await stores.collections.update(collection, seen_by=seen_by, metadata=about.metadata)
        return ImportReport(done, run.documents, run.kept, source.manifest.chunks)
    finally:
        await asyncio.to_thread(source.close)


def fingerprint_of(pulled: PulledModel) -> str:
    """Names the vectors that an embedding model makes: the same wherever it was pulled.

    The model's own fingerprint is not suitable: its graph is built where it is pulled, and contains the version that
    built it.
    """
    entry = pulled.entry
    files = [pulled.manifest["files"][pulled.manifest["roles"][role]]["sha256"] for role in _DECIDING]
    return rows.digest(rows.dump([files, entry.pooling, entry.query_prefix, entry.passage_prefix, entry.max_tokens]))


def check_embedder(manifest: Manifest, name: str, fingerprint: str = "") -> None:
    """Raises ``Conflict`` when vectors of ``manifest`` cannot be searched with the embedder ``name``, whose
    fingerprint is ``fingerprint`` (empty: unknown)."""
    theirs, what = manifest.embedder, manifest.collection.name
    if theirs.name != name:
        raise Conflict(
            f"{what} was embedded with {theirs.name}, and models.embedding is {name}",
            remedy=f"Import it with --reembed, or set models.embedding to {theirs.name}",
        )
    if fingerprint and theirs.fingerprint and theirs.fingerprint != fingerprint:
        raise Conflict(
            f"{what} was embedded with {name} of fingerprint {theirs.fingerprint[:12]}, and the {name} of this machine "
            f"has {fingerprint[:12]}: other weights, or other settings",
            remedy="Import it with --reembed, or set models.embedding to the model that it was embedded with",
        )


class _Import:
    """One run of an import into its collection."""

    def __init__(
        self,
        stores: Stores,
        source: Archive,
        collection: Collection,
        embedder: Embedder,
        reembed: bool,
        progress: Progress | None,
    ) -> None:
        self._stores = stores
        self._source = source
        self._collection = collection
        self._embedder = embedder
        self._reembed = reembed
        self._progress = progress
        self._overtaken: list[str] = []
        self.documents = self.kept = 0

    async def all(self) -> None:
        """Import missing documents, then index the collection."""
        stores, collection = self._stores, self._collection
        known = {each.source_key: each for each in await stores.collections.documents(collection, None)}
        with contextlib.closing(self._source.batches()) as batches:
            while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                missing = [each for each in batch if not _same(known.get(each.line.source_key), each.line)]
                self.kept += len(batch) - len(missing)
                if missing:
                    await self._publish(missing)
                if self._progress:
                    self._progress(self.kept + self.documents, self._source.manifest.documents)
        await forget(stores.collections, stores.vectors, collection)
        await stores.vectors.settle(collection.table)
        if self._overtaken:
            raise Conflict(
                f"{len(self._overtaken)} documents of {collection.name} were changed meanwhile: {self._overtaken[0]}",
                remedy="See that no other import of it runs, and run this one again",
            )

    async def _publish(self, batch: Sequence[PackedDocument]) -> None:
        stores, collection = self._stores, self._collection
        begun = [await self._begin(each.line) for each in batch]
        try:
            chunks = [row for each, version in zip(batch, begun, strict=True) for row in _rows(each, version)]
            if self._reembed:
                chunks = await reembedded(chunks, self._embedder)
            await stores.vectors.write(collection.table, chunks)
            for each in batch:
                await stores.blobs.put(each.text.encode())
            wanted = [_publication(each, version) for each, version in zip(batch, begun, strict=True)]
            done = await stores.collections.publish_all(collection, wanted)
        except MainspringError as error:
            for version in begun:
                await stores.collections.fail(
                    collection, version.document_id, str(error), generation=version.generation
                )
            raise
        for each, version, outcome in zip(batch, begun, done, strict=True):
            if isinstance(outcome, MainspringError):
                await stores.vectors.delete(collection.table, version.document_id, [version.generation])
                self._overtaken.append(each.line.name)
            else:
                self.documents += 1

    async def _begin(self, line: ArchiveEntry) -> DocumentVersion:
        about = About(line.attributes, frozenset(line.groups), line.modified_at, mark=line.mark, recipe=line.recipe)
        return await self._stores.collections.begin(
            self._collection, line.source_key, line.sha256, line.name, about=about
        )


async def _claim(
    stores: Stores, source: Archive, tenant: str, name: str | None, groups: frozenset[str], embedder: str
) -> Collection:
    about = source.manifest.collection
    wanted, theirs, mark = name or about.name, frozenset(about.groups), {UNFINISHED: source.digest}
    seen_by = groups | theirs
    try:
        there = await stores.collections.get(tenant, wanted, groups=seen_by)
    except NotFound:
        return await stores.collections.create(
            *(tenant, wanted, theirs), embedder=embedder, seen_by=seen_by, metadata=mark, description=about.description
        )
    if (there.metadata, there.embedder, there.groups) == (mark, embedder, theirs):
        return there
    raise Conflict(f"the collection {wanted} exists already", remedy="Choose another name with --name", param="name")


async def _add(
    stores: Stores, collection: Collection, writer: archive.ArchiveWriter, batch: Sequence[Document]
) -> None:
    current = {each.document_id: each.generation for each in batch}
    chunks: dict[str, list[ChunkRow]] = {name: [] for name in current}
    for row in await stores.vectors.read(collection.table, current):
        chunks[row.document_id].append(row)
    try:
        texts = [(await stores.collections.text(each)).encode() for each in batch]
    except NotFound as error:
        raise _changed(collection) from error
    if any(len(chunks[each.document_id]) != each.chunks for each in batch):
        raise _changed(collection)
    await asyncio.to_thread(writer.add, [_line(each) for each in batch], texts, list(chunks.values()))


def _settle(written: Path, path: Path) -> int:
    # Texts that only some may see are in it.
    written.chmod(0o600)
    size = written.stat().st_size
    os.replace(written, path)
    return size


def _changed(collection: Collection) -> Conflict:
    return Conflict(f"collection {collection.name} changed while it was exported", remedy="Export it again")


def _batches(documents: Sequence[Document]) -> list[list[Document]]:
    batches: list[list[Document]] = [[]]
    for each in documents:
        if len(batches[-1]) >= _BATCH_DOCUMENTS or sum(one.chunks for one in batches[-1]) >= _BATCH_CHUNKS:
            batches.append([])
        batches[-1].append(each)
    return batches


def _line(document: Document) -> ArchiveEntry:
    about = document.about
    return ArchiveEntry(
        source_key=document.source_key,
        name=document.name,
        sha256=document.sha256,
        attributes=dict(about.attributes),
        groups=tuple(sorted(about.groups)),
        modified_at=about.modified_at,
        mark=about.mark,
        recipe=about.recipe,
        parser=document.parser,
        pages=document.pages,
        chunks=document.chunks,
        text=document.text_blob,
    )


def _same(document: Document | None, line: ArchiveEntry) -> bool:
    return document is not None and document.status == "completed" and _line(document) == line


def _rows(packed: PackedDocument, version: DocumentVersion) -> list[ChunkRow]:
    name, generation = version.document_id, version.generation
    return [
        ChunkRow(
            chunk_id=f"{name}.{generation}.{number}",
            document_id=name,
            generation=generation,
            text=packed.text[row["start"] : row["end"]],
            **row,
        )
        for number, row in enumerate(packed.rows)
    ]


def _publication(packed: PackedDocument, version: DocumentVersion) -> Publication:
    line = packed.line
    return Publication(
        *(version.document_id, version.generation, len(packed.text), line.chunks, line.parser, line.text, line.pages)
    )
