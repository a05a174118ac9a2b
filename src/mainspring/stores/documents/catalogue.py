"""The documents of collections, and the commit that makes one generation of a document the visible one.

An ingest begins a generation, writes its chunks to the vector store under that number, and publishes it: from that
commit on searches see the new chunks and no longer the old ones. A process that dies in between has published nothing.
"""

from __future__ import annotations

import time
from collections.abc import Collection as AnyCollection
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from cachetools import LRUCache

import mainspring.stores.documents.blobs as blob_store
import mainspring.stores.documents.changes as changes
import mainspring.stores.documents.forgetting as forgetting
import mainspring.stores.documents.graphs as graph_rows
import mainspring.stores.documents.screening as screening_rows
import mainspring.stores.documents.stale_chunks as stale_chunks
import mainspring.stores.documents.table_moves as moves
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict, MainspringError, NotFound
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.documents.records import (
    About,
    Attributes,
    Collection,
    Document,
    DocumentVersion,
    Publication,
    Screening,
    Status,
    columns_of,
    document_of,
)
from mainspring.stores.documents.visibility import Generations, visible
from mainspring.stores.events.audit_log import Actor, Audit, HashedText
from mainspring.stores.schema import documents
from mainspring.stores.sql.database import Database
from mainspring.stores.vectors.base import CurrentGenerations, StaleChunks

__all__ = [
    "About",
    "Attributes",
    "Collection",
    "Document",
    "DocumentVersion",
    "Documents",
    "Publication",
    "Status",
    "document_of",
]

# The number of collections whose generations are cached.
REMEMBERED = 256
# Columns that searches show or filter by.
_SHOWN = ("source_key", "name", "attributes", "groups", "modified_at")


class Documents:
    """The documents of collections; ``Collections`` adds the collections themselves."""

    def __init__(self, database: Database, blobs: Blobs, audit: Audit | None = None) -> None:
        self._database = database
        self._audit = audit or Audit(database)
        self._blobs = blobs
        self._versions: dict[tuple[str, str], int] = {}
        self._generations: LRUCache[tuple[str, str], Generations] = LRUCache(REMEMBERED)

    async def begin(
        self,
        collection: Collection,
        source_key: str,
        sha256: str,
        name: str,
        file_id: str | None = None,
        about: About | None = None,
    ) -> DocumentVersion:
        """Start a generation of the document ``source_key``, creating the document if it is new.

        The latest to start wins: earlier ones that are still running can no longer be published. An access list that
        removes access takes effect at once, also for the current generation. Raises ``NotFound`` when the collection is
        gone.
        """
        wanted, now = changes.Beginning(source_key, sha256, name, file_id), time.time()

        def work(connection: sa.Connection) -> tuple[DocumentVersion, int]:
            return changes.begin(connection, collection, wanted, about or About(), now)

        begun, version = await self._database.write(work, durable=True)
        self._know(_key(collection), version)
        return begun

    async def describe(
        self, collection: Collection, document_id: str, source_key: str, name: str, about: About
    ) -> None:
        """Update the source's data of a document with unchanged content, perhaps under another key.

        Raises ``NotFound``, or ``Conflict`` when an ingest of it has started or another document has that key."""

        def work(connection: sa.Connection) -> int:
            version = changes.require(connection, collection, hold=True)
            old = _locked(connection, collection, document_id)
            if old.begun != old.generation:
                raise Conflict(f"an ingest of {old.name} has begun", remedy="The later ingest replaces this one")
            values = {
                "source_key": source_key,
                "name": name,
                **columns_of(about),
                "read_groups": rows.names(about.groups),
                "changed": version + 1,
            }
            connection.execute(sa.update(documents).where(_one(collection, document_id)).values(values))
            changed = any(getattr(old, column) != values[column] for column in _SHOWN)
            return changes.bump(connection, collection) if changed else version

        try:
            self._know(_key(collection), await self._database.write(work, durable=True))
        except sa.exc.IntegrityError:
            raise Conflict(f"{source_key} is another document of {collection.name}") from None

    async def publish(
        self,
        collection: Collection,
        document_id: str,
        generation: int,
        *,
        chars: int,
        chunks: int,
        parser: str,
        text_blob: str,
        pages: int | None = None,
    ) -> int:
        """Make ``generation`` the current one, in one commit; returns the superseded one (0: none).

        ``text_blob`` is the sha256 of the parsed text in the blobs. Raises ``Conflict`` when a newer
        generation was begun or the text is gone, ``NotFound`` when document or collection are.
        """
        wanted = Publication(document_id, generation, chars, chunks, parser, text_blob, pages)
        (done,) = await self.publish_all(collection, [wanted])
        if isinstance(done, MainspringError):
            raise done
        return done

    async def publish_all(
        self, collection: Collection, wanted: Sequence[Publication]
    ) -> list[int | Conflict | NotFound]:
        """``publish`` for several documents in one commit; returns a result or an error for each document.

        Raises ``NotFound`` when the collection is gone."""

        def work(connection: sa.Connection) -> tuple[int, list[int | Conflict | NotFound]]:
            version = changes.bump(connection, collection)
            moved = moves.moved(connection, collection)
            done: dict[int, int | Conflict | NotFound] = {}
            # In one order for all: blobs are locked one by one.
            for number, each in sorted(enumerate(wanted), key=lambda pair: pair[1].text_blob):
                try:
                    done[number] = moved or self._publish(connection, collection, each, version)
                except (Conflict, NotFound) as error:
                    done[number] = error
                if isinstance(done[number], MainspringError):
                    # Perhaps nothing will ever name its text.
                    blob_store.discard(connection, each.text_blob)
            return version, [done[number] for number in range(len(wanted))]

        try:
            version, done = await self._database.write(work, durable=True)
        except NotFound:
            await self._discard([each.text_blob for each in wanted])
            raise
        self._know(_key(collection), version)
        if any(done):
            await blob_store.sweep(self._database, self._blobs)
        return done

    def _publish(self, connection: sa.Connection, collection: Collection, wanted: Publication, version: int) -> int:
        old = _locked(connection, collection, wanted.document_id)
        if old.begun != wanted.generation:
            raise Conflict(
                f"generation {wanted.generation} of {wanted.document_id} is not the newest ({old.begun})",
                remedy="Another ingest of this document has begun; its result will count",
            )
        if not blob_store.claim(connection, self._blobs, wanted.text_blob):
            if not wanted.text:
                raise Conflict(f"the text of {wanted.document_id} was removed meanwhile", remedy="Ingest it again")
            self._blobs.write(wanted.text.encode())
        values = {
            "generation": wanted.generation,
            "status": "completed",
            "error": "",
            "chars": wanted.chars,
            "chunks": wanted.chunks,
            "pages": wanted.pages,
            "parser": wanted.parser,
            "text_blob": wanted.text_blob,
            "read_groups": old.groups,
            "updated_at": time.time(),
            "changed": version,
            **screening_rows.columns(old, wanted),
        }
        connection.execute(sa.update(documents).where(_one(collection, wanted.document_id)).values(values))
        graph_rows.replace(connection, collection, wanted.document_id, wanted.generation, wanted.graph)
        if wanted.generation > 1:
            stale_chunks.note(connection, collection, wanted.document_id, wanted.generation)
        if old.text_blob != wanted.text_blob:
            blob_store.discard(connection, old.text_blob)
        return int(old.generation)

    async def _discard(self, texts: Sequence[str]) -> None:
        def work(connection: sa.Connection) -> None:
            for sha256 in sorted(set(texts)):
                blob_store.discard(connection, sha256)

        await self._database.write(work, durable=True)
        await blob_store.sweep(self._database, self._blobs)

    async def screened(
        self, collection: Collection, document: Document, screening: Screening, findings: Mapping[str, int]
    ) -> None:
        """Record the findings in the current text; searches respect them at once. See ``screening.note``."""

        def work(connection: sa.Connection) -> int:
            return screening_rows.note(connection, collection, document, screening, findings)

        self._know(_key(collection), await self._database.write(work, durable=True))

    async def fail(
        self, collection: Collection, document_id: str, error: str, *, generation: int | None = None, code: str = ""
    ) -> None:
        """Note that an ingest failed, with the ``code`` of its error; the readers' version stays. Nothing is recorded
        if a newer ingestion than ``generation`` has started or the document is gone."""
        failed = sa.update(documents).where(_one(collection, document_id))
        if generation is not None:
            failed = failed.where(documents.c.begun == generation)
        failed = failed.values(status="failed", error=error, error_code=code, updated_at=time.time())

        def work(connection: sa.Connection) -> None:
            if connection.execute(failed).rowcount and generation is not None:
                stale_chunks.note(connection, collection, document_id, generation + 1)

        await self._database.write(work, durable=True)

    async def remove(self, collection: Collection, document_id: str, *, by: Actor | None = None) -> None:
        """Forget a document and its text. Its chunks are invisible from here on, and stale. ``by`` is the actor for the
        audit log; None: the enclosing action is logged. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> int:
            version = changes.bump(connection, collection, removing=True)
            old = _locked(connection, collection, document_id)
            connection.execute(sa.delete(documents).where(_one(collection, document_id)))
            forgetting.note(connection, collection, [old])
            graph_rows.forget(connection, collection, document_id)
            blob_store.discard(connection, old.text_blob)
            stale_chunks.note(connection, collection, document_id, old.begun + 1)
            if by is not None:
                told = {"vector_store": collection.id, "file": old.file_id or "", "name": HashedText(old.name)}
                self._audit.append(
                    connection, collection.tenant, "document.deleted", by, object=document_id, details=told
                )
            return version

        self._know(_key(collection), await self._database.write(work, frees=True))
        await blob_store.sweep(self._database, self._blobs)

    async def moved(self, collection: Collection) -> bool:
        """Whether ``collection`` was re-indexed since it was read, or is gone."""
        return await self._database.read(lambda connection: moves.moved(connection, collection)) is not None

    async def stale(self, collection: Collection) -> list[StaleChunks]:
        """Chunks that the vector store has still to forget; ``settled`` says that it has."""
        return await self._database.read(lambda connection: stale_chunks.read(connection, collection))

    async def settled(self, collection: Collection, forgotten: Sequence[StaleChunks]) -> None:
        """Note that these chunks are forgotten."""
        if forgotten:
            await self._database.write(lambda connection: stale_chunks.clear(connection, collection, forgotten))

    async def documents(self, collection: Collection, groups: frozenset[str] | None) -> list[Document]:
        """All documents that ``groups`` may see, in the order of their source keys. None: all, for maintenance."""
        query = sa.select(documents).where(changes.within(collection)).order_by(documents.c.source_key)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [document_of(row) for row in found if visible(row, groups)]

    async def document(self, collection: Collection, document_id: str, groups: frozenset[str] | None) -> Document:
        """The document, if ``groups`` may see it (None: maintenance). Raises ``NotFound`` if it does not exist or
        ``groups`` may not see it."""
        query = sa.select(documents).where(_one(collection, document_id))
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None or not visible(row, groups):
            raise _unknown(collection, document_id)
        return document_of(row)

    async def named(
        self, collection: Collection, document_ids: AnyCollection[str], groups: frozenset[str] | None
    ) -> dict[str, Document]:
        """The existing ones of some hundred documents that ``groups`` may see (None: maintenance), by id."""
        query = sa.select(documents).where(changes.within(collection), documents.c.id.in_(sorted(document_ids)))
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return {row.id: document_of(row) for row in found if visible(row, groups)}

    async def current(self, collection: Collection, groups: frozenset[str] | None) -> CurrentGenerations:
        """The generation that is read of each document that has one and that ``groups`` may see.

        A search passes this to ``VectorStore.search``, with ``principal.groups``, so that it cannot find documents that
        those groups may not see. None gives all and is for maintenance only. A call costs one query of the collection's
        version; the mapping is kept until the version grows. Raises ``NotFound``: no such collection.
        """
        key = _key(collection)
        known = self._generations.get(key)

        def work(connection: sa.Connection) -> Generations:
            return changes.generations(connection, collection, known)

        fresh = await self._database.read(work)
        self._generations[key] = fresh
        self._know(key, fresh.version)
        return fresh.view(groups)

    async def since(self, collection: Collection, version: int) -> list[Document] | None:
        """The documents that changed after ``version`` of the collection; None if some were removed since: read all of
        them again."""
        found = await self._database.read(lambda connection: changes.since(connection, collection, version))
        return None if found is None else [document_of(row) for row in found]

    async def text(self, document: Document) -> str:
        """The parsed text that offsets of chunks and citations point into. Raises ``NotFound`` before the
        first generation is published."""
        if not document.text_blob:
            raise NotFound(f"{document.document_id} has no text yet", remedy="Wait until it is completed")
        return (await self._blobs.get(document.text_blob)).decode()

    def _know(self, key: tuple[str, str], version: int) -> None:
        # Reads and writes overlap: the newest counts, not the last to arrive.
        self._versions[key] = max(version, self._versions.get(key, 0))


def _key(collection: Collection) -> tuple[str, str]:
    return collection.tenant, collection.id


def _one(collection: Collection, document_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(changes.within(collection), documents.c.id == document_id)


def _locked(connection: sa.Connection, collection: Collection, document_id: str) -> sa.Row[Any]:
    row = connection.execute(sa.select(documents).where(_one(collection, document_id)).with_for_update()).one_or_none()
    if row is None:
        raise _unknown(collection, document_id)
    return row


def _unknown(collection: Collection, document_id: str) -> NotFound:
    return NotFound(f"there is no document {document_id} in {collection.name}")
