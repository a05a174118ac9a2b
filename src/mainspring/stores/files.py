"""Uploaded files: a row that says whose and what, and a blob with the bytes."""

from __future__ import annotations

import builtins
import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.blobs as blob_store
import mainspring.stores.ids as ids
import mainspring.stores.rows as rows
from mainspring.errors import NotFound, StoreError
from mainspring.stores.blobs import Blobs
from mainspring.stores.database import Database
from mainspring.stores.schema import collections, documents, files


@dataclass(frozen=True, slots=True)
class FileInfo:
    """What is known of an uploaded file. ``bytes`` is its size, ``created_at`` Unix seconds."""

    id: str
    tenant: str
    name: str
    bytes: int
    sha256: str
    purpose: str
    created_at: float


class Files:
    """The files of each tenant."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    async def add(self, tenant: str, name: str, data: builtins.bytes, purpose: str) -> FileInfo:
        """Keep a file; durable when it returns. The same bytes twice are two files and one blob."""
        sha256 = await self._blobs.put(data)
        info = FileInfo(ids.new("file-"), tenant, name, len(data), sha256, purpose, time.time())

        def work(connection: sa.Connection) -> None:
            # Deleting another file of the same bytes may have taken the blob since it was written.
            if not blob_store.claim(connection, self._blobs, sha256):
                self._blobs.write(data)
            connection.execute(sa.insert(files).values(**_columns(info)))

        await self._database.write(work, durable=True)
        return info

    async def get(self, tenant: str, file_id: str, *, groups: frozenset[str] = frozenset()) -> FileInfo:
        """The file as ``groups`` may see it. Raises ``NotFound`` for what they may not, as for what is not there."""
        found = await self._visible(tenant, groups, files.c.id == file_id)
        if not found:
            raise NotFound(f"there is no file {file_id}", remedy="GET /v1/files lists them")
        return found[0]

    async def list(self, tenant: str, *, groups: frozenset[str] = frozenset()) -> list[FileInfo]:
        """All files of the tenant that ``groups`` may see, newest first."""
        return await self._visible(tenant, groups, sa.true())

    async def delete(self, tenant: str, file_id: str, *, groups: frozenset[str] = frozenset()) -> None:
        """Forget a file, and its bytes unless another file or document has the same. Raises ``NotFound``."""
        await self.get(tenant, file_id, groups=groups)

        def work(connection: sa.Connection) -> None:
            deleted = sa.delete(files).where(files.c.tenant == tenant, files.c.id == file_id)
            sha256 = connection.execute(deleted.returning(files.c.sha256)).scalar_one_or_none()
            if sha256 is None:
                raise NotFound(f"there is no file {file_id}", remedy="GET /v1/files lists them")
            blob_store.discard(connection, sha256)

        await self._database.write(work, durable=True)
        await blob_store.sweep(self._database, self._blobs)

    async def content(self, tenant: str, file_id: str, *, groups: frozenset[str] = frozenset()) -> builtins.bytes:
        """The bytes of a file. Raises ``NotFound``, or ``StoreError`` when they are lost or damaged."""
        info = await self.get(tenant, file_id, groups=groups)
        try:
            return await self._blobs.get(info.sha256)
        except NotFound:
            raise StoreError(f"the bytes of {file_id} are lost", remedy="Delete the file and upload it again") from None

    async def _visible(
        self, tenant: str, groups: frozenset[str], where: sa.ColumnElement[bool]
    ) -> builtins.list[FileInfo]:
        # The one place where files are read for somebody. A file is as restricted as the collections that it is in:
        # in none of them it is the tenant's.
        query = sa.select(files).where(files.c.tenant == tenant, where)
        uses = (
            sa.select(documents.c.file_id, collections.c.groups)
            .join(
                collections,
                sa.and_(collections.c.tenant == documents.c.tenant, collections.c.id == documents.c.collection_id),
            )
            .where(
                documents.c.tenant == tenant,
                documents.c.file_id.in_(query.with_only_columns(files.c.id).order_by(None)),
            )
        )

        def work(connection: sa.Connection) -> tuple[builtins.list[FileInfo], dict[str, builtins.list[frozenset[str]]]]:
            restrictions: dict[str, builtins.list[frozenset[str]]] = {}
            for file_id, restricted in connection.execute(uses):
                restrictions.setdefault(file_id, []).append(frozenset(rows.load(restricted)))
            return [
                FileInfo(**row._mapping) for row in connection.execute(query.order_by(files.c.id.desc()))
            ], restrictions

        found, restrictions = await self._database.read(work)
        return [
            info
            for info in found
            if info.id not in restrictions or any(not each or each & groups for each in restrictions[info.id])
        ]


def _columns(info: FileInfo) -> dict[str, Any]:
    return {column.name: getattr(info, column.name) for column in files.columns}
