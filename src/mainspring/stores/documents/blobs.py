"""Blobs: immutable bytes under their sha256, in a local directory.

A blob is whole or absent: it is written beside its place, synced, renamed, and its directory synced. The rows that name
a blob (files and documents, under their tenant) decide who may read it: nothing outside of the stores asks for a blob
by a hash from outside.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import sqlalchemy as sa

import mainspring.stores.sql.database as sql
import mainspring.stores.sql.rows as rows
from mainspring.core import private_files
from mainspring.core.errors import NotFound, StoreError
from mainspring.stores.schema import all_tables, discarded
from mainspring.stores.schema.columns import NAMES_BLOB
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.disk_space import DiskRoom

# A killed process may leave partial files; after this many seconds they are deleted.
ABANDONED_S = 3600.0

# Bytes that are in memory while a blob is copied.
_AT_ONCE = 2**20
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_log = logging.getLogger(__name__)


class Blobs:
    """A directory of blobs."""

    def __init__(self, directory: Path, room: DiskRoom | None = None) -> None:
        self._directory = directory
        self._room = room
        self._unfinished = directory / "unfinished"

    @property
    def directory(self) -> Path:
        """Where they lie: ``blobs`` below the home."""
        return self._directory

    async def open(self) -> None:
        """Create the directory and remove unfinished files."""
        await asyncio.to_thread(self._open)

    async def put(self, data: bytes) -> str:
        """Keep ``data``, durable when it returns; its sha256. Raises ``StoreError`` (disk full, say)."""
        return await asyncio.to_thread(self.write, data)

    async def put_file(self, source: Path) -> str:
        """``put`` of the bytes of a file, a part at a time."""
        return await asyncio.to_thread(self.write_file, source)

    async def get(self, sha256: str) -> bytes:
        """The bytes. Raises ``NotFound``, or ``StoreError`` when the file is damaged."""
        return await asyncio.to_thread(self._read, sha256)

    async def whole(self, sha256: str) -> Path:
        """The path of the bytes, after a look whether they are those that were put. Raises as ``get`` does."""
        return await asyncio.to_thread(self._whole, sha256)

    async def copy(self, sha256: str, target: Path) -> None:
        """Write the bytes to a file, a part at a time. Raises as ``get`` does, and ``StoreError`` if there is no room;
        then there is no file."""
        await asyncio.to_thread(self._copy, sha256, target)

    async def delete(self, sha256: str) -> None:
        """Forget a blob; an absent one is no error. Rows that name it are the caller's concern."""
        await asyncio.to_thread(self.unlink, sha256)

    def path(self, sha256: str) -> Path:
        """The blob's path, whether or not it exists. Raises ``NotFound`` if it is not a sha256."""
        if not _SHA256.match(sha256):
            raise NotFound(f"{sha256!r} is not the sha256 of a blob")
        return self._directory / sha256[:2] / sha256

    def holds(self, sha256: str) -> bool:
        return self.path(sha256).is_file()

    def write(self, data: bytes) -> str:
        """``put``, in the calling thread."""
        if self._room is not None:
            self._room.admit(len(data))
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256)
        if not _holds(path, data):
            self._write(path, len(data), lambda file: file.write(data))
        return sha256

    def write_file(self, source: Path) -> str:
        """``put_file``, in the calling thread."""
        size = source.stat().st_size
        if self._room is not None:
            self._room.admit(size)
        sha256 = _digest(source)
        path = self.path(sha256)
        if not path.is_file() or _digest(path) != sha256:
            with source.open("rb") as read:
                self._write(path, size, lambda file: shutil.copyfileobj(read, file, _AT_ONCE))
        return sha256

    def unlink(self, sha256: str) -> None:
        """``delete``, in the calling thread."""
        self.path(sha256).unlink(missing_ok=True)

    def _open(self) -> None:
        private_files.folder(self._unfinished)
        for path in self._unfinished.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < time.time() - ABANDONED_S:
                    path.unlink()
                    _log.info("removed %s, which was never finished", path)

    def _write(self, path: Path, size: int, fill: Callable[[IO[bytes]], object]) -> None:
        try:
            self._place(path, fill)
        except OSError as error:
            raise StoreError(
                f"a blob of {size} bytes could not be written to {path.parent}: {error.strerror}",
                remedy="Check the free space and the permissions of that directory",
            ) from error

    def _place(self, path: Path, fill: Callable[[IO[bytes]], object]) -> None:
        if not path.parent.is_dir():
            path.parent.mkdir(exist_ok=True)
            _sync_directory(self._directory)
        descriptor, temporary = tempfile.mkstemp(dir=self._unfinished)
        try:
            with os.fdopen(descriptor, "wb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync_directory(path.parent)

    def _read(self, sha256: str) -> bytes:
        path = self.path(sha256)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise NotFound(f"there is no blob {sha256}") from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise _damaged(path)
        return data

    def _whole(self, sha256: str) -> Path:
        path = self.path(sha256)
        try:
            if _digest(path) != sha256:
                raise _damaged(path)
        except FileNotFoundError:
            raise NotFound(f"there is no blob {sha256}") from None
        return path

    def _copy(self, sha256: str, target: Path) -> None:
        path, digest = self.path(sha256), hashlib.sha256()
        try:
            with path.open("rb") as read, target.open("wb") as written:
                while block := read.read(_AT_ONCE):
                    digest.update(block)
                    written.write(block)
        except FileNotFoundError:
            raise NotFound(f"there is no blob {sha256}") from None
        except OSError as error:
            target.unlink(missing_ok=True)
            raise StoreError(f"{target.name} could not be written: {error.strerror}", remedy="Free space") from error
        if digest.hexdigest() != sha256:
            target.unlink()
            raise _damaged(path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(path: Path) -> StoreError:
    return StoreError(f"the blob {path} is damaged", remedy="Restore it from a backup, or upload it again")


def discard(connection: sa.Connection, sha256: str) -> None:
    """Note, in the transaction that releases a blob, that ``sweep`` must check it."""
    if sha256:
        connection.execute(rows.insert_new(connection, discarded), {"sha256": sha256})


async def sweep(database: Database, blobs: Blobs) -> None:
    """Delete the discarded blobs that no row names.

    This runs apart from, and after, the commit that discarded them: if bytes were deleted first and the commit failed,
    they would be missing. The next sweep makes up for one that fails or dies, at the latest at the next opening.
    """

    naming = [each for table in all_tables().tables.values() for each in table.columns if each.info.get(NAMES_BLOB)]

    def work(connection: sa.Connection) -> None:
        for sha256 in connection.execute(sa.select(discarded.c.sha256).order_by(discarded.c.sha256)).scalars().all():
            sql.lock(connection, sha256)
            named = sa.union_all(*(sa.select(sa.literal(1)).where(column == sha256) for column in naming))
            if connection.execute(named.limit(1)).first() is None:
                blobs.unlink(sha256)
            connection.execute(sa.delete(discarded).where(discarded.c.sha256 == sha256))

    try:
        await database.write(work, durable=False)
    except StoreError as error:
        _log.warning("discarded blobs were not deleted, which the next deletion or start does: %s", error)


def claim(connection: sa.Connection, blobs: Blobs, sha256: str) -> bool:
    """Whether the blob is there; if so it stays, for no ``sweep`` looks before this transaction has named it."""
    sql.lock(connection, sha256)
    return blobs.holds(sha256)


def _holds(path: Path, data: bytes) -> bool:
    # The content decides: a damaged blob has the right name and often the right size, and putting it again repairs
    # it.
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except FileNotFoundError:
        return False


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
