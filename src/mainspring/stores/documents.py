"""The documents of collections, and the commit that makes one generation of a document the one that is read.

An ingest begins a generation, writes its chunks to the vector store under that number, and publishes it: from that
commit on searches see the new chunks and no longer the old ones. What dies in between has published nothing.
"""

from __future__ import annotations

import time
from collections.abc import Collection as AnyCollection
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import sqlalchemy as sa
from cachetools import LRUCache

import mainspring.stores.blobs as blob_store
import mainspring.stores.ids as ids
import mainspring.stores.rows as rows
from mainspring.errors import Conflict, NotFound
from mainspring.stores.blobs import Blobs
from mainspring.stores.database import Database
from mainspring.stores.schema import collections, documents

Status = Literal["in_progress", "completed", "failed"]
# Collections whose generations are kept in memory.
REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Collection:
    """A set of documents that is searched as one. ``groups`` empty: the whole tenant may see it.

    ``version`` grows with every change of what a search can find. ``embedder`` names the embedding model.
    """

    id: str
    tenant: str
    name: str
    groups: frozenset[str]
    embedder: str
    version: int
    created_at: float

    def visible_to(self, groups: frozenset[str]) -> bool:
        return not self.groups or bool(self.groups & groups)


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """A generation that an ingest has begun. ``current`` is the one that readers see meanwhile (0: none)."""

    document_id: str
    generation: int
    current: int


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a collection.

    ``source_key`` names it within its collection (a path, a file id). ``status``, ``error``, ``sha256``, ``name``
    and ``file_id`` are those of the latest ingest; ``generation`` (0: none yet), ``chars``, ``chunks``, ``pages``,
    ``parser`` and ``text_blob`` those of what readers see, which stays when a later ingest fails.
    So a source is unchanged when its sha256 is this one and the status is ``completed``.
    """

    document_id: str
    source_key: str
    name: str
    sha256: str
    generation: int
    status: Status
    error: str
    chars: int
    chunks: int
    pages: int | None
    parser: str
    text_blob: str
    file_id: str | None
    created_at: float
    updated_at: float


class Documents:
    """The documents of collections; ``Collections`` adds the collections themselves."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs
        self._versions: dict[tuple[str, str], int] = {}
        self._generations: LRUCache[tuple[str, str], tuple[int, dict[str, int]]] = LRUCache(REMEMBERED)

    async def begin(
        self, collection: Collection, source_key: str, sha256: str, name: str, file_id: str | None = None
    ) -> DocumentVersion:
        """Start a generation of the document ``source_key``, which is made when it is new.

        The latest to begin wins: earlier ones that are still under way can no longer be published.
        Raises ``NotFound`` when the collection is gone.
        """
        now = time.time()
        new = {
            "tenant": collection.tenant,
            "collection_id": collection.id,
            "id": ids.new("doc_"),
            "source_key": source_key,
            "name": name,
            "sha256": sha256,
            "status": "in_progress",
            "error": "",
            "parser": "",
            "text_blob": "",
            "created_at": now,
            "updated_at": now,
        }

        def work(connection: sa.Connection) -> DocumentVersion:
            _require(connection, collection, hold=True)
            connection.execute(rows.insert_new(connection, documents), new)
            begun = (
                sa.update(documents)
                .where(_within(collection), documents.c.source_key == source_key)
                .values(
                    begun=documents.c.begun + 1,
                    sha256=sha256,
                    name=name,
                    file_id=file_id,
                    status="in_progress",
                    error="",
                    updated_at=now,
                )
                .returning(documents.c.id, documents.c.begun, documents.c.generation)
            )
            return DocumentVersion(*connection.execute(begun).one())

        return await self._database.write(work, durable=True)

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
        """Make ``generation`` the one that is read, in one commit; the one that it supersedes (0: none).

        ``text_blob`` is the sha256 of the parsed text in the blobs. Raises ``Conflict`` when a newer
        generation was begun or the text is gone, ``NotFound`` when document or collection are.
        """

        def work(connection: sa.Connection) -> tuple[int, int]:
            version = _bump(connection, collection)
            old = _locked(connection, collection, document_id)
            if old.begun != generation:
                raise Conflict(
                    f"generation {generation} of {document_id} is not the newest ({old.begun})",
                    remedy="Another ingest of this document has begun; its result will count",
                )
            if not blob_store.claim(connection, self._blobs, text_blob):
                raise Conflict(f"the text of {document_id} was removed meanwhile", remedy="Ingest it again")
            values = {
                "generation": generation,
                "status": "completed",
                "error": "",
                "chars": chars,
                "chunks": chunks,
                "pages": pages,
                "parser": parser,
                "text_blob": text_blob,
                "updated_at": time.time(),
            }
            connection.execute(sa.update(documents).where(_one(collection, document_id)).values(values))
            if old.text_blob != text_blob:
                blob_store.discard(connection, old.text_blob)
            return version, int(old.generation)

        version, superseded = await self._database.write(work, durable=True)
        self._know(_key(collection), version)
        if superseded:
            await blob_store.sweep(self._database, self._blobs)
        return superseded

    async def fail(
        self, collection: Collection, document_id: str, error: str, *, generation: int | None = None
    ) -> None:
        """Note that an ingest failed; what readers see stays. Nothing is noted when a newer ingest than
        ``generation`` has begun, or when the document is gone."""
        failed = sa.update(documents).where(_one(collection, document_id))
        if generation is not None:
            failed = failed.where(documents.c.begun == generation)
        failed = failed.values(status="failed", error=error, updated_at=time.time())
        await self._database.write(lambda connection: connection.execute(failed) and None, durable=True)

    async def remove(self, collection: Collection, document_id: str) -> None:
        """Forget a document and its text. Its chunks are invisible from here on, and the caller's to delete.
        Raises ``NotFound``."""

        def work(connection: sa.Connection) -> int:
            version = _bump(connection, collection)
            old = _locked(connection, collection, document_id)
            connection.execute(sa.delete(documents).where(_one(collection, document_id)))
            blob_store.discard(connection, old.text_blob)
            return version

        self._know(_key(collection), await self._database.write(work, durable=True))
        await blob_store.sweep(self._database, self._blobs)

    async def documents(self, collection: Collection) -> list[Document]:
        """All documents, in the order of their source keys."""
        query = sa.select(documents).where(_within(collection)).order_by(documents.c.source_key)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [document_of(row) for row in found]

    async def document(self, collection: Collection, document_id: str) -> Document:
        """Raises ``NotFound``."""
        query = sa.select(documents).where(_one(collection, document_id))
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise _unknown(collection, document_id)
        return document_of(row)

    async def named(self, collection: Collection, document_ids: AnyCollection[str]) -> dict[str, Document]:
        """Those of the documents that there are, by id. Takes some hundred ids at most."""
        query = sa.select(documents).where(_within(collection), documents.c.id.in_(sorted(document_ids)))
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return {row.id: document_of(row) for row in found}

    async def current(self, collection: Collection) -> Mapping[str, int]:
        """The generation that is read of each document that has one. Raises ``NotFound``: no such collection."""
        key = _key(collection)
        known = self._generations.get(key)

        def work(connection: sa.Connection) -> tuple[int, dict[str, int]]:
            version = _require(connection, collection)
            if known is not None and known[0] == version:
                return known
            query = sa.select(documents.c.id, documents.c.generation).where(
                _within(collection), documents.c.generation > 0
            )
            return version, {row.id: row.generation for row in connection.execute(query)}

        fresh = await self._database.read(work)
        self._generations[key] = fresh
        self._know(key, fresh[0])
        return fresh[1]

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


def _within(collection: Collection) -> sa.ColumnElement[bool]:
    return sa.and_(documents.c.tenant == collection.tenant, documents.c.collection_id == collection.id)


def _one(collection: Collection, document_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(_within(collection), documents.c.id == document_id)


def _row_of(collection: Collection) -> sa.ColumnElement[bool]:
    return sa.and_(collections.c.tenant == collection.tenant, collections.c.id == collection.id)


def _require(connection: sa.Connection, collection: Collection, *, hold: bool = False) -> int:
    # ``hold``: nobody deletes the collection until this transaction ends.
    query = sa.select(collections.c.version).where(_row_of(collection))
    if hold:
        query = query.with_for_update(read=True)
    version = connection.execute(query).scalar_one_or_none()
    if version is None:
        raise _gone(collection)
    return int(version)


def _bump(connection: sa.Connection, collection: Collection) -> int:
    bumped = sa.update(collections).where(_row_of(collection)).values(version=collections.c.version + 1)
    version = connection.execute(bumped.returning(collections.c.version)).scalar_one_or_none()
    if version is None:
        raise _gone(collection)
    return int(version)


def _locked(connection: sa.Connection, collection: Collection, document_id: str) -> sa.Row[Any]:
    row = connection.execute(sa.select(documents).where(_one(collection, document_id)).with_for_update()).one_or_none()
    if row is None:
        raise _unknown(collection, document_id)
    return row


def _gone(collection: Collection) -> NotFound:
    return NotFound(f"the collection {collection.name} was deleted")


def _unknown(collection: Collection, document_id: str) -> NotFound:
    return NotFound(f"there is no document {document_id} in {collection.name}")


def document_of(row: sa.Row[Any]) -> Document:
    """A row of ``documents``."""
    return Document(
        document_id=row.id,
        source_key=row.source_key,
        name=row.name,
        sha256=row.sha256,
        generation=row.generation,
        status=cast(Status, row.status),
        error=row.error,
        chars=row.chars,
        chunks=row.chunks,
        pages=row.pages,
        parser=row.parser,
        text_blob=row.text_blob,
        file_id=row.file_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
