"""Sidecar files: SQLite files for data that may be lost (cached answers, spans), separate from the rest.

A damaged sidecar is deleted and created again, with a line in the log.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from mainspring.core import private_files
from mainspring.core.errors import StoreError

T = TypeVar("T")

BUSY_S = 5.0
_log = logging.getLogger(__name__)


class Sidecar:
    """One file, used by one thread of its own. ``schema`` is a script that makes the tables where absent."""

    def __init__(self, path: Path, schema: str, *, version: int) -> None:
        self._path = path
        self._schema = schema
        self._version = version
        self._thread = ThreadPoolExecutor(1, f"mainspring-{path.stem}")
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` in one transaction, in the order of the calls. Raises ``StoreError``.

        On a damaged file ``work`` runs a second time, on an empty one.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    async def close(self) -> None:
        """Finish submitted work, then close the file. Idempotent."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            try:
                return self._transact(work)
            except sqlite3.DatabaseError as error:
                if not _damaged(error):
                    raise
                _log.warning(
                    "%s is damaged (%s) and was created again; it held only data that may be lost", self._path, error
                )
                self._discard()
                return self._transact(work)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{self._path} failed: {error}", remedy="Check the free space and the permissions of its directory"
            ) from error

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connection or self._connect()
        with connection:
            return work(connection)

    def _connect(self) -> sqlite3.Connection:
        private_files.file(self._path)
        connection = sqlite3.connect(self._path, timeout=BUSY_S, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("PRAGMA secure_delete=ON")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version not in (0, self._version):
                raise _OtherVersion(f"version {version}, not {self._version}")
            connection.executescript(self._schema)
            connection.execute(f"PRAGMA user_version={self._version}")
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _discard(self) -> None:
        self._disconnect()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _OtherVersion(sqlite3.DatabaseError):
    """A file that another version of this program wrote."""


def _damaged(error: sqlite3.DatabaseError) -> bool:
    codes = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    code = getattr(error, "sqlite_errorcode", 0)
    # The low byte is the primary code; tables that are missing or other than ours come as a plain error.
    return isinstance(error, _OtherVersion) or code & 0xFF in codes or "no such" in str(error)
