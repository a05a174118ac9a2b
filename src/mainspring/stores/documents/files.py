"""Uploaded files: a row that says whose and what, and a blob with the bytes.

Until it is attached a file is for the groups of the key that uploaded it (none: for the tenant). From then on the file
is as restricted as the documents made from it, each with its collection: a caller who may read one of these documents
may have the original. A batch's output is for callers in all groups of its key: any of these groups may have opened a
document.
"""

from __future__ import annotations

import asyncio
import builtins
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import sqlalchemy as sa

import mainspring.stores.documents.blobs as blob_store
import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.pages as pages
import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.errors import Conflict, NotFound, StoreError
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.events.audit_log import Actor, Audit, HashedText
from mainspring.stores.keys.quotas import Quotas
from mainspring.stores.schema import collections, documents, files
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.pages import Page, Slice
from mainspring.stores.sql.row_access import IN_COLLECTION, RowAccess

PREFIX = "file-"
ANSWERS = "batch_output"
"""The purpose of files that batches write."""
REQUESTS = "batch"
"""The purpose of files that batches read."""
PURPOSES = ("assistants", REQUESTS, "fine-tune", "vision", "user_data", "evals")
"""The purposes that an upload may have, as with OpenAI."""
LARGE = 2**20
"""Bytes of a large file."""
# Bytes of lines that are processed before others have their turn.
_AT_ONCE = 128 * 1024


@dataclass(frozen=True, slots=True)
class FileInfo:
    """The record of an uploaded file. ``bytes`` is its size, ``created_at`` Unix seconds.

    ``groups`` may see it while it is in no collection (empty: the tenant). Nobody sees it from ``expires_at`` on.
    """

    id: str
    tenant: str
    name: str
    bytes: int
    sha256: str
    purpose: str
    created_at: float
    groups: frozenset[str] = frozenset()
    expires_at: float | None = None


class Files:
    """The files of each tenant. The requests of batches are kept without card numbers; with ``redact`` so is every
    other file that is text."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        audit: Audit | None = None,
        quotas: Quotas | None = None,
        *,
        redact: bool = False,
    ) -> None:
        self._quotas = quotas or Quotas(database)
        self._database = database
        self._audit = audit or Audit(database)
        self._blobs = blobs
        self._redact = redact
        # A lock exists while a caller holds it or waits for it.
        self._lines: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def add(
        self,
        tenant: str,
        name: str,
        data: builtins.bytes,
        purpose: str,
        groups: frozenset[str] = frozenset(),
        *,
        expires_s: int | None = None,
    ) -> FileInfo:
        """Keep a file, for ``expires_s`` seconds if given; durable when it returns. The same bytes twice are two files
        and one blob.

        One large file per tenant is written at a time: other commits wait for data on its way to the disk.
        """
        if len(data) < LARGE:
            return await self._add(tenant, name, data, purpose, groups, expires_s)
        lock = self._lines.setdefault(tenant, asyncio.Lock())
        async with lock:
            return await self._add(tenant, name, data, purpose, groups, expires_s)

    async def _add(
        self,
        tenant: str,
        name: str,
        data: builtins.bytes,
        purpose: str,
        groups: frozenset[str],
        expires_s: int | None,
    ) -> FileInfo:
        name = cards.scrub(name)
        if purpose == REQUESTS:
            data = await _scrubbed_lines(data)
        elif self._redact:
            data = await asyncio.to_thread(cards.scrub_text, data)
        # Checked before writing: a refused file takes no disk space.
        for each, adding in (("files", 1), ("file_bytes", len(data))):
            await self._quotas.check(tenant, each, adding=adding)
        sha256 = await self._blobs.put(data)
        now = time.time()
        expires_at = None if expires_s is None else now + expires_s
        info = FileInfo(ids.new(PREFIX), tenant, name, len(data), sha256, purpose, now, groups, expires_at)

        def work(connection: sa.Connection) -> None:
            self._quotas.hold(connection, tenant, "files")
            self._quotas.hold(connection, tenant, "file_bytes", len(data))
            # Deleting another file of the same bytes may have taken the blob since it was written.
            if not blob_store.claim(connection, self._blobs, sha256):
                self._blobs.write(data)
            connection.execute(sa.insert(files).values(**_columns(info)))

        await self._database.write(work, durable=True)
        return info

    async def get(self, tenant: str, file_id: str, *, groups: frozenset[str] = frozenset()) -> FileInfo:
        """The file as ``groups`` may see it. Raises ``NotFound`` if it does not exist or ``groups`` may not see it."""
        found = await self._visible(tenant, groups, files.c.id == file_id)
        if not found:
            raise NotFound(f"there is no file {file_id}", remedy="GET /v1/files lists them")
        return found[0]

    async def cited(self, tenant: str, cited_id: str, *, groups: frozenset[str]) -> FileInfo:
        """``get``, also by the id of a document, by which answers cite what was not uploaded: its text as a file.

        Raises ``NotFound``, also for a document that ``groups`` may not see or that was not read.
        """
        if cited_id.startswith(PREFIX):
            return await self.get(tenant, cited_id, groups=groups)

        def work(connection: sa.Connection) -> sa.Row[Any] | None:
            named = sa.and_(documents.c.tenant == tenant, documents.c.id == cited_id, documents.c.text_blob != "")
            seen = RowAccess(connection, groups).sees_document()
            query = sa.select(documents).join(collections, IN_COLLECTION).where(named, seen)
            return connection.execute(query.limit(1)).one_or_none()

        row = await self._database.read(work)
        if row is None:
            return await self.get(tenant, cited_id, groups=groups)
        size = len(await self._bytes(row.id, row.text_blob))
        theirs = frozenset(rows.load(row.groups))
        return FileInfo(row.id, tenant, row.name, size, row.text_blob, PURPOSES[0], row.created_at, theirs)

    async def list(self, tenant: str, *, groups: frozenset[str] = frozenset()) -> list[FileInfo]:
        """All files of the tenant that ``groups`` may see, newest first."""
        return await self._visible(tenant, groups, sa.true())

    async def page(
        self, tenant: str, page: Page, *, groups: frozenset[str] = frozenset(), purpose: str | None = None
    ) -> Slice[FileInfo]:
        """The page of ``list``, by age. Raises ``InvalidRequest`` for a cursor that is no file's id."""

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            query = _seen(connection, tenant, groups, sa.true() if purpose is None else files.c.purpose == purpose)
            return pages.read(connection, query, (files.c.id,), page, pages.by_id(PREFIX))

        return (await self._database.read(work)).map(_info)

    async def uses(self, tenant: str, file_id: str, *, groups: frozenset[str]) -> builtins.list[tuple[str, str]]:
        """The collection ids and document ids of the documents that were made from a file. Raises ``NotFound``, and
        ``Conflict`` if ``groups`` may not see all of these documents."""
        made_of = sa.and_(documents.c.tenant == tenant, documents.c.file_id == file_id)
        query = sa.select(documents.c.collection_id, documents.c.id).join(collections, IN_COLLECTION).where(made_of)
        await self.get(tenant, file_id, groups=groups)

        def work(connection: sa.Connection) -> builtins.list[tuple[str, str]]:
            seen = connection.execute(query.where(RowAccess(connection, groups).sees_document())).all()
            if len(connection.execute(query).all()) > len(seen):
                raise Conflict(
                    f"{file_id} is also held where this key may not delete it",
                    remedy="Delete it with a key of more groups, or take it out of your own vector stores alone: "
                    "DELETE /v1/vector_stores/{id}/files/{file_id}",
                    param="file_id",
                )
            return [(row.collection_id, row.id) for row in seen]

        return await self._database.read(work)

    async def made_of(self, tenant: str, file_id: str) -> builtins.list[tuple[str, str]]:
        """``uses`` for maintenance: without an access check."""
        theirs = sa.and_(documents.c.tenant == tenant, documents.c.file_id == file_id)
        query = sa.select(documents.c.collection_id, documents.c.id).where(theirs)
        return [(row[0], row[1]) for row in await self._database.read(lambda it: it.execute(query).all())]

    async def expired(self) -> builtins.list[tuple[str, str]]:
        """The tenants and ids of files that have expired and are still there."""
        query = sa.select(files.c.tenant, files.c.id).where(files.c.expires_at <= time.time())
        return [(row[0], row[1]) for row in await self._database.read(lambda it: it.execute(query).all())]

    async def delete(
        self,
        tenant: str,
        file_id: str,
        *,
        groups: frozenset[str] | None = frozenset(),
        by: Actor | None = None,
    ) -> None:
        """Forget a file, and its bytes unless another file or document has the same. ``groups`` None: the caller has
        looked who asks. ``by`` is the actor for the audit log; None: the enclosing action is logged.

        Raises ``NotFound``, and ``Conflict`` while documents depend on it.
        """
        if groups is not None:
            await self.get(tenant, file_id, groups=groups)
        uses = sa.select(documents.c.id).where(documents.c.tenant == tenant, documents.c.file_id == file_id)

        def work(connection: sa.Connection) -> None:
            if connection.execute(uses.limit(1)).first() is not None:
                raise Conflict(f"{file_id} is in a vector store", remedy="Delete it again", param="file_id")
            deleted = sa.delete(files).where(files.c.tenant == tenant, files.c.id == file_id)
            gone = connection.execute(deleted.returning(files)).one_or_none()
            if gone is None:
                raise NotFound(f"there is no file {file_id}", remedy="GET /v1/files lists them")
            blob_store.discard(connection, gone.sha256)
            if by is not None:
                told = {"name": HashedText(gone.name), "bytes": gone.bytes, "purpose": gone.purpose}
                self._audit.append(connection, tenant, "file.deleted", by, object=file_id, details=told)

        await self._database.write(work, frees=True)
        await blob_store.sweep(self._database, self._blobs)
        # Its name may say something, too: the database's log still has it.
        await self._database.compact()

    async def content(self, tenant: str, file_id: str, *, groups: frozenset[str] = frozenset()) -> builtins.bytes:
        """The bytes of a file. Raises ``NotFound``, or ``StoreError`` when they are lost or damaged."""
        info = await self.get(tenant, file_id, groups=groups)
        return await self._bytes(file_id, info.sha256)

    async def copy(self, tenant: str, file_id: str, target: Path, *, groups: frozenset[str] = frozenset()) -> None:
        """Write the bytes of a file to another one, a part at a time. Raises like ``content``."""
        info = await self.get(tenant, file_id, groups=groups)
        try:
            await self._blobs.copy(info.sha256, target)
        except NotFound:
            raise _lost(file_id) from None

    async def cited_content(
        self, tenant: str, cited_id: str, *, groups: frozenset[str] = frozenset()
    ) -> builtins.bytes:
        """The bytes of what ``cited`` finds. Raises like ``content``."""
        info = await self.cited(tenant, cited_id, groups=groups)
        return await self._bytes(cited_id, info.sha256)

    async def _bytes(self, file_id: str, sha256: str) -> builtins.bytes:
        try:
            return await self._blobs.get(sha256)
        except NotFound:
            raise _lost(file_id) from None

    async def _visible(
        self, tenant: str, groups: frozenset[str], where: sa.ColumnElement[bool]
    ) -> builtins.list[FileInfo]:
        def work(connection: sa.Connection) -> builtins.list[sa.Row[Any]]:
            query = _seen(connection, tenant, groups, where).order_by(files.c.id.desc())
            return builtins.list(connection.execute(query))

        return [_info(row) for row in await self._database.read(work)]


def _lost(file_id: str) -> StoreError:
    return StoreError(f"the bytes of {file_id} are lost", remedy="Delete the file and upload it again")


def _seen(
    connection: sa.Connection, tenant: str, groups: frozenset[str], where: sa.ColumnElement[bool]
) -> sa.Select[Any]:
    # The only place where files are read for a caller.
    sight = RowAccess(connection, groups)
    uses = (
        sa.select(documents.c.id)
        .join(collections, IN_COLLECTION)
        .where(documents.c.tenant == files.c.tenant, documents.c.file_id == files.c.id)
    )
    its_readers = sa.case((files.c.purpose == ANSWERS, sight.has_all(files.c.groups)), else_=sight.sees(files.c.groups))
    unused = sa.and_(~sa.exists(uses), its_readers, sight.left(files.c.groups))
    there = sa.or_(files.c.expires_at.is_(None), files.c.expires_at > time.time())
    return sa.select(files).where(
        files.c.tenant == tenant, where, there, sa.or_(unused, sa.exists(uses.where(sight.sees_document())))
    )


def _info(row: sa.Row[Any]) -> FileInfo:
    fields = dict(row._mapping)
    return FileInfo(**{**fields, "groups": frozenset(rows.load(fields["groups"]))})


def _columns(info: FileInfo) -> dict[str, Any]:
    fields = {column.name: getattr(info, column.name) for column in files.columns}
    return {**fields, "groups": rows.names(info.groups)}


async def _scrubbed_lines(data: bytes) -> bytes:
    """``cards.scrub_lines``, some lines at a time: an expression holds up every thread of the process."""
    done = []
    for part in _parts(data):
        done.append(cards.scrub_lines(part))
        await asyncio.sleep(0)
    return b"".join(done)


def _parts(data: bytes) -> Iterator[bytes]:
    """``data`` in parts that end with a line."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start + _AT_ONCE) + 1 or len(data)
        yield data[start:end]
        start = end
