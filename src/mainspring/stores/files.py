"""Uploaded files: a row that says whose and what, and a blob with the bytes."""

from __future__ import annotations

import builtins
import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from mainspring.errors import NotFound, StoreError
from mainspring.stores import blobs as blob_store
from mainspring.stores import ids
from mainspring.stores.blobs import Blobs
from mainspring.stores.database import Database
from mainspring.stores.schema import files


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

    async def get(self, tenant: str, file_id: str) -> FileInfo:
        """Raises ``NotFound``."""
        found = await self._select(sa.select(files).where(files.c.tenant == tenant, files.c.id == file_id))
        if not found:
            raise NotFound(f"there is no file {file_id}", remedy="GET /v1/files lists them")
        return found[0]

    async def list(self, tenant: str) -> list[FileInfo]:
        """All files of the tenant, newest first."""
        return await self._select(sa.select(files).where(files.c.tenant == tenant).order_by(files.c.id.desc()))

    async def delete(self, tenant: str, file_id: str) -> None:
        """Forget a file, and its bytes unless another file or document has the same. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> None:
            deleted = sa.delete(files).where(files.c.tenant == tenant, files.c.id == file_id)
            sha256 = connection.execute(deleted.returning(files.c.sha256)).scalar_one_or_none()
            if sha256 is None:
                raise NotFound(f"there is no file {file_id}", remedy="GET /v1/files lists them")
            blob_store.discard(connection, sha256)

        await self._database.write(work, durable=True)
        await blob_store.sweep(self._database, self._blobs)

    async def content(self, tenant: str, file_id: str) -> builtins.bytes:
        """The bytes of a file. Raises ``NotFound``, or ``StoreError`` when they are lost or damaged."""
        info = await self.get(tenant, file_id)
        try:
            return await self._blobs.get(info.sha256)
        except NotFound:
            raise StoreError(f"the bytes of {file_id} are lost", remedy="Delete the file and upload it again") from None

    async def _select(self, query: sa.Select[Any]) -> builtins.list[FileInfo]:
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [FileInfo(**row._mapping) for row in found]


def _columns(info: FileInfo) -> dict[str, Any]:
    return {column.name: getattr(info, column.name) for column in files.columns}
